/** Every query of the dashboards against a real Prometheus, over a real service that does a little of everything. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { type Prometheus, startPrometheus } from "../../support/monitoring/prometheus.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { FOLDER, interpolate, QUERIES } from "./committed.ts";
import { openSmokeBed } from "./smoke.ts";

/** What a short run has nothing to say about, and why. Prometheus takes queries with them, and may answer nothing. */
const SILENT: Readonly<Record<string, string>> = {
  'grpc_code=~"': "no call ends by a fault of the service",
  orchestrator_agent_answers_total: "no agent is there",
  orchestrator_agent_requests_total: "no agent is there",
  orchestrator_budget_overrun_total: "no model uses more than was reserved",
  orchestrator_gated_calls_total: "there is no policy",
  orchestrator_handover_returns_total: "no worker gives a task back",
  orchestrator_kafka_jumps_total: "there is no Kafka",
  orchestrator_outbox_dropped_total: "nobody asks for executions over Redis",
  orchestrator_outbox_rejected_total: "the endpoint takes everything",
  orchestrator_outbox_unserved_messages: "every place is configured",
  orchestrator_recovery_lag_seconds: "no instance dies",
  orchestrator_redis_messages_total: "nothing comes over Redis",
  orchestrator_reflex_call_seconds: "there is no Reflex",
  orchestrator_takeover_seconds: "no instance dies",
  orchestrator_tool_overrides: "no operator interferes",
  'slo="events"': "nothing goes to topics or Streams",
  'slo="recovery"': "no instance dies",
};

const PATIENCE = { timeoutMs: 90_000, intervalMs: 1_000 };

/** Series of a query that have a number. */
async function numbersOf(prometheus: Prometheus, expr: string): Promise<number> {
  const values = { job: "orchestrator", instance: ".+", __rate_interval: "1m", __range: "5m" };
  const result = await prometheus.query(interpolate(expr, values));
  return result.filter(({ value }) => Number.isFinite(Number(value[1]))).length;
}

test("each query has an answer after a run, but for those of metrics that are listed", async () => {
  const rulesDir = createTemporaryFolder();
  copyFileSync(join(FOLDER, "../alerts.yaml"), join(rulesDir, "alerts.yml"));
  copyFileSync(join(FOLDER, "../prometheus/slo.rules.yml"), join(rulesDir, "slo.yml"));
  const bed = await openSmokeBed();
  const prometheus = await startPrometheus({
    rulesDir,
    scrape: [`127.0.0.1:${bed.service.metricsPort}`],
  });
  await bed.work();
  // The first round is seen before the second: what was never seen at a lower value has not risen.
  await eventually(async () => {
    expect(await prometheus.query('orchestrator_flow_runs_processed_total{status="COMPLETED"} > 2')).toHaveLength(1);
  }, PATIENCE);
  await bed.work();
  const silent = Object.keys(SILENT);
  expect(silent.filter((part) => !QUERIES.some(({ expr }) => expr.includes(part)))).toEqual([]);
  const answered = new Set<string>();
  await eventually(async () => {
    const asked = QUERIES.filter(({ expr }) => !answered.has(expr));
    for (const { expr } of asked) if ((await numbersOf(prometheus, expr)) > 0) answered.add(expr);
    const empty = asked.filter(({ expr }) => !answered.has(expr) && !silent.some((part) => expr.includes(part)));
    expect(empty.map(({ place }) => place)).toEqual([]);
  }, PATIENCE);
}, 400_000);
