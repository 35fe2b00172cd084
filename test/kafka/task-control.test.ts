/**
 * Executors are told on `task_control`, if it is switched on, of attempts that are over though they have not answered.
 */
import { randomUUID } from "node:crypto";
import { Consumer, stringDeserializers } from "@platformatic/kafka";
import { afterAll, expect, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { startExecutor } from "../support/executor.ts";
import { createTopics } from "../support/kafka-broker.ts";
import { flowRunRequest, openKafkaService } from "../support/kafka-service.ts";

const service = await openKafkaService();
await createTopics(service.broker, [`${service.prefix}task_control`]);
const told: Record<string, unknown>[] = [];
const consumer = new Consumer({
  clientId: "controls",
  groupId: `${service.prefix}controls`,
  bootstrapBrokers: [service.broker],
  deserializers: stringDeserializers,
});
const stream = await consumer.consume({ topics: [`${service.prefix}task_control`], mode: "earliest" });
stream.on("data", ({ key, value }) => told.push({ key, ...(JSON.parse(value) as object) }));
afterAll(async () => {
  await executor.stop();
  await stream.close();
  await consumer.close(true);
  await service.close();
});

const WAIT = { timeoutMs: 30_000 };
const ON = { ORCHESTRATOR_KAFKA_TASK_CONTROL: "true" };
const answers = new Set<string>();
const executor = await startExecutor(service.broker, service.prefix, ({ run_id, task_id }) =>
  answers.has(`${run_id}/${task_id}`) ? Promise.resolve("done") : new Promise(() => {}),
);
const task = (id: string, more: object = {}) => ({ id, type: "queue", parameters: { handler: `do-${id}` }, ...more });
const toldOf = (runId: string) => told.filter(({ run_id }) => run_id === runId);
/** What was told of a run, in its order. */
const wordsOf = (runId: string) =>
  toldOf(runId).map(({ task_id, attempt, reason, message }) => [task_id, attempt, reason, message]);

/** A run of these tasks at the executor, which answers those in `answered` and holds the others. */
async function hold(tasks: readonly object[], answered: readonly string[] = [], more: object = {}) {
  const runId = randomUUID();
  for (const id of answered) answers.add(`${runId}/${id}`);
  await service.send("flow_runs", { ...flowRunRequest(runId, tasks), ...more });
  const taken = () => executor.taken.filter(({ run_id }) => run_id === runId);
  await eventually(() => expect(taken().length).toBeGreaterThanOrEqual(tasks.length), WAIT);
  return { runId, taken };
}

/** A run that comes to its end; what it tells is told after everything that came before. */
async function passMark(): Promise<void> {
  const { runId } = await hold([task("mark", { timeout: 0.1, schedule_to_start_timeout: 0.1 })]);
  await eventually(() => expect(toldOf(runId)).toHaveLength(1), WAIT);
}

test("cancel and terminate tell whoever has a task of the run, and nobody who has answered", async () => {
  const { address } = await service.serve(ON);
  const client = openGrpcClient({ address });
  const tasks = [task("a"), task("b"), task("c")];
  const canceled = await hold(tasks, ["b"], { correlation_id: "case-7" });
  await eventually(async () => {
    const statuses =
      "SELECT task_id, status FROM public.task_execution_history WHERE run_id = $1 AND status = 'COMPLETED'";
    const { rows } = await service.database.reads.query(statuses, [canceled.runId]);
    expect(rows).toEqual([{ task_id: "b", status: "COMPLETED" }]);
  }, WAIT);
  await client.call(RunService.method.cancelRun, { runId: canceled.runId, reason: "not needed" });
  await eventually(() => expect(toldOf(canceled.runId)).toHaveLength(2), WAIT);
  const { runId } = canceled;
  const tokenOf = (id: string) => canceled.taken().find(({ task_id }) => task_id === id)?.fencing_token;
  const common = {
    ...{ key: runId, event_type: "task_canceled", run_id: runId, attempt: 0, topic: `${service.prefix}task_queue` },
    ...{ reason: "RUN_CANCELED", message: "not needed", correlation_id: "case-7", tenant_id: "default" },
  };
  expect(toldOf(runId)).toEqual([
    { ...common, task_id: "a", handler: "do-a", fencing_token: tokenOf("a") },
    { ...common, task_id: "c", handler: "do-c", fencing_token: tokenOf("c") },
  ]);
  // Until the attempt is given up, an answer counts.
  await service.send("task_done", { run_id: runId, task_id: "a", output: 1 }, { run_id: runId, task_id: "c" });
  await eventually(async () => expect(await service.statesOf([runId])).toEqual({ CANCELED: 1 }), WAIT);

  const both = await hold([task("a"), task("b")]);
  await client.call(RunService.method.cancelRun, { runId: both.runId, reason: "stop" });
  await client.call(RunService.method.terminateRun, { runId: both.runId, reason: "at once" });
  await eventually(() => expect(toldOf(both.runId)).toHaveLength(4), WAIT);
  expect(wordsOf(both.runId)).toEqual([
    ["a", 0, "RUN_CANCELED", "stop"],
    ["b", 0, "RUN_CANCELED", "stop"],
    ["a", 0, "RUN_TERMINATED", "at once"],
    ["b", 0, "RUN_TERMINATED", "at once"],
  ]);
  await passMark();
  expect(toldOf(runId)).toHaveLength(2);
  await client.close();
});

test("an attempt that is out of time is told, and so is one that a call ends; the next attempt is not", async () => {
  const { address } = await service.serve(ON);
  const client = openGrpcClient({ address });
  const limits = { timeout: 0.5, schedule_to_start_timeout: 0.5 };
  const retry_policy = { max_retries: 1, backoff_type: "fixed", initial_delay: 0 };
  const { runId, taken } = await hold([task("slow", { ...limits, retry_policy, on_error: "continue" })]);
  await eventually(() => expect(toldOf(runId)).toHaveLength(2), WAIT);
  expect(wordsOf(runId)).toEqual([
    ["slow", 0, "TIMEOUT", "no answer came in time"],
    ["slow", 1, "TIMEOUT", "no answer came in time"],
  ]);
  expect(toldOf(runId).map(({ fencing_token }) => fencing_token)).toEqual(taken().map((one) => one.fencing_token));
  await service.untilCompleted([runId]);

  const ended = await hold([task("a"), task("b", { retry_policy })]);
  const why = { runId: ended.runId, reason: "done by hand" };
  await client.call(RunService.method.completeTask, { ...why, taskId: "a" });
  await client.call(RunService.method.failTask, { ...why, taskId: "b", errorType: "NO" });
  await eventually(() => expect(toldOf(ended.runId)).toHaveLength(2), WAIT);
  expect(wordsOf(ended.runId)).toEqual([
    ["a", 0, "ENDED_BY_CALL", "done by hand"],
    ["b", 0, "ENDED_BY_CALL", "done by hand"],
  ]);
  await eventually(() => expect(ended.taken()).toHaveLength(3), WAIT);
  await service.send("task_done", { run_id: ended.runId, task_id: "b", output: 1, attempt: 1 });
  await service.untilCompleted([ended.runId]);
  await passMark();
  expect(toldOf(ended.runId)).toHaveLength(2);
  await client.close();
});

test("the end of a run that is out of time, or has failed, is told; a run that completes tells nothing", async () => {
  await service.serve(ON);
  const workflow = (tasks: readonly object[], more: object) => ({
    flow_definition: { name: "Flow", workflow: { ...more, tasks } },
  });
  const late = [task("a")];
  const timedOut = await hold(late, [], workflow(late, { timeout: 2 }));
  await eventually(() => expect(toldOf(timedOut.runId)).toHaveLength(1), WAIT);
  expect(wordsOf(timedOut.runId)).toEqual([["a", 0, "RUN_TIMED_OUT", "the run did not end before its deadline"]]);
  const two = [task("a"), task("b")];
  const failed = await hold(two, [], workflow(two, { fail_fast: true }));
  const error = { type: "BROKEN", message: "no", retryable: false };
  await service.send("task_failed", { run_id: failed.runId, task_id: "a", error });
  await eventually(() => expect(toldOf(failed.runId)).toHaveLength(1), WAIT);
  expect(wordsOf(failed.runId)).toEqual([["b", 0, "RUN_FAILED", "no"]]);
  const good = await hold(two, ["a", "b"]);
  await service.untilCompleted([good.runId]);
  await passMark();
  expect(toldOf(good.runId)).toEqual([]);
});

// Cause: a run that ends without a call of its own, or while it is held, would leave its executors at work.
test("the end of a parent run, and of a paused one, is told, whether it is terminated or out of time", async () => {
  const { address } = await service.serve(ON);
  const client = openGrpcClient({ address });
  const child = `{id: child, version: "1", workflow: {tasks: [{id: a, type: queue, parameters: {handler: do-a}}]}}`;
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: child } });
  const parent = (timeout: number) => ({
    flow_definition: {
      name: "Parent",
      workflow: { timeout, tasks: [{ id: "sub", type: "subflow", parameters: { flow_id: "child" } }] },
    },
  });
  /** A run whose child run has its task at the executor; returns the ids of both. */
  const holdChild = async (timeout: number): Promise<readonly [string, string]> => {
    const runId = randomUUID();
    const before = executor.taken.length;
    await service.send("flow_runs", { ...flowRunRequest(runId, []), ...parent(timeout) });
    const ofChild = () => executor.taken.slice(before).find(({ run_id }) => run_id.startsWith(runId));
    await eventually(() => expect(ofChild()).toBeDefined(), WAIT);
    return [runId, ofChild()?.run_id ?? ""];
  };
  const [, late] = await holdChild(2);
  await eventually(() => expect(wordsOf(late).map(([task, , reason]) => [task, reason])).toHaveLength(1), WAIT);
  expect(wordsOf(late)).toMatchObject([["a", 0, "RUN_CANCELED", expect.any(String)]]);
  const [killed, ofKilled] = await holdChild(600);
  await client.call(RunService.method.terminateRun, { runId: killed, reason: "at once" });
  await eventually(() => expect(toldOf(ofKilled)).not.toEqual([]), WAIT);
  expect(toldOf(ofKilled)[0]).toMatchObject({ task_id: "a", attempt: 0 });

  const paused = await hold([task("a")], [], {
    flow_definition: { name: "Flow", workflow: { timeout: 4, tasks: [task("a")] } },
  });
  await client.call(RunService.method.pauseRun, { runId: paused.runId, reason: "look" });
  await eventually(() => expect(toldOf(paused.runId)).toHaveLength(1), WAIT);
  expect(wordsOf(paused.runId)).toMatchObject([["a", 0, "RUN_TIMED_OUT", expect.any(String)]]);
  const ended = await hold([task("a")]);
  await client.call(RunService.method.pauseRun, { runId: ended.runId, reason: "look" });
  await client.call(RunService.method.terminateRun, { runId: ended.runId, reason: "no more" });
  await eventually(() => expect(toldOf(ended.runId)).toHaveLength(1), WAIT);
  expect(wordsOf(ended.runId)).toEqual([["a", 0, "RUN_TERMINATED", "no more"]]);
  await client.close();
});

