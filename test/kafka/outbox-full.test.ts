/** A backlog for brokers that cannot be reached: what needs them waits, and everything else goes on. */
import { randomUUID } from "node:crypto";
import { afterAll, expect, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunFindingKind } from "../../src/gen/orchestrator/v1/run_diagnosis_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { startKafkaBroker } from "../support/kafka-broker.ts";
import { openKafkaService } from "../support/kafka-service.ts";

const broker = await startKafkaBroker();
afterAll(() => broker.remove());
const service = await openKafkaService(broker.address);
afterAll(() => service.close());
const { database } = service;

const COMPLETE = "RunService.CompleteTask";
const FLOW = (id: string, tasks: string) => `id: ${id}
version: "1"
workflow: {tasks: [${tasks}]}
`;

test("a full outbox takes no tasks and no events until the backlog falls, and loses none", async () => {
  const { address, output } = await service.serve({ ORCHESTRATOR_KAFKA_MAX_UNSENT_MESSAGES: "10" });
  const client = openGrpcClient({ address });
  for (const source of [
    FLOW("task", "{id: go, type: queue, parameters: {handler: work}}"),
    FLOW("event", `{id: tell, type: emit, parameters: {topic: ${service.prefix}task_queue, payload: 1}}`),
    FLOW("plain", "{id: go, type: transform, parameters: {output: 1}}"),
  ])
    await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: source } });
  const start = async (flowId: string, count: number): Promise<string[]> => {
    const runIds = Array.from({ length: count }, () => randomUUID());
    for (const runId of runIds) await client.call(RunService.method.startRun, { flowId, runId });
    return runIds;
  };
  const count = async (table: string): Promise<number> =>
    (await database.reads.query(`SELECT 1 FROM orchestrator.${table}`)).rows.length;
  await broker.stop("SIGKILL");
  const runIds = await start("task", 15);
  await eventually(() => expect(output()).toContain("the outbox is full"), { timeoutMs: 30_000 });
  const before = await count("outbox");
  const tasks = await start("task", 5);
  const events = await start("event", 5);
  await service.untilCompleted(await start("plain", 5));
  expect(await count("outbox")).toBe(before);
  expect(await count("waiting_tasks")).toBe(10);
  for (const runId of [tasks[0], events[0]]) {
    const { findings } = await client.call(RunService.method.diagnoseRun, { runId: runId ?? "" });
    expect(findings).toMatchObject([
      { kind: RunFindingKind.QUEUE_FULL, message: expect.stringContaining("OUTBOX_FULL") },
    ]);
  }
  const findingOf = async (runId = "") =>
    (await client.call(RunService.method.diagnoseRun, { runId })).findings.map(({ kind, message, method }) => [
      ...[kind, message, method],
    ]);
  const [first] = runIds;
  expect(await findingOf(first)).toEqual([
    [RunFindingKind.QUEUE, expect.stringMatching(/^its message to topic task_queue is not sent yet/), COMPLETE],
  ]);
  await broker.start();
  await eventually(async () => expect(await count("outbox")).toBe(0), { timeoutMs: 30_000 });
  expect(await findingOf(first)).toEqual([
    [
      RunFindingKind.WORKER,
      expect.stringMatching(
        /^attempt 1 was sent to topic task_queue, and no executor has answered; its time ends at 20/,
      ),
      COMPLETE,
    ],
  ]);
  await service.execute(new Set([...runIds, ...tasks]), async () => "done");
  await service.untilCompleted([...runIds, ...tasks, ...events]);
  await eventually(async () => expect([await count("outbox"), await count("waiting_tasks")]).toEqual([0, 0]));
  expect(output().match(/the outbox is full/g)).toHaveLength(1);
  await client.close();
});
