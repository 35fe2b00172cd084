/** The topic of dead letters: tasks that used up their attempts, and messages that can never be applied. */
import { randomUUID } from "node:crypto";
import { Consumer, stringDeserializers } from "@platformatic/kafka";
import { afterAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { createTopics } from "../support/kafka-broker.ts";
import { flowRunRequest, openKafkaService } from "../support/kafka-service.ts";

const service = await openKafkaService();
const letters: Record<string, unknown>[] = [];
const consumer = new Consumer({
  clientId: "dead-letters",
  groupId: `${service.prefix}dead_letters`,
  bootstrapBrokers: [service.broker],
  deserializers: stringDeserializers,
});
const stream = await consumer.consume({ topics: [`${service.prefix}dead_letter_queue`], mode: "earliest" });
stream.on("data", ({ value }: { readonly value: string }) => letters.push(JSON.parse(value)));
afterAll(async () => {
  await stream.close();
  await consumer.close(true);
  await service.close();
});

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
const WAIT = { timeoutMs: 30_000 };

const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64");

async function getJson(url: string): Promise<Record<string, unknown>> {
  return (await (await fetch(url)).json()) as Record<string, unknown>;
}

test("a task that has used up its attempts is told with its whole story", async () => {
  await service.serve();
  const runId = randomUUID();
  await service.execute(new Set([runId]), ({ attempt }) =>
    Promise.reject({ message: `no ${attempt}`, details: { attempt } }),
  );
  const work = { id: "work", type: "queue", parameters: { handler: "enrich", inputs: { n: "${n}" } } };
  const retry_policy = { max_retries: 2, backoff_type: "fixed", initial_delay: 0 };
  await service.send("flow_runs", {
    ...flowRunRequest(runId, [{ ...work, retry_policy }], { n: 7 }),
    flow_definition: { name: "F", variables: [{ name: "n" }], workflow: { tasks: [{ ...work, retry_policy }] } },
    user_id: "ann",
    trace: "t-1",
  });
  const ofRun = () => letters.filter(({ run_id }) => run_id === runId);
  await eventually(() => expect(ofRun()).toHaveLength(1), WAIT);
  const error = (attempt: number) => ({
    ...{ attempt, error_type: "EXECUTOR_FAILED", error: `no ${attempt}`, failed_at: TIME },
  });
  expect(ofRun()).toEqual([
    {
      ...{ event_type: "task_dead_lettered", run_id: runId, task_id: "work", flow_id: "flow", handler: "enrich" },
      flow_version: expect.stringMatching(/^inline-[0-9a-f]{12}$/),
      ...{ tenant_id: "default", user_id: "ann", correlation_id: runId, execution_context: { trace: "t-1" } },
      ...{ inputs: { n: 7 }, attempts: 3, errors: [error(0), error(1), error(2)] },
      ...{ error_type: "EXECUTOR_FAILED", error: "no 2", error_details: { attempt: 2 } },
      reason: "ATTEMPTS_EXHAUSTED",
      ...{ scheduled_at: TIME, failed_at: TIME },
    },
  ]);
});

test("a message with a run id that cannot begin gives a run that has failed, and a dead letter", async () => {
  const { port } = await service.serve();
  const unknown = {
    ...flowRunRequest(randomUUID(), []),
    flow_definition: undefined,
    flow_id: "nobody",
    input: { n: 1 },
  };
  const invalid = flowRunRequest(randomUUID(), [{ id: "a", type: "queue", parameters: {}, depends_on: ["b"] }]);
  const long = {
    ...flowRunRequest(randomUUID(), [{ id: "a", type: "transform", parameters: { output: 1 } }]),
    correlation_id: "x".repeat(257),
    user_id: "x".repeat(257),
  };
  await service.send("flow_runs", unknown, invalid, long);
  for (const [message, type] of [
    [unknown, "FLOW_NOT_FOUND"],
    [invalid, "FLOW_INVALID"],
    [long, "INVALID_REQUEST"],
  ] as const) {
    const { run_id: runId, flow_id: flowId } = message as Record<string, string>;
    const url = `http://127.0.0.1:${port}/v1/runs/${runId}`;
    await eventually(async () => expect((await getJson(url)).run).toMatchObject({ state: "RUN_STATE_FAILED" }), WAIT);
    const { run } = (await getJson(url)) as { run: Record<string, unknown> };
    expect(run).toMatchObject({ flowId, error: { type } });
    expect(run.version ?? "").toBe("");
    const { rows } = await service.database.reads.query(
      "SELECT status, error_message FROM public.flow_run_history WHERE run_id = $1",
      [runId ?? ""],
    );
    expect(rows).toEqual([{ status: "FAILED", error_message: expect.stringContaining(type) }]);
    await eventually(() => expect(letters).toContainEqual(expect.objectContaining({ value: base64(message) })), WAIT);
    const letter = letters.find(({ value }) => value === base64(message));
    expect(letter).toEqual({
      ...{ event_type: "message_rejected", topic: `${service.prefix}flow_runs`, reason: type },
      ...{ partition: expect.any(Number), offset: expect.any(Number), headers: [], value: base64(message) },
      ...{ key: Buffer.from(String(runId)).toString("base64"), problem: expect.any(String) },
      ...{ sent_at: TIME, rejected_at: TIME },
    });
  }
  const { runs } = (await getJson(`http://127.0.0.1:${port}/v1/runs`)) as { runs: { runId: string }[] };
  expect(runs.map(({ runId }) => runId)).toContain((unknown as { readonly run_id?: string }).run_id);
});

test("a message without a run that it could be about is a dead letter alone", async () => {
  await service.serve();
  const answer = { task_id: "nothing", output: 1 };
  await service.send("task_done", answer);
  await eventually(() => expect(letters).toContainEqual(expect.objectContaining({ value: base64(answer) })), WAIT);
});

test("an event that can never be sent is told, with its payload and the reason", async () => {
  await service.serve();
  const topic = `${service.prefix}tiny`;
  await createTopics(service.broker, [topic], 1, { "max.message.bytes": "2000" });
  const runId = randomUUID();
  const parameters = { topic, payload: { text: "x".repeat(3_000) }, headers: { kind: "long" } };
  await service.send("flow_runs", flowRunRequest(runId, [{ id: "tell", type: "emit", parameters }]));
  await service.untilCompleted([runId]);
  const ofRun = () => letters.filter(({ run_id }) => run_id === runId);
  await eventually(() => expect(ofRun()).toHaveLength(1), WAIT);
  expect(ofRun()).toEqual([
    {
      event_type: "message_undeliverable",
      ...{ message_id: expect.stringMatching(/^\d+-\d+$/), destination: "kafka", place: topic, reason: "REFUSED" },
      problem: expect.stringContaining("larger than the max"),
      ...{ run_id: runId, task_id: "tell", tenant_id: "default", sequence: expect.any(Number) },
      ...{ payload: parameters.payload, headers: parameters.headers, rejected_at: TIME },
    },
  ]);
});
