/** The call path of tools and its adapters. */
import type { Log } from "../../base/log.ts";
import { systemClock } from "../../base/time/clock.ts";
import type { Config } from "../../config/settings.ts";
import type { GraphHost } from "../../engine/ports/graphs.ts";
import { createAdapters } from "../../tools/index.ts";
import { createToolCaller } from "../../tools/path/caller.ts";
import type { ToolMetrics } from "../../tools/path/observe-step.ts";
import type { Parts } from "./parts.ts";

/** Opens the tools. */
export function openTools(
  config: Config,
  graphs: GraphHost | undefined,
  metrics: ToolMetrics | undefined,
  log: Log,
  parts: Parts,
): ReturnType<typeof createToolCaller> {
  const tools = createToolCaller({
    adapters: createAdapters({
      http: {
        policy: { allowPrivate: false, allow: config.http.allow },
        clock: systemClock,
        maxResponseBytes: config.http.maxResponseBytes,
        maxRedirects: config.http.maxRedirects,
      },
      ...(graphs === undefined ? {} : { graphs }),
    }),
    policies: {
      failuresToOpen: config.tools.breakerFailures,
      openMs: config.tools.breakerOpen,
      maxOpenMs: config.tools.breakerMaxOpen,
      maxConcurrent: config.tools.maxConcurrent,
      maxQueued: config.tools.maxQueued,
    },
    log,
    clock: systemClock,
    ...(metrics === undefined ? {} : { metrics }),
  });
  parts.onClose(() => tools.close());
  return tools;
}
