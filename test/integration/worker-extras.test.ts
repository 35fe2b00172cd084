/** What workers say besides results: progress, log lines, checkpoints, and that the work goes on without them. */
import { expect, onTestFinished, test } from "vitest";
import { type RunEvent, RunEventKind } from "../../src/gen/orchestrator/v1/run_event_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TaskReportOutcome } from "../../src/gen/orchestrator/v1/worker_pb.ts";
import { WorkerService } from "../../src/gen/orchestrator/v1/worker_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { holdTasks } from "../support/held-tasks.ts";
import { runCommand } from "../support/run-command.ts";
import { openWorkerBed, type WorkerBed } from "../support/worker-service.ts";

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const output = (value: unknown) => ({ outputValue: { case: "outputJson", value: json(value) } });

const ONE = `  tasks:
    - {id: only, type: worker, parameters: {handler: hold}}
`;

/** Reads a watch of a run with notes until the test ends. */
function watch({ client }: WorkerBed, runId: string) {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const notes: RunEvent[] = [];
  let lost = 0;
  let isOpen = false;
  const read = async (): Promise<void> => {
    const request = { runId, includeEphemeral: true };
    for await (const { frame } of client.stream(RunService.method.watchRun, request, { signal: stop.signal })) {
      isOpen = true;
      if (frame.case === "event" && !frame.value.durable) notes.push(frame.value);
      if (frame.case === "gap") lost += frame.value.lostCount;
    }
  };
  read().catch(() => {});
  return { notes, lost: () => lost, opened: () => eventually(() => expect(isOpen).toBe(true)) };
}

test("progress and log lines reach those who watch, in order, and are not stored", { timeout: 60_000 }, async () => {
  const bed = await openWorkerBed();
  await bed.register("one", ONE);
  const runId = await bed.start("one");
  const seen = watch(bed, runId);
  await seen.opened();
  const command = runCommand(["runs", "watch", runId, "--server", bed.address], ".", {});
  await eventually(async () => {
    const metrics = await (await fetch(`http://127.0.0.1:${bed.service().metricsPort}/metrics`)).text();
    expect(metrics).toMatch(/orchestrator_watch_streams 2/);
  });
  const worker = await holdTasks(bed.client, ["hold"]);
  const { taskToken } = await worker.next();
  const good: [string, object][] = [
    ["progress", { fraction: 0.25, message: "a quarter" }],
    ["progress", { current: 3, total: 4 }],
    ["log", { level: 3, text: "hot\u001b[31m" }],
    ["log", { text: "" }],
  ];
  for (const [kind, value] of good)
    expect((await worker.report(taskToken, kind, value)).outcome).toBe(TaskReportOutcome.ACCEPTED);
  await eventually(() => expect(seen.notes).toHaveLength(4));
  expect(seen.notes.map(({ detail }) => detail)).toMatchObject([
    { case: "progress", value: { fraction: 0.25, message: "a quarter" } },
    { case: "progress", value: { current: 3, total: 4 } },
    { case: "log", value: { level: 3, message: "hot\u001b[31m" } },
    { case: "log", value: { level: 2, message: "" } },
  ]);
  expect(seen.notes[0]).toMatchObject({ runId, taskId: "only", attempt: 1, sequence: 0, durable: false, kind: 0 });
  for (const [kind, value] of [
    ["progress", { fraction: 1.5 }],
    ["progress", { fraction: Number.NaN }],
    ["progress", { current: -1 }],
    ["log", { level: 17 }],
    ["log", { text: "x".repeat(5_000) }],
    ["log", { text: "a\u0000" }],
  ] as const) {
    const { outcome } = await worker.report(taskToken, kind, value);
    expect(outcome, JSON.stringify(value).slice(0, 60)).toBe(TaskReportOutcome.REFUSED);
  }
  await worker.report(taskToken, "succeeded", output(1));
  await bed.reaches(runId, RunState.COMPLETED);
  expect((await worker.report(taskToken, "progress", { fraction: 1 })).outcome).toBe(TaskReportOutcome.OUTDATED);
  const { events } = await bed.client.call(RunService.method.listRunEvents, { runId, pageSize: 100 });
  expect(events.every(({ durable }) => durable)).toBe(true);
  const printed = (await command).err;
  expect(printed).toMatch(/only {2}25 % {2}a quarter/);
  expect(printed).toMatch(/only {2}3 of 4/);
  expect(printed).toMatch(/only {2}WARN {2}hot/);
  expect(printed).not.toContain("\u001b[31m");
});

test("a flood of notes is cut, shows as a gap, and keeps nobody else waiting", { timeout: 60_000 }, async () => {
  const bed = await openWorkerBed();
  await bed.register("one", ONE);
  const runId = await bed.start("one");
  const seen = watch(bed, runId);
  await seen.opened();
  const worker = await holdTasks(bed.client, ["hold"]);
  const { taskToken } = await worker.next();
  const event = { case: "log" as const, value: { level: 2, text: "x".repeat(1_000) } };
  const reports = Array.from({ length: 1_000 }, () => ({ taskToken, event }));
  const sendMany = () =>
    bed.client.call(WorkerService.method.reportTasks, { sessionId: worker.sessionId, reports } as never);
  for (let round = 0; round < 3; round += 1) await sendMany();
  const other = await bed.start("one");
  await worker.report((await worker.next()).taskToken, "succeeded", output(2));
  await bed.reaches(other, RunState.COMPLETED);
  await worker.report(taskToken, "succeeded", output(1));
  await eventually(() => expect(seen.notes.length + seen.lost()).toBe(3_000));
  expect(seen.notes.length).toBeGreaterThanOrEqual(50);
  expect(seen.lost()).toBeGreaterThan(2_000);
});

