/** Tasks that somebody ends in the place of their workers: CompleteTask and FailTask over gRPC, REST, and the CLI. */
import { expect, test } from "vitest";
import { RunEventKind } from "../../src/gen/orchestrator/v1/run_event_pb.ts";
import { RunState, TaskState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TaskReportOutcome } from "../../src/gen/orchestrator/v1/worker_pb.ts";
import { holdTasks } from "../support/held-tasks.ts";
import { runCommand } from "../support/run-command.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const output = (value: unknown) => ({ outputValue: { case: "outputJson" as const, value: json(value) } });

const FLOW = `  tasks:
    - {id: first, type: worker, parameters: {handler: hold}, retry_policy: {max_retries: 1, initial_delay: 0}}
    - {id: second, type: worker, depends_on: [first], parameters: {handler: hold}, on_error: continue}
    - {id: pause, type: signal, depends_on: [second], trigger_rule: all_done, parameters: {name: go}}
`;

test("somebody completes and fails tasks, with a reason and a name, and the worker is told to stop", {
  timeout: 60_000,
}, async () => {
  const bed = await openWorkerBed();
  const { client } = bed;
  const { completeTask, failTask, listRunEvents, signalRun, getRunTask } = RunService.method;
  await bed.register("told", FLOW);
  const runId = await bed.start("told");
  const worker = await holdTasks(client, ["hold"]);
  const held = await worker.next();
  await worker.report(held.taskToken, "acknowledged");

  // A failure is retried as the policy says.
  const failure = { runId, taskId: "first", errorType: "LOST", errorMessage: "it is gone", reason: "no sign of it" };
  const key = { requestId: "fail-1" };
  const { task: retried } = await client.call(failTask, { ...failure, ...key });
  expect(retried?.taskId).toBe("first");
  expect((await worker.nextCancellation()).taskToken).toBe(held.taskToken);
  expect(await worker.report(held.taskToken, "succeeded", output(1))).not.toMatchObject({
    outcome: TaskReportOutcome.ACCEPTED,
  });
  const again = await worker.next();
  expect(again.attempt).toBe(2);
  // The same call again changes nothing; another one with its id is refused.
  await client.call(failTask, { ...failure, ...key });
  await expect(client.call(failTask, { ...failure, ...key, errorType: "OTHER" })).rejects.toMatchObject({
    code: "REQUEST_ID_REUSED",
  });

  // Over REST, with a name.
  const url = `http://${bed.address}/v1/runs/${runId}/tasks/first:complete`;
  const post = (body: object) =>
    fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "x-orchestrator-actor": "ann" },
      body: JSON.stringify(body),
    });
  const completed = await post({ output: { paid: true }, reason: "paid by phone" });
  expect([completed.status, ((await completed.json()) as { task: object }).task]).toMatchObject([
    200,
    { taskId: "first", state: "TASK_STATE_COMPLETED" },
  ]);
  expect((await post({ output: { paid: true }, reason: "paid by phone" })).status).toBe(200);
  const other = await post({ output: { paid: false } });
  expect([other.status, await other.json()]).toMatchObject([
    409,
    { message: `task first of run ${runId} is COMPLETED: it has ended` },
  ]);
  expect((await worker.report(again.taskToken, "succeeded", output({ paid: true }))).outcome).toBe(
    TaskReportOutcome.ACCEPTED,
  );

  // In the terminal.
  await worker.next();
  const cli = ["--server", bed.address, "--by", "bob"];
  const ended = await runCommand(
    ["tasks", "fail", runId, "second", "--type", "GONE", "--final", "--reason", "lost", ...cli],
    ".",
    {},
  );
  expect([ended.code, ended.out]).toEqual([0, `second of ${runId} is FAILED\n`]);
  const refused = await runCommand(["tasks", "complete", runId, "pause", "--result", "1", ...cli], ".", {});
  expect(refused.err).toMatch(/task pause of run .* is WAITING:\s+only a task that a worker or a callback ends/);

  const { events } = await client.call(listRunEvents, { runId, pageSize: 100 });
  const told = events.flatMap(({ kind, taskId, detail }) => {
    if (detail.case !== "taskTransition" || detail.value.reason === "") return [];
    return [[kind, taskId, detail.value.actor, detail.value.reason]];
  });
  expect(told).toEqual([
    [RunEventKind.TASK_RETRYING, "first", "", "no sign of it"],
    [RunEventKind.TASK_COMPLETED, "first", "ann", "paid by phone"],
    [RunEventKind.TASK_FAILED, "second", "bob", "lost"],
  ]);
  const { task } = await client.call(getRunTask, { runId, taskId: "first" });
  expect(task?.state).toBe(TaskState.COMPLETED);

  for (const [taskId, code] of [
    ["nowhere", "RUN_TASK_NOT_FOUND"],
    ["first.0", "RUN_TASK_NOT_FOUND"],
    ["pause", "TASK_STATE_INVALID"],
  ] as const)
    await expect(client.call(completeTask, { runId, taskId }), taskId).rejects.toMatchObject({ code });
  await expect(client.call(completeTask, { runId: "none", taskId: "first" })).rejects.toMatchObject({
    code: "RUN_NOT_FOUND",
  });
  await client.call(signalRun, { runId, signalName: "go" });
  await bed.reaches(runId, RunState.COMPLETED);
  // Right after the end of the run as well.
  await client.call(completeTask, { runId, taskId: "first", ...output({ paid: true }) });
  await expect(client.call(failTask, { ...failure, errorType: "LATE" })).rejects.toMatchObject({
    code: "RUN_FINISHED",
  });
});

test("a task that nobody has taken is completed, and its row in the queue goes", { timeout: 60_000 }, async () => {
  const bed = await openWorkerBed();
  await bed.register("told", "  tasks:\n    - {id: only, type: worker, parameters: {handler: hold}}\n");
  const runId = await bed.start("told");
  await bed.client.call(RunService.method.completeTask, { runId, taskId: "only", ...output(3) });
  await bed.reaches(runId, RunState.COMPLETED);
  await bed.restart();
  // The next worker gets the next task, not that one.
  const next = await bed.start("told");
  const worker = await holdTasks(bed.client, ["hold"]);
  expect((await worker.next()).runId).toBe(next);
});
