/** Canaries: the runs by which the service sees for itself whether it works. */
import type { Log } from "../../../base/log.ts";
import { systemClock } from "../../../base/time/clock.ts";
import type { Config } from "../../../config/settings.ts";
import { Canary } from "../../../engine/canary/canary.ts";
import { CANARY_FLOW } from "../../../flows/builtin/ids.ts";
import { createCanaryStore } from "../../../store/canary/canaries.ts";
import type { Metrics } from "../../../telemetry/metrics/metrics.ts";
import { NO_METRICS } from "../../../telemetry/metrics/no-metrics.ts";
import type { Core } from "../../compose.ts";
import { COUNTING_SHARD, type Parts } from "../parts.ts";

/** Starts them, if the configuration wants any, until the part is closed. */
export function openCanary(
  { canary: { interval } }: Pick<Config, "canary">,
  { runControl, builtIns, shards, database }: Pick<Core, "runControl" | "builtIns" | "shards" | "database">,
  metrics: Metrics | null,
  log: Log,
  parts: Parts,
): void {
  const counted = metrics ?? NO_METRICS;
  const lost = counted.gauge("orchestrator_canary_lost_runs");
  lost.hide();
  if (interval === 0) return;
  counted.gauge("orchestrator_canary_interval_seconds").set(interval / 1_000);
  const canary = new Canary({
    store: createCanaryStore(database, CANARY_FLOW),
    control: runControl,
    builtIns,
    isOnDuty: () => shards.owned.includes(COUNTING_SHARD),
    observer: {
      ended(outcome, seconds) {
        counted.counter("orchestrator_canary_runs_total", outcome).add();
        if (outcome !== "success") return;
        counted.histogram("orchestrator_canary_duration_seconds").observe(seconds);
        counted.gauge("orchestrator_canary_last_success_timestamp_seconds").set(Date.now() / 1_000);
      },
      lost: (count) => (count === null ? lost.hide() : lost.set(count)),
    },
    clock: systemClock,
    log,
  });
  const stop = new AbortController();
  let turn: Promise<void> | null = null;
  const timer = setInterval(() => {
    turn ??= canary.turn(stop.signal).finally(() => {
      turn = null;
    });
  }, interval).unref();
  parts.onClose(async () => {
    clearInterval(timer);
    stop.abort();
    await turn;
  });
}
