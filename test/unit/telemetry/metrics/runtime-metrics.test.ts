import { expect, test } from "vitest";
import { createMetrics } from "../../../../src/telemetry/metrics/metrics.ts";
import { createRuntimeMetrics } from "../../../../src/telemetry/metrics/runtime-metrics.ts";

test("commits, timers, ownership, and takeovers are counted, with times in seconds", async () => {
  const metrics = createMetrics();
  const observer = createRuntimeMetrics(metrics);
  observer.sent(200);
  observer.answered("written", 7, 40);
  observer.answered("unknown", 3, 9_000);
  observer.fired(1_500);
  // The clock of the database may be read a moment before it reaches the due time.
  observer.fired(-2);
  observer.renewed(true);
  observer.renewed(false);
  observer.taken(true, null);
  observer.taken(false, 4_000);
  observer.taken(false, null);
  observer.adopted(12, 700);
  observer.fenced(5);
  const lines = (await metrics.render()).split("\n");
  for (const line of [
    "orchestrator_commit_wait_seconds_sum 0.2",
    'orchestrator_commits_total{result="written"} 1',
    'orchestrator_commits_total{result="unknown"} 1',
    'orchestrator_commits_total{result="slow"} 0',
    "orchestrator_committed_transitions_total 7",
    "orchestrator_commit_seconds_count 2",
    'orchestrator_timer_lateness_seconds_bucket{le="1"} 1',
    "orchestrator_timer_lateness_seconds_sum 1.5",
    "orchestrator_lease_expirations_total 1",
    'orchestrator_shards_taken_total{after="release"} 1',
    'orchestrator_shards_taken_total{after="death"} 2',
    "orchestrator_takeover_seconds_sum 0.7",
    "orchestrator_adopted_runs_total 12",
    "orchestrator_fenced_writes_total 1",
  ])
    expect(lines).toContain(line);
  const renewed = lines.find((line) => line.startsWith("orchestrator_lease_renewed_timestamp_seconds "));
  expect(Math.abs(Number(renewed?.split(" ")[1]) * 1_000 - Date.now())).toBeLessThan(60_000);
});

// The only instance had died, and the next one counted its shards before anybody had read 0: `increase` saw nothing.
test("shards taken at the start rise from 0 for all that read the metrics within a minute of the first", async () => {
  const metrics = createMetrics();
  let now = 7_000;
  const observer = createRuntimeMetrics(metrics, { monotonic: () => now });
  const read = async (): Promise<string | undefined> =>
    (await metrics.render()).split("\n").find((line) => line.startsWith("orchestrator_recovery_lag_seconds_count "));
  observer.taken(false, 40_000);
  now += 90_000;
  expect(await read()).toBe("orchestrator_recovery_lag_seconds_count 0");
  // It was back under its name before its life was over.
  observer.taken(false, -3_000);
  now += 59_000;
  expect(await read()).toBe("orchestrator_recovery_lag_seconds_count 0");
  now += 1_000;
  expect(await read()).toBe("orchestrator_recovery_lag_seconds_count 2");
  observer.taken(false, 4_000);
  const lines = (await metrics.render()).split("\n");
  for (const line of [
    'orchestrator_recovery_lag_seconds_bucket{le="0.005"} 1',
    'orchestrator_recovery_lag_seconds_bucket{le="5"} 2',
    'orchestrator_recovery_lag_seconds_bucket{le="30"} 2',
    'orchestrator_recovery_lag_seconds_bucket{le="60"} 3',
    "orchestrator_recovery_lag_seconds_sum 44",
  ])
    expect(lines).toContain(line);
});
