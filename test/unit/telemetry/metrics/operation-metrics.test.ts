import { expect, test } from "vitest";
import { foldOperation } from "../../../../src/engine/operations/operation-rules.ts";
import type { OperationRecord } from "../../../../src/engine/operations/operation-state.ts";
import { createOperationLog } from "../../../../src/telemetry/log/operation-log.ts";
import { createMetrics } from "../../../../src/telemetry/metrics/metrics.ts";
import { createOperationMetrics } from "../../../../src/telemetry/metrics/operation-metrics.ts";

const PAGE = { at: 2_000, progress: 200, failures: [] };
const RECORDS: readonly OperationRecord[] = [
  {
    ...{ type: "operation.started", at: 1_000, tenantId: "default", by: "Ana", matched: 203, requestHash: "" },
    action: { type: "cancel", reason: "", compensate: false },
    target: { type: "runs", runIds: [] },
  },
  { type: "operation.advanced", ...PAGE, done: 199, failed: 1 },
  { type: "operation.canceling", at: 3_000, by: "Bo" },
  { type: "operation.advanced", ...PAGE, at: 3_500, done: 2, failed: 0 },
  { type: "operation.ended", at: 3_500, state: "CANCELED", problem: "" },
];

test("starts, ends, and runs of operations are counted as they become durable", async () => {
  const metrics = createMetrics();
  const observer = createOperationMetrics(metrics);
  const state = foldOperation("op~1", RECORDS);
  for (const record of RECORDS) observer.committed(state, [record]);
  observer.quarantined?.("op~2");
  observer.endedUnread("op~2");
  const lines = (await metrics.render()).split("\n").filter((line) => /^orchestrator_\w*operation/.test(line));
  expect(lines).toEqual(
    expect.arrayContaining([
      'orchestrator_operations_started_total{action="CANCEL"} 1',
      'orchestrator_operations_started_total{action="DELETE"} 0',
      'orchestrator_operations_ended_total{state="CANCELED"} 2',
      'orchestrator_operations_ended_total{state="COMPLETED"} 0',
      "orchestrator_quarantined_operations_total 1",
      'orchestrator_operation_runs_total{result="DONE"} 201',
      'orchestrator_operation_runs_total{result="FAILED"} 1',
    ]),
  );
});

test("the log says who started an operation and how it ended, as a warning when runs failed", () => {
  const lines: unknown[] = [];
  const write =
    (level: string) =>
    (message: string, fields: object = {}) => {
      lines.push([level, message, fields]);
    };
  const log = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  createOperationLog(log).committed(foldOperation("op~1", RECORDS), RECORDS);
  const place = { operationId: "op~1", tenantId: "default" };
  expect(lines).toEqual([
    ["info", "operation started", { ...place, action: "cancel", by: "Ana", matched: 203 }],
    ["info", "operation canceled", { ...place, by: "Bo" }],
    [
      "warn",
      "operation ended",
      { ...place, state: "CANCELED", done: 201, failed: 1, seconds: 2.5, problem: undefined },
    ],
  ]);
});
