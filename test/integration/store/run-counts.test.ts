/** Counts of runs: whatever is written, and whatever is not, they are what counting the rows gives. */
import fc from "fast-check";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { type Log, silentLog } from "../../../src/base/log.ts";
import type { Caller } from "../../../src/engine/ports/caller.ts";
import type { Journal, JournalWriter, Transition } from "../../../src/engine/ports/journal.ts";
import { CommitError } from "../../../src/engine/ports/journal.ts";
import type { Lease } from "../../../src/engine/ports/leases.ts";
import type { Filter } from "../../../src/engine/ports/run-index.ts";
import { createJournal } from "../../../src/store/journal/journal.ts";
import { foldRunCounts, keepRunCounts } from "../../../src/store/run-counts.ts";
import { createRunIndex } from "../../../src/store/run-index.ts";
import { readMigrations, runMigrations } from "../../../src/store/sql/migrate.ts";
import { openDatabase } from "../../../src/store/sql/pool.ts";
import { createRandom, type Random } from "../../oracle/random.ts";
import { eventually } from "../../support/eventually.ts";
import { addLaterColumns, createTestDatabase, takeAnyFlow } from "../../support/postgres.ts";
import { TABLES } from "../../support/projections.ts";
import { findMiscounts } from "../../support/run-counts.ts";
import { headerOf, startTransition, transitionOf } from "../../support/transitions.ts";

const { database, target } = await createTestDatabase({ anyFlow: true });
const older = await createTestDatabase({ empty: true });

const seed = Math.floor(Math.random() * 1e9);

const SHARDS = 4;
const TENANTS = ["t", "u"];
const FLOWS = ["f", "g", "h"];
const VERSIONS = ["1", "2.0"];
const STATES = ["RUNNING", "WAITING", "PAUSED"] as const;

beforeEach(async () => {
  await sql("TRUNCATE orchestrator.runs, orchestrator.journal, orchestrator.starts, orchestrator.shard_leases");
  await sql(
    `INSERT INTO orchestrator.shard_leases (shard, epoch, instance_id) SELECT s, 1, 'a' FROM generate_series(0, ${SHARDS - 1}) s`,
  );
});

async function sql<Row extends object = Record<string, unknown>>(text: string, values: (string | number)[] = []) {
  return (await database.journal.query<Row>(text, values)).rows;
}

async function openWriter(from = database): Promise<JournalWriter> {
  const writer = await createJournal(from, TABLES).openWriter("test");
  onTestFinished(() => writer.close());
  return writer;
}

const leases: readonly Lease[] = Array.from({ length: SHARDS }, (_, shard) => ({ shard, epoch: 1 }));
const changes = async () =>
  (await sql<{ n: number }>("SELECT count(*) AS n FROM orchestrator.run_count_changes"))[0]?.n;
const totals = () =>
  sql("SELECT tenant_id, flow_id, state, count FROM orchestrator.run_totals ORDER BY tenant_id, flow_id, state");

/** A run as its owner knows it. */
interface KnownRun {
  readonly runId: string;
  readonly shard: number;
  next: number;
}

/**
 * One owner: commits random batches of random transitions of its own runs, and does to them whatever else writes
 * headers.
 */
class Owner {
  readonly #name: string;
  readonly #random: Random;
  readonly #journal: Journal;
  readonly #writer: JournalWriter;
  #runs: KnownRun[] = [];
  #counter = 0;
  /** What was refused or failed, by kind, so that the test says something. */
  readonly seen = new Map<string, number>();

  constructor(name: string, random: Random, journal: Journal, writer: JournalWriter) {
    this.#name = name;
    this.#random = random;
    this.#journal = journal;
    this.#writer = writer;
  }