test("the last checkpoint goes to the next attempt, across a kill -9 of the service and of the worker", {
  timeout: 90_000,
}, async () => {
  const bed = await openWorkerBed({ ORCHESTRATOR_WORKERS_SESSION_TIMEOUT: "2s" });
  await bed.register(
    "one",
    `  tasks:
    - {id: only, type: worker, parameters: {handler: hold}, retry_policy: {max_retries: 1, initial_delay: 0}}
`,
  );
  const runId = await bed.start("one");
  const first = await holdTasks(bed.client, ["hold"]);
  const task = await first.next();
  expect(task.checkpointJson).toHaveLength(0);
  for (let row = 1; row <= 20; row += 1)
    expect((await first.report(task.taskToken, "checkpoint", { checkpointJson: json({ row }) })).outcome).toBe(
      TaskReportOutcome.ACCEPTED,
    );
  const written = async () => {
    const { events } = await bed.client.call(RunService.method.listRunEvents, { runId, pageSize: 100 });
    return events.filter(({ kind }) => kind === RunEventKind.TASK_CHECKPOINTED);
  };
  await eventually(async () => expect((await written()).length).toBeGreaterThan(0));
  // Twenty within a moment are not twenty records.
  expect((await written()).length).toBeLessThan(4);
  const large = await first.report(task.taskToken, "checkpoint", { checkpointJson: json(`${"x".repeat(65_000)}`) });
  expect(large.outcome).toBe(TaskReportOutcome.ACCEPTED);
  for (const wrong of ["", "{", '{"a":1,"a":2}', "\u0000", "[".repeat(5_000)]) {
    const report = first.report(task.taskToken, "checkpoint", { checkpointJson: new TextEncoder().encode(wrong) });
    expect(await report, wrong.slice(0, 20)).toMatchObject({
      outcome: TaskReportOutcome.REFUSED,
      message: expect.stringContaining("checkpoint_json"),
    });
  }
  await first.report(task.taskToken, "checkpoint", { checkpointJson: new TextEncoder().encode('{"row": 21.0}') });
  await eventually(async () => expect((await written()).at(-1)?.attributes).toEqual({ characters: 13 }));
  // The service dies, and the worker does not come back.
  first.close();
  await bed.restart();
  const second = await holdTasks(bed.client, ["hold"]);
  // Its session is as short as that of the worker that is lost.
  const beats = setInterval(() => {
    // A beat that fails shows as a task that does not come.
    bed.client.call(WorkerService.method.reportTasks, { sessionId: second.sessionId }).catch(() => {});
  }, 300);
  onTestFinished(() => clearInterval(beats));
  const again = await second.next();
  expect([again.attempt, text(again.checkpointJson)]).toEqual([1, '{"row": 21.0}']);
  // What an attempt saved right before it failed is there for the next one.
  await second.report(again.taskToken, "checkpoint", { checkpointJson: json({ row: 22 }) });
  await second.report(again.taskToken, "failed", { type: "BUSY" });
  const last = await second.next();
  expect([last.attempt, text(last.checkpointJson)]).toEqual([2, '{"row":22}']);
  await second.report(last.taskToken, "succeeded", output("done"));
  await bed.reaches(runId, RunState.COMPLETED);
});

test("a detached task frees its slot, outlives its worker and its instance, and ends by a report of anybody", {
  timeout: 90_000,
}, async () => {
  const bed = await openWorkerBed({ ORCHESTRATOR_WORKERS_SESSION_TIMEOUT: "1s" });
  await bed.register("one", ONE);
  await bed.register(
    "beating",
    `  tasks:
    - {id: only, type: worker, parameters: {handler: hold}, heartbeat_timeout: 1s}
`,
  );
  const runId = await bed.start("one");
  const worker = await holdTasks(bed.client, ["hold"], 1);
  const { taskToken } = await worker.next();
  const kindsOf = async (id: string) => {
    const { events } = await bed.client.call(RunService.method.listRunEvents, { runId: id, pageSize: 100 });
    return events.map(({ kind }) => kind).slice(1);
  };
  expect((await worker.report(taskToken, "detached")).outcome).toBe(TaskReportOutcome.ACCEPTED);
  expect((await worker.report(taskToken, "detached")).outcome).toBe(TaskReportOutcome.ACCEPTED);
  const beating = await bed.start("beating");
  // Its only slot is free again.
  const beat = await worker.next();
  await worker.report(beat.taskToken, "detached");
  // A witness that is not detached: it is lost with the worker.
  const witness = await bed.start("one");
  await worker.report((await worker.next()).taskToken, "acknowledged");
  worker.close();
  await bed.restart();
  const failed = await bed.reaches(beating, RunState.FAILED);
  expect(failed.error?.type).toBe("HEARTBEAT_TIMEOUT");
  await eventually(async () => expect(await kindsOf(witness)).toContain(RunEventKind.TASK_RETURNED));
  const { TASK_SCHEDULED, TASK_DISPATCHED, TASK_STARTED, TASK_DETACHED } = RunEventKind;
  expect(await kindsOf(runId)).toEqual([TASK_SCHEDULED, TASK_DISPATCHED, TASK_STARTED, TASK_DETACHED]);
  expect((await worker.report(taskToken, "progress", { fraction: 0.5 })).outcome).toBe(TaskReportOutcome.ACCEPTED);
  expect((await worker.report(taskToken, "succeeded", output(7))).outcome).toBe(TaskReportOutcome.ACCEPTED);
  await bed.reaches(runId, RunState.COMPLETED);
  expect(await bed.outputOf(runId)).toEqual({ only: 7 });
});
