/** The commit statement against a real server: what it writes, and what the fence keeps out. */
import { beforeEach, expect, onTestFinished, test } from "vitest";
import type { JournalRecord } from "../../../src/engine/machine/records.ts";
import type { JournalWriter, Transition } from "../../../src/engine/ports/journal.ts";
import type { Lease } from "../../../src/engine/ports/leases.ts";
import { createJournal } from "../../../src/store/journal/journal.ts";
import type { SqlSession } from "../../../src/store/sql/sql.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestDatabase, type TestDatabase, takeAnyFlow } from "../../support/postgres.ts";
import { TABLES } from "../../support/projections.ts";
import { DAY, headerOf, outgoing, projected, startTransition, transitionOf } from "../../support/transitions.ts";

let opened: TestDatabase;
let counter = 0;
let id = "";

opened = await createTestDatabase({ anyFlow: true });

beforeEach(async () => {
  counter += 1;
  id = `run-${counter}`;
  await sql("DELETE FROM orchestrator.shard_leases");
  await sql(
    "INSERT INTO orchestrator.shard_leases (shard, epoch, instance_id) SELECT s, 1, 'a' FROM generate_series(0, 3) s",
  );
});

async function sql<Row extends object = Record<string, unknown>>(text: string, values: (string | number)[] = []) {
  return (await opened.database.journal.query<Row>(text, values)).rows;
}

async function openWriter(): Promise<JournalWriter> {
  const writer = await createJournal(opened.database, TABLES).openWriter("test");
  onTestFinished(() => writer.close());
  return writer;
}

async function openSession(): Promise<SqlSession> {
  const session = await opened.database.openSession("test");
  onTestFinished(() => session.close().catch(() => {}));
  return session;
}

const at = (epoch: number, ...shards: number[]): Lease[] => shards.map((shard) => ({ shard, epoch }));
const load = (runId: string) => createJournal(opened.database, TABLES).loadRun(runId);

/** Resolves when some statement waits for a lock. */
async function lockWait(): Promise<void> {
  await eventually(async () =>
    expect(
      await sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"),
    ).not.toEqual([]),
  );
}

test("a commit writes the header, the journal and everything else of a transition, and reads back as it was", async () => {
  const writer = await openWriter();
  const start = startTransition(id, {
    labels: { a: "ä", quoted: '"b\\c' },
    userId: "u",
    correlationId: "c",
    wakeAt: 1_000_000_500,
    deadlineAt: 2_000_000_000,
    keys: [{ kind: "request", key: `r-${id}`, hash: "x" }],
  });
  const before = Date.now();
  const result = await writer.commit(at(1, 0), [start]);
  expect(result.refused).toEqual([]);
  expect(Math.abs(result.now - before)).toBeLessThan(60_000);
  const second = transitionOf(id, 2, {
    records: [
      { type: "task.dispatched", at: 5, task: "a", attempt: 1, input: { text: "tab\t, \u0001, 🙂, \\u0000" } },
      { type: "task.completed", at: 6, task: "a", output: "\u0002" },
    ],
    header: headerOf({ sequence: 3, wakeAt: 77_000, updatedAt: 88_000 }),
    rows: projected({
      approvals: [
        {
          approval: {
            id: 2,
            task: "ok",
            state: "PENDING",
            parameters: { title: "x" },
            createdAt: 1_000,
            dueAt: 2_000,
            endedAt: null,
            by: "",
            comment: "",
            data: null,
          },
          tenantId: "t",
          flowId: "f",
        },
      ],
      dead_letters: [
        {
          taskPath: "a",
          generation: 0,
          tenantId: "t",
          flowId: "f",
          attempts: 2,
          errorType: "E",
          errorMessage: "m\u0001\0",
          reason: "NOT_RETRYABLE",
          input: {},
          at: 3,
        },
      ],
      outbox: [outgoing("one", ""), outgoing("two", "k")],
    }),
  });
  expect((await writer.commit(at(1, 0), [second])).refused).toEqual([]);
  const stored = await load(id);
  expect(stored?.records).toEqual([...start.records, ...second.records]);
  expect(stored).toMatchObject({ runId: id, shard: 0, day: DAY, wakeAt: 77_000 });
  expect(stored?.header).toMatchObject({
    state: "WAITING",
    sequence: 3,
    labels: { a: "ä", quoted: '"b\\c' },
    userId: "u",
    deadlineAt: 2_000_000_000,
    updatedAt: 88_000,
    endedAt: null,
  });
  expect(await sql("SELECT state, parameters FROM orchestrator.approvals WHERE run_id = $1", [id])).toEqual([
    { state: "PENDING", parameters: '{"title":"x"}' },
  ]);
  expect(await sql("SELECT error_message FROM orchestrator.dead_letters WHERE run_id = $1", [id])).toEqual([
    { error_message: "m\ufffd\ufffd" },
  ]);
  expect(await sql("SELECT topic, key, shard FROM orchestrator.outbox WHERE run_id = $1 ORDER BY id", [id])).toEqual([
    { topic: "one", key: "", shard: 0 },
    { topic: "two", key: "k", shard: 0 },
  ]);
});