test("what is told outlives the run that is deleted while the broker is away", async () => {
  const { address } = await service.serve({ ...ON, ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS: "127.0.0.1:1" });
  const client = openGrpcClient({ address });
  const source = `{id: held, version: "1", workflow: {tasks: [{id: a, type: queue, parameters: {handler: h}}]}}`;
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: source } });
  const runId = randomUUID();
  await client.call(RunService.method.startRun, { flowId: "held", runId });
  await client.call(RunService.method.terminateRun, { runId, reason: "away" });
  await client.call(RunService.method.deleteRun, { runId });
  const { rows } = await service.database.reads.query<{ kind: string; topic: string }>(
    "SELECT kind, topic FROM orchestrator.outbox WHERE run_id = $1",
    [runId],
  );
  expect(rows).toEqual([{ kind: "control", topic: "task_control" }]);
  await client.close();
});

test("nothing is told unless it is switched on", async () => {
  const { address } = await service.serve();
  const client = openGrpcClient({ address });
  const { runId } = await hold([task("a")]);
  await client.call(RunService.method.terminateRun, { runId, reason: "silent" });
  const { rows } = await service.database.reads.query("SELECT 1 FROM orchestrator.outbox WHERE run_id = $1", [runId]);
  expect(rows).toEqual([]);
  expect(toldOf(runId)).toEqual([]);
  await client.close();
});
