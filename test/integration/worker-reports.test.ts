/** What reports of workers are answered, over gRPC. */
import { expect, test } from "vitest";
import { RunState, TaskState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { TaskReportOutcome } from "../../src/gen/orchestrator/v1/worker_pb.ts";
import { holdTasks } from "../support/held-tasks.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const output = (value: unknown) => ({
  outputValue: { case: "outputJson", value: new TextEncoder().encode(JSON.stringify(value)) },
});

test("a report after the end of the attempt learns what stands, and all of them are counted", {
  timeout: 60_000,
}, async () => {
  const bed = await openWorkerBed();
  await bed.register(
    "once",
    `  tasks:
    - {id: good, type: worker, parameters: {handler: hold}}
    - {id: bad, type: worker, depends_on: [good], parameters: {handler: hold}, on_error: continue,
       retry_policy: {max_retries: 1, initial_delay: 0}}
`,
  );
  const runId = await bed.start("once");
  const worker = await holdTasks(bed.client, ["hold"]);
  const good = (await worker.next()).taskToken;
  await worker.report(good, "succeeded", output([1]));
  expect(await worker.report(good, "succeeded", output([1]))).toMatchObject({ outcome: TaskReportOutcome.ACCEPTED });
  expect(await worker.report(good, "succeeded", output([2]))).toMatchObject({
    outcome: TaskReportOutcome.ALREADY_REPORTED,
    message: "the task is COMPLETED: the attempt has ended",
    taskState: TaskState.COMPLETED,
    outputType: "array",
  });
  expect((await worker.report(good, "failed", { type: "NO" })).outcome).toBe(TaskReportOutcome.ALREADY_REPORTED);

  const first = (await worker.next()).taskToken;
  // What is stored of the message is shorter; the report counts.
  const busy = await worker.report(first, "failed", { type: "BUSY", message: "later".repeat(1_000) });
  expect(busy).toMatchObject({ outcome: TaskReportOutcome.ACCEPTED });
  const second = (await worker.next()).taskToken;
  expect((await worker.report(first, "succeeded", output(1))).outcome).toBe(TaskReportOutcome.OUTDATED);
  await worker.report(second, "failed", { type: "BROKEN", message: "for good", nonRetryable: true });
  const late = await worker.report(second, "succeeded", output(1));
  expect(late).toMatchObject({
    outcome: TaskReportOutcome.ALREADY_REPORTED,
    taskState: TaskState.FAILED,
    outputType: "",
    taskError: { type: "BROKEN", message: "for good", retryable: false },
  });
  const text = second.slice(0, -1);
  for (const token of [text, `${second}A`, "x", `${second}=`, "a".repeat(256)])
    expect((await worker.report(token, "succeeded")).outcome, token).toBe(TaskReportOutcome.UNKNOWN);
  await bed.reaches(runId, RunState.COMPLETED);

  const metrics = await (await fetch(`http://127.0.0.1:${bed.service().metricsPort}/metrics`)).text();
  const countOf = (outcome: string) =>
    Number(new RegExp(`orchestrator_task_reports_total{outcome="${outcome}"} (\\d+)`).exec(metrics)?.[1]);
  expect({ already: countOf("ALREADY_REPORTED"), outdated: countOf("OUTDATED"), unknown: countOf("UNKNOWN") }).toEqual({
    already: 3,
    outdated: 1,
    unknown: 5,
  });
});