test("batches of every mix of starts, changes and extras are written", async () => {
  const writer = await openWriter();
  const mixes: ((runId: string) => Transition[])[] = [
    (runId) => [startTransition(runId)],
    (runId) => [startTransition(runId, { runKey: runId })],
    (runId) => [startTransition(runId), transitionOf(`${id}-base`, 2)],
  ];
  await writer.commit(at(1, 0), [startTransition(`${id}-base`)]);
  for (const [index, mix] of mixes.entries()) {
    const runId = `${id}-${index}`;
    expect((await writer.commit(at(1, 0), mix(runId))).refused).toEqual([]);
    expect((await load(runId))?.records).toHaveLength(1);
    const change = transitionOf(runId, 2, { header: headerOf({ endedAt: 5_000 }) });
    expect((await writer.commit(at(1, 0), [change])).refused).toEqual([]);
    expect((await load(runId))?.header.endedAt).toBe(5_000);
  }
  expect((await load(`${id}-base`))?.records).toHaveLength(2);
});

test("a statement at a stale epoch writes nothing and says whose shard was lost", async () => {
  const writer = await openWriter();
  await writer.commit(at(1, 0, 1), [startTransition(`${id}-0`), startTransition(`${id}-1`, {}, { shard: 1 })]);
  await sql("UPDATE orchestrator.shard_leases SET epoch = 2 WHERE shard = 0");
  const result = await writer.commit(at(1, 0, 1), [
    transitionOf(`${id}-0`, 2, { header: headerOf() }),
    transitionOf(`${id}-1`, 2, { shard: 1, header: headerOf() }),
    startTransition(`${id}-2`, { keys: [{ kind: "request", key: `r-${id}`, hash: "" }] }),
  ]);
  expect(result.refused.toSorted((a, b) => (a.runId < b.runId ? -1 : 1))).toEqual([
    { runId: `${id}-0`, why: "fenced" },
    { runId: `${id}-2`, why: "fenced" },
  ]);
  expect((await load(`${id}-0`))?.records).toHaveLength(1);
  expect((await load(`${id}-0`))?.header.state).toBe("RUNNING");
  expect((await load(`${id}-1`))?.records).toHaveLength(2);
  expect(await load(`${id}-2`)).toBeNull();
  expect(await sql("SELECT 1 FROM orchestrator.starts WHERE key = $1", [`r-${id}`])).toEqual([]);
});

