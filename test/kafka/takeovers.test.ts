/** Partitions that move between instances while messages come. */
import { randomUUID } from "node:crypto";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { shardOf } from "../../src/base/ids.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { openProducer } from "../support/executor.ts";
import { flowRunRequest, openKafkaService } from "../support/kafka-service.ts";
import type { ServeProcess } from "../support/serve-process.ts";

const service = await openKafkaService();
afterAll(() => service.close());

const TASKS = [
  { id: "first", type: "queue", parameters: { handler: "work" }, timeout: 120 },
  { id: "second", type: "queue", depends_on: ["first"], parameters: { handler: "work" }, timeout: 120 },
];

/** Takeovers of partitions: each instance says when it begins to read one. */
const takenBy = (instances: readonly ServeProcess[]): number =>
  instances.reduce((sum, { output }) => sum + (output().match(/"reading a partition"/g)?.length ?? 0), 0);

test("instances that are killed under load lose no run, and no task is attempted twice", {
  timeout: 180_000,
}, async () => {
  const mine = new Set<string>();
  const tokens = new Map<string, Set<number>>();
  await service.execute(mine, async ({ run_id, task_id, fencing_token }) => {
    const key = `${run_id} ${task_id}`;
    tokens.set(key, (tokens.get(key) ?? new Set()).add(fencing_token));
    return "done";
  });
  const instances = [await service.serve(), await service.serve()];
  const sendSome = async (): Promise<void> => {
    const runIds = Array.from({ length: 40 }, () => randomUUID());
    for (const runId of runIds) mine.add(runId);
    await service.send("flow_runs", ...runIds.map((runId) => flowRunRequest(runId, TASKS)));
  };
  for (let round = 0; round < 4; round += 1) {
    await sendSome();
    const before = tokens.size;
    await eventually(() => expect(tokens.size).toBeGreaterThan(before + 10), { timeoutMs: 60_000, intervalMs: 10 });
    await instances.at(-2)?.stop("SIGKILL");
    await sendSome();
    instances.push(await service.serve());
  }
  await service.untilCompleted(mine, 90_000);
  expect(takenBy(instances)).toBeGreaterThanOrEqual(20);
  expect(tokens.size).toBe(2 * mine.size);
  expect([...tokens.values()].every((ofTask) => ofTask.size === 1)).toBe(true);
});

test("an instance that stands still delays its own runs, and no others of the messages that were read with theirs", {
  timeout: 120_000,
}, async () => {
  const env = { ORCHESTRATOR_LEASE_TTL: "60s" };
  const first = await service.serve(env);
  const client = openGrpcClient({ address: first.address });
  onTestFinished(() => client.close());
  const value = 'id: quick\nversion: "1"\nworkflow: {tasks: [{id: a, type: noop}]}';
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value } });
  const second = await service.serve(env);
  const ownersOf = async (): Promise<ReadonlyMap<number, string>> => {
    const { rows } = await service.database.reads.query<{ shard: number; address: string }>(
      "SELECT shard, address FROM orchestrator.shard_leases JOIN orchestrator.instances USING (instance_id)",
    );
    return new Map(rows.map(({ shard, address }) => [shard, address]));
  };
  await eventually(async () => {
    const owned = [...(await ownersOf()).values()].filter((address) => address === second.address);
    expect(owned.length).toBe(32);
  });
  const owners = await ownersOf();
  const isAt = (id: string, { address }: ServeProcess): boolean => owners.get(shardOf(id, 64)) === address;
  // Cause: one of the two was chosen before, and sometimes it owned every partition.
  const [reader, frozen] = isAt(`${service.prefix}flow_runs/0`, first) ? [first, second] : [second, first];
  const producer = openProducer(service.broker);
  onTestFinished(() => producer.close(true));
  const sendStarts = async (runIds: readonly string[]): Promise<void> => {
    const messages = runIds.map((run_id) => ({
      topic: `${service.prefix}flow_runs`,
      partition: 0,
      key: run_id,
      value: JSON.stringify({ event_type: "flow_run_requested", run_id, flow_id: "quick", input: {} }),
    }));
    await producer.send({ messages });
  };
  const create = (): string[] => Array.from({ length: 60 }, () => randomUUID());
  // From now on the two have a connection, over which nothing is answered while one of them stands still.
  const before = create();
  await sendStarts(before);
  await service.untilCompleted(before);
  const runIds = create();
  const here = runIds.filter((runId) => isAt(runId, reader));
  expect(here.length).toBeGreaterThan(5);
  expect(here.length).toBeLessThan(55);
  frozen.child.kill("SIGSTOP");
  onTestFinished(() => void frozen.child.kill("SIGCONT"));
  await sendStarts(runIds);
  await service.untilCompleted(here, 8_000);
  expect(await service.statesOf(runIds)).toEqual({ COMPLETED: here.length });
  frozen.child.kill("SIGCONT");
  await service.untilCompleted(runIds, 30_000);
});
