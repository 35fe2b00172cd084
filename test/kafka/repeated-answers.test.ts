/** Answers that come again: they were applied, and their reader died before it had noted its position. */
import { randomUUID } from "node:crypto";
import { afterAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { flowRunRequest, openKafkaService } from "../support/kafka-service.ts";

const service = await openKafkaService();
afterAll(() => service.close());

// Cause: without an echo, answers were told apart by time alone, and the next attempt began within the same second.
test("a failure that is read again uses up no second attempt of a task that is retried at once", async () => {
  const instance = await service.serve();
  const runId = randomUUID();
  let release: (value: unknown) => void = () => {};
  const executor = await service.execute(new Set([runId]), ({ attempt }) =>
    attempt === 0 ? Promise.reject(new Error("not yet")) : new Promise((resolve) => (release = resolve)),
  );
  const retry_policy = { max_retries: 1, backoff_type: "fixed", initial_delay: 0 };
  await service.send(
    "flow_runs",
    flowRunRequest(runId, [{ id: "work", type: "queue", parameters: { handler: "work" }, retry_policy }]),
  );
  // The second attempt is out: the failure of the first one is applied.
  await eventually(() => expect(executor.taken).toHaveLength(2), { timeoutMs: 30_000, intervalMs: 1 });
  await instance.stop("SIGKILL");
  // As if it had died a moment earlier, before the position was stored.
  const { reads } = service.database;
  await reads.query("UPDATE orchestrator.kafka_offsets SET next_offset = 0 WHERE topic = $1", [
    `${service.prefix}task_failed`,
  ]);
  await service.serve();
  await eventually(
    async () => {
      const { rows } = await reads.query<{ sum: string }>(
        "SELECT sum(next_offset) FROM orchestrator.kafka_offsets WHERE topic = $1",
        [`${service.prefix}task_failed`],
      );
      expect(Number(rows[0]?.sum)).toBe(1);
    },
    { timeoutMs: 30_000 },
  );
  release("done");
  await service.untilCompleted([runId]);
  // The kill may come between the broker's acknowledgement and the deletion of the row: then the message goes out
  // again.
  expect([...new Set(executor.taken.map(({ attempt }) => attempt))]).toEqual([0, 1]);
});