test("a late batch that began before a takeover and would end after it writes nothing", async () => {
  // A plain `WHERE epoch = …` reads the old epoch in the snapshot of the statement and lets the batch appear after the
  // takeover.
  const writer = await openWriter();
  await writer.commit(at(1, 0), [startTransition(id)]);
  const heir = await openSession();
  await heir.query("BEGIN");
  await heir.query("UPDATE orchestrator.shard_leases SET epoch = epoch + 1 WHERE shard = 0");
  const late = writer.commit(at(1, 0), [transitionOf(id, 2, { header: headerOf() })]);
  await lockWait();
  await heir.query("COMMIT");
  expect((await late).refused).toEqual([{ runId: id, why: "fenced" }]);
  expect((await load(id))?.records).toHaveLength(1);
  expect((await load(id))?.header.state).toBe("RUNNING");
});

test("a takeover waits for the batch that is under way, and reads what it wrote", async () => {
  const writer = await openWriter();
  await writer.commit(at(1, 0), [startTransition(id)]);
  // The batch stops in the middle, after it has locked its leases.
  const gate = await openSession();
  await gate.query("SELECT pg_advisory_lock(4711)");
  await sql(`CREATE OR REPLACE FUNCTION public.stop_here() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF NEW.records LIKE '%stop here%' THEN PERFORM pg_advisory_xact_lock(4711); END IF; RETURN NEW; END $$`);
  await sql(
    "CREATE TRIGGER stop_here BEFORE INSERT ON orchestrator.journal FOR EACH ROW EXECUTE FUNCTION public.stop_here()",
  );
  onTestFinished(async () => void (await sql("DROP TRIGGER stop_here ON orchestrator.journal")));
  const batch = writer.commit(at(1, 0), [
    transitionOf(id, 2, { records: [{ type: "run.held", at: 1, hold: "operator", by: "", why: "stop here" }] }),
  ]);
  await lockWait();
  const heir = await openSession();
  let taken = false;
  const takeover = heir
    .query("UPDATE orchestrator.shard_leases SET epoch = epoch + 1 WHERE shard = 0")
    .then(() => (taken = true));
  await eventually(async () =>
    expect(
      await sql(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%epoch + 1%'",
      ),
    ).not.toEqual([]),
  );
  expect(taken).toBe(false);
  await gate.query("SELECT pg_advisory_unlock(4711)");
  expect((await batch).refused).toEqual([]);
  await takeover;
  expect((await load(id))?.records).toHaveLength(2);
});

test("a timer that is early by the clock of the database is left out, the rest of the batch is written", async () => {
  const writer = await openWriter();
  await writer.commit(at(1, 0), [startTransition(`${id}-a`), startTransition(`${id}-b`)]);
  const now = Date.now();
  const result = await writer.commit(at(1, 0), [
    transitionOf(`${id}-a`, 2, { dueAt: now + 60_000, header: headerOf() }),
    transitionOf(`${id}-b`, 2, { dueAt: now - 60_000, header: headerOf() }),
  ]);
  expect(result.refused).toEqual([{ runId: `${id}-a`, why: "early" }]);
  expect((await load(`${id}-a`))?.header.state).toBe("RUNNING");
  expect((await load(`${id}-b`))?.header.state).toBe("WAITING");
});

