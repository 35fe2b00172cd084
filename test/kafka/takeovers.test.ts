/** Partitions that move between instances while messages come. */
import { randomUUID } from "node:crypto";
import { afterAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
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
