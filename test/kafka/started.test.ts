/** Executors that say when they begin: from then on the time of the attempt counts, not the time in the topic. */
import { randomUUID } from "node:crypto";
import { afterAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { createTopics } from "../support/kafka-broker.ts";
import { flowRunRequest, openKafkaService } from "../support/kafka-service.ts";

const service = await openKafkaService();
afterAll(() => service.close());

const WAIT = { timeoutMs: 30_000 };

async function attemptOf(runId: string): Promise<object | undefined> {
  const { rows } = await service.database.reads.query<{ status: string; attempts: number }>(
    "SELECT status, attempts, error_message FROM public.task_execution_history WHERE run_id = $1",
    [runId],
  );
  return rows[0];
}

const never = (): Promise<never> => new Promise(() => {});

test("an attempt that has begun ends when its time is over; what is late or foreign changes nothing", async () => {
  const { output, metricsPort, port } = await service.serve();
  const runId = randomUUID();
  const executor = await service.execute(new Set([runId]), never);
  const task = { id: "slow", type: "queue", timeout: 2, parameters: { handler: "h" } };
  const retry_policy = { max_retries: 1, backoff_type: "fixed", initial_delay: 0 };
  await service.send("flow_runs", flowRunRequest(runId, [{ ...task, retry_policy }]));
  await eventually(() => expect(executor.taken).toHaveLength(1), WAIT);
  // The topic need not exist, and nobody is told that it does not.
  expect(output()).not.toContain("task_started");
  await createTopics(service.broker, [`${service.prefix}task_started`]);
  const { task_id, attempt, fencing_token } = executor.taken[0] ?? expect.unreachable();
  const started = { event_type: "task_started", run_id: runId, task_id, attempt, fencing_token };
  await service.send("task_started", { ...started, fencing_token: 1 }, started, started);
  await eventually(async () => expect(await attemptOf(runId)).toMatchObject({ status: "RUNNING", attempts: 1 }), WAIT);
  const diagnosis = await (await fetch(`http://127.0.0.1:${port}/v1/runs/${runId}:diagnose`)).json();
  expect(diagnosis).toMatchObject({
    findings: [
      {
        message: expect.stringMatching(
          /^attempt 1 is under way at an executor of topic task_queue; its time ends at 20/,
        ),
        method: "RunService.CompleteTask",
      },
    ],
  });
  await eventually(() => expect(executor.taken).toHaveLength(2), WAIT);
  // It began anew in the topic: the first attempt is over, and so is what is said of it.
  await service.send("task_started", started, { run_id: runId, task_id: "other" }, { run_id: randomUUID(), task_id });
  const letters = "SELECT 1 FROM orchestrator.rejected_messages WHERE reason = 'UNKNOWN_TASK'";
  await eventually(async () => expect((await service.database.reads.query(letters)).rows).toHaveLength(2), WAIT);
  expect(await attemptOf(runId)).toMatchObject({
    ...{ status: "SCHEDULED", attempts: 2, error_message: "the attempt did not end in time" },
  });
  await service.send("task_done", { run_id: runId, task_id, output: 1, attempt: 1 });
  await service.untilCompleted([runId]);
  const ignored = /orchestrator_kafka_ignored_answers_total\{reason="OTHER_ATTEMPT"\} 2/;
  expect(await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()).toMatch(ignored);
});

test("an answer whose work began before its task is counted and told, unless it says which attempt it is for", async () => {
  const { output, metricsPort } = await service.serve();
  const runId = randomUUID();
  const executor = await service.execute(new Set([runId]), never);
  await service.send("flow_runs", flowRunRequest(runId, [{ id: "a", type: "queue", parameters: { handler: "h" } }]));
  await eventually(() => expect(executor.taken).toHaveLength(1), WAIT);
  const answer = { run_id: runId, task_id: "a", output: 1, execution_time_ms: 1e300 };
  await service.send("task_done", answer);
  await eventually(() => expect(output()).toMatch(/an answer changes nothing: its time less execution_time_ms/), WAIT);
  expect(output()).toMatch(/"task":"a"|task=a/);
  const ignored = /orchestrator_kafka_ignored_answers_total\{reason="BEFORE_ATTEMPT"\} 1/;
  expect(await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()).toMatch(ignored);
  expect(await service.statesOf([runId])).not.toHaveProperty("COMPLETED");
  await service.send("task_done", { ...answer, attempt: 0 });
  await service.untilCompleted([runId]);
});

test("an executor that has begun may answer without naming the attempt, and count its time from before that", async () => {
  await service.serve();
  const runId = randomUUID();
  const executor = await service.execute(new Set([runId]), never);
  await service.send("flow_runs", flowRunRequest(runId, [{ id: "a", type: "queue", parameters: { handler: "h" } }]));
  await eventually(() => expect(executor.taken).toHaveLength(1), WAIT);
  const takenAt = Date.now();
  await eventually(() => expect(Date.now() - takenAt).toBeGreaterThan(2_000), WAIT);
  await service.send("task_started", { run_id: runId, task_id: "a" });
  await eventually(async () => expect(await attemptOf(runId)).toMatchObject({ status: "RUNNING" }), WAIT);
  await service.send("task_done", { run_id: runId, task_id: "a", output: 1, execution_time_ms: Date.now() - takenAt });
  await service.untilCompleted([runId]);
});