  async step(): Promise<void> {
    const random = this.#random;
    if (random.chance(0.75) || this.#runs.length === 0) return this.#commit(this.#pickTransitions());
    const { runId, shard } = random.pick(this.#runs);
    const lease = { shard, epoch: random.chance(0.8) ? 1 : 0 };
    const what = random.int(0, 4);
    if (what === 0) this.#note("quarantined", Number(await this.#journal.quarantine(lease, runId)));
    else if (what === 1) {
      const record = { type: "run.held", at: 1, hold: "quarantine", by: "", why: "" } as const;
      this.#note("quarantined", Number(await this.#journal.holdUnread(lease, runId, record)));
    } else if (what === 2) {
      const record = { type: "run.terminated", at: 1, reason: "", by: "" } as const;
      const sequence = await this.#journal.endUnread(lease, runId, record);
      this.#note("ended unread", sequence === null ? 0 : 1);
      if (sequence !== null) this.#runs = this.#runs.filter((run) => run.runId !== runId);
    } else if (what === 3) {
      await sql("UPDATE orchestrator.runs SET state = 'PAUSED' WHERE run_id = $1", [runId]);
    } else {
      await sql("DELETE FROM orchestrator.runs WHERE run_id = $1", [runId]);
      this.#runs = this.#runs.filter((run) => run.runId !== runId);
    }
  }

  #pickTransitions(): Transition[] {
    const random = this.#random;
    const transitions: Transition[] = [];
    for (let count = random.int(1, 12); count > 0; count--) {
      const runId = `${this.#name}-${this.#counter++}`;
      const shard = random.int(0, SHARDS - 1);
      const keyed = random.chance(0.3);
      const key = `k${random.int(0, 20)}`;
      const row = {
        tenantId: random.pick(TENANTS),
        flowId: random.pick(FLOWS),
        state: random.pick(STATES),
        ...(keyed && random.chance(0.5) ? { keys: [{ kind: "request" as const, key, hash: "" }] } : {}),
        ...(keyed && random.chance(0.5) ? { runKey: key } : {}),
      };
      transitions.push(startTransition(runId, row, { shard }));
    }
    for (const run of this.#runs) {
      if (!random.chance(0.5)) continue;
      const ends = random.chance(0.2);
      const header = random.chance(0.3)
        ? null
        : headerOf({ state: ends ? "COMPLETED" : random.pick(STATES), endedAt: ends ? 5 : null, sequence: run.next });
      const dueAt = random.chance(0.1) ? 9e12 : 0;
      transitions.push(transitionOf(run.runId, run.next, { shard: run.shard, header, dueAt }));
    }
    // The same sequence twice: the store refuses the batch, and halves of it until the transition stands alone.
    if (random.chance(0.2) && this.#runs.length > 0) {
      const { runId, shard } = random.pick(this.#runs);
      if (!transitions.some((transition) => transition.runId === runId))
        transitions.push(transitionOf(runId, 1, { shard, header: headerOf() }));
    }
    return random.shuffle(transitions);
  }

  async #commit(transitions: readonly Transition[]): Promise<void> {
    if (transitions.length === 0) return;
    const stale = this.#random.chance(0.2) ? this.#random.int(0, SHARDS - 1) : -1;
    const held = leases.map((lease) => (lease.shard === stale ? { ...lease, epoch: 0 } : lease));
    try {
      const { refused } = await this.#writer.commit(held, transitions);
      for (const { why } of refused) this.#note(why, 1);
      const out = new Set(refused.map(({ runId }) => runId));
      for (const transition of transitions) if (!out.has(transition.runId)) this.#written(transition);
    } catch (error) {
      if (!(error instanceof CommitError) || error.kind !== "data") throw error;
      this.#note("halved", 1);
      const middle = transitions.length >> 1;
      if (middle === 0) return;
      await this.#commit(transitions.slice(0, middle));
      await this.#commit(transitions.slice(middle));
    }
  }

  #written({ runId, shard, sequence, header }: Transition): void {
    if (sequence === 1) this.#runs.push({ runId, shard, next: 2 });
    const run = this.#runs.find((one) => one.runId === runId);
    if (run !== undefined) run.next = sequence + 1;
    if (header?.state === "COMPLETED") this.#runs = this.#runs.filter((one) => one.runId !== runId);
  }

  #note(what: string, count: number): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + count);
  }
}