test("taken keys, run ids and run keys keep out all rows of their run and nobody else's", async () => {
  const writer = await openWriter();
  const key = (name: string, kind: "request" | "run" = "request") => ({ kind, key: `${name}-${id}`, hash: "" });
  await writer.commit(at(1, 0), [
    startTransition(`${id}-first`, { keys: [key("r")], runKey: `k-${id}` }),
    startTransition(`own-${id}`, { keys: [key("own", "run")] }),
  ]);
  const asked = { id: 1, task: "a", state: "PENDING", parameters: {}, createdAt: 1, dueAt: null } as const;
  const approval = {
    approval: { ...asked, endedAt: null, by: "", comment: "", data: null },
    tenantId: "t",
    flowId: "f",
  };
  const result = await writer.commit(at(1, 0), [
    startTransition(`${id}-1`, { keys: [key("r")] }, { rows: projected({ approvals: [approval] }) }),
    startTransition(`${id}-2`, { runKey: `k-${id}` }, { rows: projected({ approvals: [approval] }) }),
    startTransition(
      `${id}-3`,
      { keys: [key("other"), key("own", "run")] },
      { rows: projected({ approvals: [approval] }) },
    ),
    startTransition(`${id}-4`, { keys: [key("free")] }, { rows: projected({ approvals: [approval] }) }),
    startTransition(`${id}-5`, { keys: [key("twin")] }),
    startTransition(`${id}-6`, { keys: [key("twin")] }),
  ]);
  const refused = result.refused.map(({ runId, why }) => `${runId.slice(id.length + 1)} ${why}`).toSorted();
  expect(refused.slice(0, 3)).toEqual(["1 taken", "2 taken", "3 taken"]);
  expect(refused.slice(3)).toHaveLength(1);
  expect(["5 taken", "6 taken"]).toContain(refused[3]);
  for (const bad of ["1", "2", "3"]) expect(await load(`${id}-${bad}`)).toBeNull();
  const approvals = await sql("SELECT run_id FROM orchestrator.approvals WHERE run_id LIKE $1", [`${id}-%`]);
  expect(approvals).toEqual([{ run_id: `${id}-4` }]);
  const journal = await sql("SELECT DISTINCT run_id FROM orchestrator.journal WHERE run_id IN ($1, $2, $3)", [
    `${id}-1`,
    `${id}-2`,
    `${id}-3`,
  ]);
  expect(journal).toEqual([]);
});

test("one batch is one transaction: a row that is refused takes everything with it", async () => {
  const writer = await openWriter();
  await writer.commit(at(1, 0), [startTransition(id)]);
  const batch = writer.commit(at(1, 0), [
    transitionOf(id, 2, { header: headerOf() }),
    startTransition(`${id}-new`, { keys: [{ kind: "request", key: `r-${id}`, hash: "" }] }),
    // A second transition of the same sequence breaks the key of the journal.
    transitionOf(id, 1),
  ]);
  await expect(batch).rejects.toMatchObject({ name: "CommitError", kind: "data" });
  expect((await load(id))?.records).toHaveLength(1);
  expect(await load(`${id}-new`)).toBeNull();
  expect(await sql("SELECT 1 FROM orchestrator.starts WHERE key = $1", [`r-${id}`])).toEqual([]);
  // The writer goes on.
  expect((await writer.commit(at(1, 0), [transitionOf(id, 2)])).refused).toEqual([]);
});

test("events are read in whole transitions from the one that holds the next sequence, for the own tenant only", async () => {
  const writer = await openWriter();
  const journal = createJournal(opened.database, TABLES);
  await writer.commit(at(1, 0), [startTransition(id)]);
  const two = { records: [{ type: "run.recovered", at: 1 } as const, { type: "run.recovered", at: 2 } as const] };
  await writer.commit(at(1, 0), [transitionOf(id, 2, two)]);
  await writer.commit(at(1, 0), [transitionOf(id, 4, two)]);
  const read = async (after: number) =>
    (await journal.readEvents("t", id, after, 100))?.map((transition) => transition.sequence);
  expect(await read(0)).toEqual([1, 2, 4]);
  expect(await read(1)).toEqual([2, 4]);
  expect(await read(2)).toEqual([2, 4]);
  expect(await read(3)).toEqual([4]);
  expect(await read(5)).toEqual([]);
  expect(await journal.readEvents("foreign", id, 0, 100)).toBeNull();
  // Cause: the sequence of a request was raised by one before it went into a parameter of 32 bits.
  expect(await read(2_147_483_646)).toEqual([]);
  expect(await read(2_147_483_647)).toEqual([]);
  expect(await read(Number.MAX_SAFE_INTEGER)).toEqual([]);
});

