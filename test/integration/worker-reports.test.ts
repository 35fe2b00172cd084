/** What reports of workers are answered, over gRPC. */
import { expect, test } from "vitest";
import { RunState, TaskState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TaskReportOutcome } from "../../src/gen/orchestrator/v1/worker_pb.ts";
import { WorkerService } from "../../src/gen/orchestrator/v1/worker_service_pb.ts";
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

test("a report that breaks a rule is refused, the other reports of its call count, and no task waits for it", {
  timeout: 60_000,
}, async () => {
  const bed = await openWorkerBed();
  const handlers = ["good", "bad", "large"];
  const tasks = handlers.map((name) => `    - {id: ${name}, type: worker, parameters: {handler: ${name}}}`);
  await bed.register("mixed", `  tasks:\n${tasks.join("\n")}\n`);
  const runId = await bed.start("mixed");
  const worker = await holdTasks(bed.client, handlers);
  const tokens = new Map<string, string>();
  for (const _ of handlers) {
    const { handler, taskToken } = await worker.next();
    tokens.set(handler, taskToken);
  }
  const [good, bad, large] = handlers.map((name) => tokens.get(name) ?? "");
  const reports = [
    { taskToken: good, event: { case: "progress", value: { fraction: 2 } } },
    { taskToken: good, event: { case: "log", value: { text: "x".repeat(5_000) } } },
    { taskToken: "", event: { case: "alive", value: {} } },
    { taskToken: "x".repeat(300), event: { case: "alive", value: {} } },
    { taskToken: bad, event: { case: "failed", value: { type: "", message: "no" } } },
    {
      taskToken: large,
      event: { case: "failed", value: { type: "T", message: "x".repeat(9_000), nonRetryable: true } },
    },
    { taskToken: good, event: { case: "succeeded", value: output(1) } },
  ];
  const { sessionId } = worker;
  const { results } = await bed.client.call(WorkerService.method.reportTasks, { sessionId, reports } as never);
  const { ACCEPTED, REFUSED, UNKNOWN } = TaskReportOutcome;
  expect(results.map(({ outcome }) => outcome)).toEqual([
    ...[REFUSED, REFUSED, UNKNOWN, UNKNOWN, REFUSED, REFUSED, ACCEPTED],
  ]);
  expect(results.map(({ message }) => message)).toMatchObject([
    "progress.fraction: is 2; expected a number from 0 to 1",
    "log.text: has 5000 characters; the limit is 4096",
    ...[expect.anything(), expect.anything()],
    "failed.type: must not be empty",
    "failed.message: has 9000 characters; the limit is 8192",
    "",
  ]);
  await bed.reaches(runId, RunState.FAILED);
  const { tasks: ended } = await bed.client.call(RunService.method.listRunTasks, { runId });
  const stateOf = (id: string) => ended.find(({ taskId }) => taskId === id);
  expect(stateOf("good")).toMatchObject({ state: TaskState.COMPLETED });
  for (const id of ["bad", "large"])
    expect(stateOf(id)).toMatchObject({ state: TaskState.FAILED, error: { type: "WORKER_RESULT_INVALID" } });
});