test(`at every moment, counts are what counting the rows gives, whatever is written, refused, halved, quarantined, deleted and folded (seed ${seed})`, async () => {
  const random = createRandom(seed);
  const other = await openDatabase({ target, log: silentLog });
  onTestFinished(() => other.close());
  const owners = await Promise.all(
    [database, database, other].map(
      async (from, index) =>
        new Owner(`o${index}`, createRandom(random.int(0, 1e9)), createJournal(from, TABLES), await openWriter(from)),
    ),
  );
  let working = true;
  const work = Promise.all(
    owners.map(async (owner) => {
      for (let step = 0; step < 60; step++) await owner.step();
    }),
  ).finally(() => {
    working = false;
  });
  let looks = 0;
  while (working) {
    expect(await findMiscounts(database.reads)).toEqual([]);
    looks += 1;
    await Promise.all([foldRunCounts(database), foldRunCounts(other)]);
    if (looks % 7 === 0) await sql("SELECT orchestrator.recount_runs()");
  }
  await work;
  expect(await findMiscounts(database.reads)).toEqual([]);
  expect(looks).toBeGreaterThan(5);
  expect((await totals()).length).toBeGreaterThan(10);
  const seen = new Map<string, number>();
  for (const owner of owners) for (const [what, count] of owner.seen) seen.set(what, (seen.get(what) ?? 0) + count);
  for (const what of ["fenced", "taken", "early", "halved", "quarantined", "ended unread"])
    expect(seen.get(what) ?? 0, what).toBeGreaterThan(0);
});

test("transitions that change no state add nothing, and one batch adds one row for what changed", async () => {
  const writer = await openWriter();
  const ids = Array.from({ length: 10 }, (_, index) => `r${index}`);
  await writer.commit(
    leases,
    ids.map((runId) => startTransition(runId)),
  );
  expect(await totals()).toEqual([{ tenant_id: "t", flow_id: "f", state: "RUNNING", count: 10 }]);
  expect(await changes()).toBe(1);
  await writer.commit(
    leases,
    ids.map((runId) => transitionOf(runId, 2, { header: headerOf({ state: "RUNNING" }) })),
  );
  await writer.commit(
    leases,
    ids.map((runId) => transitionOf(runId, 3)),
  );
  expect(await changes()).toBe(1);
  await writer.commit(
    leases,
    ids.slice(0, 4).map((runId) => transitionOf(runId, 4, { header: headerOf({ state: "WAITING" }) })),
  );
  expect(await changes()).toBe(3);
  expect(await totals()).toEqual([
    { tenant_id: "t", flow_id: "f", state: "RUNNING", count: 6 },
    { tenant_id: "t", flow_id: "f", state: "WAITING", count: 4 },
  ]);
});

test("changes are folded soon after headers were written, at a stop at the latest, and nothing is done while none are", async () => {
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (message) => void warnings.push(message) };
  const counts = keepRunCounts(database, log);
  onTestFinished(() => counts.stop());
  const writer = await createJournal(database, TABLES, counts.touch).openWriter("test");
  onTestFinished(() => writer.close());
  await writer.commit(leases, [startTransition("one"), startTransition("two", { tenantId: "u" })]);
  expect(await changes()).toBe(2);
  await eventually(async () => expect(await changes()).toBe(0));
  expect(await totals()).toEqual([
    { tenant_id: "t", flow_id: "f", state: "RUNNING", count: 1 },
    { tenant_id: "u", flow_id: "f", state: "RUNNING", count: 1 },
  ]);
  await writer.commit(leases, [transitionOf("one", 2, { header: headerOf() })]);
  expect(await changes()).toBe(2);
  await counts.stop();
  expect(await changes()).toBe(0);
  expect(await findMiscounts(database.reads)).toEqual([]);
  // A transition without a header, and a change that this instance did not write.
  await writer.commit(leases, [transitionOf("one", 3)]);
  await sql("UPDATE orchestrator.runs SET state = 'PAUSED' WHERE run_id = 'one'");
  await counts.stop();
  expect(await changes()).toBe(2);
  expect(warnings).toEqual([]);
});

test("runs of a database from before the counts are counted, and what an older release goes on to write", async () => {
  const { database: old } = older;
  await runMigrations(old, silentLog, readMigrations().slice(0, 3));
  await addLaterColumns(old);
  await old.journal.query("INSERT INTO orchestrator.shard_leases (shard, epoch, instance_id) VALUES (0, 1, 'a')");
  const writer = await createJournal(old, TABLES).openWriter("older");
  onTestFinished(() => writer.close());
  const at = leases.slice(0, 1);
  await writer.commit(at, [
    startTransition("one"),
    startTransition("two"),
    startTransition("three", { tenantId: "u", state: "WAITING" }),
  ]);
  await runMigrations(old, silentLog);
  await takeAnyFlow(old);
  const { rows } = await old.reads.query(
    "SELECT tenant_id, state, count FROM orchestrator.run_counts ORDER BY tenant_id",
  );
  expect(rows).toEqual([
    { tenant_id: "t", state: "RUNNING", count: 2 },
    { tenant_id: "u", state: "WAITING", count: 1 },
  ]);
  // Its connection and its prepared statements are from before.
  await writer.commit(at, [
    startTransition("four"),
    transitionOf("one", 2, { header: headerOf({ state: "FAILED", endedAt: 1 }) }),
  ]);
  expect(await findMiscounts(old.reads)).toEqual([]);
});

