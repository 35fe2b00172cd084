import type { Log } from "../../base/log.ts";
import { longestStall } from "../../config/check.ts";
import type { Config } from "../../config/settings.ts";
import { startWatchdog } from "../processes/watchdog.ts";
import type { Parts } from "./parts.ts";
import type { Store } from "./store.ts";

/** Starts the watchdog of the event loop, unless the configuration disables it. */
export function openWatchdog(config: Config, { target }: Store, instanceId: string, log: Log, parts: Parts): void {
  const limitMs = Math.min(config.engine.maxLoopStall, longestStall(config.engine.leaseTtl));
  if (limitMs <= 0) return;
  const pretty = config.log.format === "pretty" || (config.log.format === "auto" && process.stdout.isTTY === true);
  parts.onClose(startWatchdog({ limitMs, instanceId, target, pretty, log }));
}
