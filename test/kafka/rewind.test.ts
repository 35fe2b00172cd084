/** Messages that operators have read again, while the service runs. */
import { randomUUID } from "node:crypto";
import { afterAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { flowRunRequest, openKafkaService } from "../support/kafka-service.ts";
import { runCommand } from "../support/run-command.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const service = await openKafkaService();
afterAll(() => service.close());
const { prefix, database } = service;

const request = (runId: string) => flowRunRequest(runId, [{ id: "go", type: "transform", parameters: { output: 1 } }]);

test("a topic is read again from an offset or a time, at whichever instance reads it, and nothing happens twice", async () => {
  const { address } = await service.serve();
  const runIds = Array.from({ length: 12 }, () => randomUUID());
  await service.send("flow_runs", ...runIds.map(request), { run_id: "not a run id" });
  await service.untilCompleted(runIds);
  const rejected = async (): Promise<number> =>
    (await database.reads.query("SELECT 1 FROM orchestrator.rejected_messages")).rows.length;
  await eventually(async () => expect(await rejected()).toBe(1));
  const positions = async () =>
    (
      await database.reads.query<{ partition: number; next_offset: string; generation: number }>(
        "SELECT partition, next_offset, generation FROM orchestrator.kafka_offsets WHERE topic = $1 ORDER BY partition",
        [`${prefix}flow_runs`],
      )
    ).rows;
  const total = async () => (await positions()).reduce((sum, { next_offset }) => sum + Number(next_offset), 0);
  await eventually(async () => expect(await total()).toBe(13));
  const before = await positions();
  // What is read again is rejected again.
  await database.reads.query("DELETE FROM orchestrator.rejected_messages");
  const rewind = (...options: string[]) =>
    runCommand(
      ["kafka", "rewind", ...options, "--server", address, "--by", "ann", "--reason", "fixed", "--output", "json"],
      createTemporaryFolder(),
      {},
    );
  const first = await rewind("flow_runs", "--to", "0");
  expect(first).toMatchObject({ code: 0 });
  const { partitions } = JSON.parse(first.out) as { partitions: { fromOffset: string }[] };
  expect(partitions.map(({ fromOffset }) => Number(fromOffset))).toEqual(
    before.map(({ next_offset }) => Number(next_offset)),
  );
  await eventually(async () => {
    expect(await rejected()).toBe(1);
    expect(await positions()).toEqual(before.map((one) => ({ ...one, generation: 1 })));
  });
  expect(await service.statesOf(runIds)).toEqual({ COMPLETED: runIds.length });
  // Nothing is as young as that: the end of the log.
  const later = await rewind(`${prefix}flow_runs`, "--to", "2100-01-01T00:00:00Z", "--partition", "1");
  expect(JSON.parse(later.out)).toMatchObject({
    partitions: [{ partition: 1, toOffset: String(before[1]?.next_offset) }],
  });
  const { rows } = await database.reads.query(
    "SELECT actor, reason, count(*)::int AS count FROM orchestrator.kafka_rewinds GROUP BY actor, reason",
  );
  expect(rows).toEqual([{ actor: "ann", reason: "fixed", count: 5 }]);
  expect(await rewind("nowhere", "--to", "0")).toMatchObject({
    err: expect.stringContaining("does not read topic nowhere"),
  });
});
