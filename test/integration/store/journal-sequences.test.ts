/** The sequences of a journal: none is missing, and only the records of a restored database skip some. */
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { createJournal } from "../../../src/store/journal/journal.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { TABLES } from "../../support/projections.ts";
import { DAY, startTransition, transitionOf } from "../../support/transitions.ts";

const { database } = await createTestDatabase({ anyFlow: true });
const journal = createJournal(database, TABLES);
const load = (runId: string) => journal.loadRun(runId);
const HELD = [{ shard: 0, epoch: 1 }];
let counter = 0;
let id = "";

beforeEach(async () => {
  id = `run-${++counter}`;
  await sql("INSERT INTO orchestrator.shard_leases (shard, epoch) VALUES (0, 1) ON CONFLICT DO NOTHING");
});

async function sql(text: string, values: (string | number)[] = []) {
  return (await database.journal.query(text, values)).rows;
}

test("a run with more transitions than a page is read whole; a gap in a journal is not read over", async () => {
  await sql(
    `INSERT INTO orchestrator.journal (run_day, run_id, sequence, record_count, written_at, records)
     SELECT $1, $2, n, 1, now(), '[{"type":"run.recovered","at":1}]' FROM generate_series(1, 4100) n`,
    [DAY, id],
  );
  await sql(
    `INSERT INTO orchestrator.runs (run_id, shard, run_day, tenant_id, flow_id, version, flow_hash, state, moving, sequence, user_id, correlation_id,
       run_key, parent_run_id, parent_task, created_at, updated_at)
     VALUES ($1, 0, $2, 't', 'f', '1', 'h', 'RUNNING', true, 1, '', '', '', '', '', now(), now())`,
    [id, DAY],
  );
  expect((await load(id))?.records).toHaveLength(4_100);
  await sql("DELETE FROM orchestrator.journal WHERE run_id = $1 AND sequence = 3000", [id]);
  await expect(load(id)).rejects.toThrow("gap at 3000");
});

test("only the records of a restored database skip sequences, and only those that say so", async () => {
  const writer = await journal.openWriter("test");
  onTestFinished(() => writer.close());
  await writer.commit(HELD, [startTransition(id)]);
  const restored = { type: "run.restored", at: 1, by: "", sequence: 1_000_002 } as const;
  const recovered = { type: "run.recovered", at: 2 } as const;
  await writer.commit(HELD, [transitionOf(id, 1_000_002, { records: [restored, recovered] })]);
  await writer.commit(HELD, [transitionOf(id, 1_000_004)]);
  expect(await load(id)).toMatchObject({ sequence: 1_000_004, records: { length: 4 } });
  const read = async (after: number) =>
    (await journal.readEvents("t", id, after, 100))?.map((transition) => transition.sequence);
  expect(await read(1)).toEqual([1_000_002, 1_000_004]);
  expect(await read(50)).toEqual([1_000_002, 1_000_004]);
  expect(await read(1_000_003)).toEqual([1_000_004]);
  await sql("UPDATE orchestrator.journal SET sequence = sequence + 1 WHERE run_id = $1 AND sequence > 1", [id]);
  await expect(load(id)).rejects.toThrow("gap at 2");
});