// The records of a transition were handed to a function as its arguments: above about 120,000 that throws, and the run
// could not be read ever again.
test("a transition of more than 200,000 records reads back", async () => {
  const writer = await openWriter();
  await writer.commit(at(1, 0), [startTransition(id)]);
  const count = 200_001;
  const records = Array.from(
    { length: count },
    (_, index): JournalRecord => ({
      type: "task.skipped",
      at: 1,
      task: `m.${index}`,
      reason: "NOT_TAKEN",
    }),
  );
  expect((await writer.commit(at(1, 0), [transitionOf(id, 2, { records })])).refused).toEqual([]);
  const stored = await load(id);
  expect(stored?.records).toHaveLength(count + 1);
  expect(stored?.records.at(-1)).toMatchObject({ task: `m.${count - 1}` });
});

// Pages were counted in transitions only: a run with large rows was read with all of them in memory at once.
test("transitions are read in pages of a bounded size, at least one at a time", async () => {
  const writer = await openWriter();
  await writer.commit(at(1, 0), [startTransition(id)]);
  const text = "x".repeat(3_000_000);
  for (const sequence of [2, 3, 4, 5, 6]) {
    const records: JournalRecord[] = [{ type: "task.completed", at: 1, task: "a", output: text }];
    await writer.commit(at(1, 0), [transitionOf(id, sequence, { records })]);
  }
  const journal = createJournal(opened.database, TABLES);
  const read = async (after: number, limit: number) =>
    (await journal.readEvents("t", id, after, limit))?.map((transition) => transition.sequence);
  expect(await read(0, 100)).toEqual([1, 2, 3]);
  expect(await read(3, 100)).toEqual([4, 5]);
  expect(await read(5, 100)).toEqual([6]);
  expect(await read(2, 1)).toEqual([3]);
  const stored = await load(id);
  expect(stored?.records).toHaveLength(6);
  expect(stored?.size).toBeGreaterThan(15_000_000);
  expect(stored?.size).toBeLessThan(16_000_000);
});

test("a start whose flow version is not registered, or has other content, fails as gone, and nothing of its batch is written", async () => {
  await sql("ALTER TABLE orchestrator.runs ENABLE TRIGGER runs_versions");
  onTestFinished(() => takeAnyFlow(opened.database));
  const writer = await openWriter();
  const insert = `INSERT INTO orchestrator.flow_versions
    (tenant_id, flow_id, version, hash, kind, name, description, document, structure, source)
    VALUES ('t', 'f', '1', 'other', 'dag', '', '', '{}', '{}', '')`;
  const commit = (...transitions: Transition[]) => writer.commit(at(1, 0), transitions);
  await expect(commit(startTransition("gone-1"))).rejects.toMatchObject({ kind: "gone" });
  await sql(insert);
  await expect(commit(startTransition("gone-2"))).rejects.toMatchObject({ kind: "gone" });
  await sql("UPDATE orchestrator.flow_versions SET hash = 'h'");
  await commit(startTransition("there-1"));
  const mixed = commit(startTransition("there-2"), startTransition("gone-3", { version: "2" }));
  await expect(mixed).rejects.toMatchObject({ kind: "gone" });
  // The form of the statement that sorts.
  const keys = [{ kind: "run" as const, key: "gone-4", hash: "" }];
  await expect(commit(startTransition("gone-4", { version: "2", keys }))).rejects.toMatchObject({ kind: "gone" });
  const rows = await sql<{ run_id: string }>(
    `SELECT run_id FROM orchestrator.runs WHERE run_id ~ '^(gone|there)-'
     UNION SELECT run_id FROM orchestrator.journal WHERE run_id ~ '^(gone|there)-'
     UNION SELECT run_id FROM orchestrator.starts WHERE run_id ~ '^(gone|there)-'`,
  );
  expect(rows).toEqual([{ run_id: "there-1" }]);
});