const filters: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => {
  const field = fc.constantFrom({ name: "state" as const }, { name: "flow_id" as const }, { name: "version" as const });
  const value = fc.constantFrom(...STATES, ...FLOWS, ...VERSIONS, "COMPLETED", "x");
  return {
    filter: fc.oneof(
      { maxDepth: 3 },
      fc.record({ op: fc.constantFrom("==" as const, "!=" as const, "<" as const, ">=" as const), field, value }),
      fc.record({ op: fc.constant("in" as const), field, values: fc.array(value, { maxLength: 3 }) }),
      fc.record({ op: fc.constant("has" as const), field }),
      fc.record({ op: fc.constant("not" as const), arg: tie("filter") }),
      fc.record({
        op: fc.constantFrom("and" as const, "or" as const),
        args: fc.array(tie("filter"), { minLength: 1, maxLength: 3 }),
      }),
    ),
  };
}).filter;

test("a filter on states, flows and versions counts what the same filter counts in the rows, for the own tenant only", async () => {
  const writer = await openWriter();
  const random = createRandom(7);
  const transitions = Array.from({ length: 300 }, (_, index) =>
    startTransition(`r${index}`, {
      tenantId: random.pick(TENANTS),
      flowId: random.pick(FLOWS),
      version: random.pick(VERSIONS),
      state: random.pick([...STATES, "COMPLETED"]),
    }),
  );
  await writer.commit(leases, transitions.slice(0, 200));
  await foldRunCounts(database);
  await writer.commit(leases, transitions.slice(200));
  const index = createRunIndex(database);
  const inRows = (filter: Filter): Filter => ({ op: "and", args: [filter, { op: "has", field: { name: "run_id" } }] });
  await fc.assert(
    fc.asyncProperty(filters, fc.constantFrom("t", "u", "nobody"), async (filter, tenantId) => {
      const caller: Caller = { tenantId, actor: "" };
      expect(await index.countRuns(caller, filter)).toEqual(await index.countRuns(caller, inRows(filter)));
    }),
    { numRuns: 200 },
  );
  const all = await Promise.all(TENANTS.map((tenantId) => index.countRuns({ tenantId, actor: "" }, null)));
  expect(all.flat().reduce((sum, one) => sum + one.count, 0)).toBe(300);
});

test("only filters on states, flows and versions are answered without counting rows", async () => {
  const index = createRunIndex(database);
  const caller: Caller = { tenantId: "t", actor: "" };
  // Runs that are counted and do not exist: they show where an answer comes from.
  await sql("INSERT INTO orchestrator.run_counts (tenant_id, flow_id, state, count) VALUES ('t', 'f', 'RUNNING', 3)");
  const count = async (filter: Filter | null) => await index.countRuns(caller, filter);
  const flow: Filter = { op: "in", field: { name: "flow_id" }, values: ["f", "x"] };
  const state: Filter = { op: "==", field: { name: "state" }, value: "RUNNING" };
  const user: Filter = { op: "==", field: { name: "user_id" }, value: "" };
  const three = [{ state: "RUNNING", count: 3 }];
  expect(await count(null)).toEqual(three);
  expect(await count({ op: "and", args: [flow, state] })).toEqual(three);
  expect(await count({ op: "not", arg: { op: "not", arg: state } })).toEqual(three);
  expect(await count({ op: "not", arg: state })).toEqual([]);
  expect(await count({ op: "and", args: [flow, user] })).toEqual([]);
  expect(await count({ op: "not", arg: { op: "!=", field: { name: "labels", key: "a" }, value: "b" } })).toEqual([]);
  await sql("SELECT orchestrator.recount_runs()");
  expect(await count(null)).toEqual([]);
});
