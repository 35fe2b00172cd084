/** Metrics of the shard runtime. */
import { type Clock, systemClock } from "../../base/time/clock.ts";
import type { RuntimeObserver } from "../../engine/shard/observer.ts";
import type { HistogramSeries, Metrics } from "./metrics.ts";

/** Time in which everybody who reads the metrics has read them once, milliseconds. */
const FIRST_READINGS_MS = 60_000;

/**
 * Observes only once the readers have seen what was there before, from a minute after the first reading on. Prometheus
 * takes a rise between two readings for an event: what a process counts at its start, before anybody knows its series,
 * is none. A process that ends within this time has not said it.
 */
function afterZero(
  metrics: Pick<Metrics, "beforeRead">,
  series: HistogramSeries,
  { monotonic }: Pick<Clock, "monotonic">,
): (value: number) => void {
  let firstReadAt: number | null = null;
  const kept: number[] = [];
  const isRead = (): boolean => firstReadAt !== null && monotonic() - firstReadAt >= FIRST_READINGS_MS;
  metrics.beforeRead(async () => {
    firstReadAt ??= monotonic();
    if (isRead()) for (const value of kept.splice(0)) series.observe(value);
  });
  return (value) => {
    if (isRead()) series.observe(value);
    else kept.push(value);
  };
}

/** Counts what the runtime does. */
export function createRuntimeMetrics(metrics: Metrics, clock: Pick<Clock, "monotonic"> = systemClock): RuntimeObserver {
  const transitions = metrics.counter("orchestrator_committed_transitions_total");
  const commit = metrics.histogram("orchestrator_commit_seconds");
  const wait = metrics.histogram("orchestrator_commit_wait_seconds");
  const written = metrics.counter("orchestrator_commits_total", "written");
  const lateness = metrics.histogram("orchestrator_timer_lateness_seconds");
  const renewed = metrics.gauge("orchestrator_lease_renewed_timestamp_seconds");
  const expired = metrics.counter("orchestrator_lease_expirations_total");
  const observeLag = afterZero(metrics, metrics.histogram("orchestrator_recovery_lag_seconds"), clock);
  const takeover = metrics.histogram("orchestrator_takeover_seconds");
  const adopted = metrics.counter("orchestrator_adopted_runs_total");
  const fenced = metrics.counter("orchestrator_fenced_writes_total");
  return {
    sent(waitedMs) {
      wait.observe(waitedMs / 1_000);
    },
    answered(outcome, count, tookMs) {
      commit.observe(tookMs / 1_000);
      if (outcome !== "written") {
        metrics.counter("orchestrator_commits_total", outcome).add();
        return;
      }
      written.add();
      transitions.add(count);
    },
    fired(lateMs) {
      lateness.observe(Math.max(0, lateMs) / 1_000);
    },
    renewed(inTime) {
      renewed.set(Date.now() / 1_000);
      if (!inTime) expired.add();
    },
    taken(clean, ownerlessMs) {
      metrics.counter("orchestrator_shards_taken_total", clean ? "release" : "death").add();
      if (ownerlessMs !== null) observeLag(Math.max(0, ownerlessMs) / 1_000);
    },
    adopted(moving, tookMs) {
      takeover.observe(tookMs / 1_000);
      adopted.add(moving);
    },
    fenced() {
      fenced.add();
    },
  };
}
