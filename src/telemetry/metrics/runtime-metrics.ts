/** Metrics of the shard runtime. */
import type { RuntimeObserver } from "../../engine/shard/observer.ts";
import type { Metrics } from "./metrics.ts";

/** Counts what the runtime does. */
export function createRuntimeMetrics(metrics: Metrics): RuntimeObserver {
  const transitions = metrics.counter("orchestrator_committed_transitions_total");
  const commit = metrics.histogram("orchestrator_commit_seconds");
  const wait = metrics.histogram("orchestrator_commit_wait_seconds");
  const written = metrics.counter("orchestrator_commits_total", "written");
  const lateness = metrics.histogram("orchestrator_timer_lateness_seconds");
  const renewed = metrics.gauge("orchestrator_lease_renewed_timestamp_seconds");
  const expired = metrics.counter("orchestrator_lease_expirations_total");
  const lag = metrics.histogram("orchestrator_recovery_lag_seconds");
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
      if (ownerlessMs !== null) lag.observe(Math.max(0, ownerlessMs) / 1_000);
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
