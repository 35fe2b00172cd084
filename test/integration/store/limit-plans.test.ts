/** The statements of limits cost what they return, whatever else the tables have or had. */
import { expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { createLimitStore } from "../../../src/store/limits/declared-limits.ts";
import { createLimitAudit } from "../../../src/store/limits/limit-audit.ts";
import { createLimitPlaces } from "../../../src/store/limits/limit-places.ts";
import { createLimitSlotStore } from "../../../src/store/limits/limit-slots.ts";
import { type Database, openDatabase } from "../../../src/store/sql/pool.ts";
import { createTestDatabase, takeAnyFlow } from "../../support/postgres.ts";

const { target, database: admin } = await createTestDatabase();
await takeAnyFlow(admin);

const ROWS = 100_000;
const UNBOUND = 20_000;
const CHUNK = 10_000;

/** Rows and entries of indexes of slots and runs that were read since the beginning. */
async function readSoFar(): Promise<{ readonly scanned: number; readonly found: number }> {
  const { rows } = await admin.reads.query<{ scanned: number; found: number }>(
    `SELECT sum(seq_tup_read)::float8 AS scanned,
      (SELECT sum(idx_tup_read)::float8 FROM pg_stat_user_indexes WHERE relname IN ('limit_slots', 'runs')) AS found
    FROM pg_stat_user_tables WHERE relname IN ('limit_slots', 'runs')`,
  );
  return rows[0] ?? { scanned: 0, found: 0 };
}

/** What a statement reads: rows by scans, and entries of indexes. */
async function costOf(database: Database, call: () => Promise<unknown>) {
  const flush = () =>
    // On the connection of the statements, each of which tells what it has read now and then.
    Promise.all([database.journal, database.reads].map((pool) => pool.query(FLUSH)));
  await flush();
  const before = await readSoFar();
  const answer = await call();
  await flush();
  const after = await readSoFar();
  return { answer, scanned: after.scanned - before.scanned, found: after.found - before.found };
}

const FLUSH = { name: "test.flush", text: "SELECT pg_stat_force_next_flush()", byIndex: true };

const limit = { tenantId: "t", name: "crm", key: "k" };
const lease = { shard: 0, epoch: 1 };

function createCalls(database: Database) {
  const slots = createLimitSlotStore(database, 1);
  const lists = createLimitStore(database);
  const audit = createLimitAudit(database);
  const places = createLimitPlaces(database);
  const ofCrm = { name: "crm", key: null, state: "waiting" } as const;
  return {
    grant: () => slots.grant([lease], [limit], Date.now() + 600_000),
    listGranted: () => slots.listGranted([7]),
    listWaiting: () => slots.listWaiting([7], null),
    listWaitingAt: () => slots.listWaitingAt([7], null),
    giveBack: () => slots.giveBack(lease, "none"),
    findPlace: () => places.findPlace("t", "crm2", "a"),
    removeLost: () => audit.removeLost([{ shard: 7, epoch: 1 }], { runId: "q", path: "" }),
    readSlots: () => audit.readSlots(["crm1", "crm2"]),
    repair: () => audit.repair({ lease, runId: "none", sequence: 1, wrong: [], extra: ["a"] }),
    view: () => lists.view("t", ["crm"]),
    listNames: () => lists.listNames("t", "", 5),
    listKeys: () => lists.listKeys("t", "crm", null, 5),
    listBusiest: () => lists.listBusiest("t", "crm", 5),
    listSlots: () => lists.listSlots("t", ofCrm, null, 5),
    listWaitingKeys: () => lists.listWaitingKeys({ tenantId: "t", name: "crm" }, null, 5),
  };
}

/** Adds slots of `name`, one for each of `count` runs. */
async function add(name: string, count: number, { run = name, keys = 1, max = 1 as number | null } = {}) {
  // No statement takes long, also on a busy machine.
  for (let from = 1; from <= count; from += CHUNK)
    await addSome(name, from, Math.min(count, from + CHUNK - 1), run, keys, max);
}

const addSome = (name: string, from: number, to: number, run: string, keys: number, max: number | null) =>
  admin.reads.query(
    `INSERT INTO orchestrator.limit_slots
      (run_id, task_path, shard, tenant_id, name, key, home, state, asked, rank, since, max_concurrent)
    SELECT $5 || n, 'a', 0, 't', $1, CASE WHEN $3::int = 1 THEN 'k' ELSE 'k' || n % $3 END, 0, 'waiting', 1, 0,
      now() - interval '1 day' + n * interval '1 millisecond', $4::int4
    FROM generate_series($2::int, $6::int) n`,
    [name, from, keys, max, run, to],
  );

/** Adds open runs for the slots of `crm`, and many others. */
const addRuns = () =>
  admin.reads.query(
    `INSERT INTO orchestrator.runs (run_id, run_day, shard, tenant_id, flow_id, version, flow_hash, state, moving, sequence,
      user_id, correlation_id, run_key, parent_run_id, parent_task, created_at, updated_at)
    SELECT CASE WHEN n <= 3 THEN 'crm' ELSE 'run' END || n, 20000, 0, 't', 'f', '1', '', 'RUNNING', false, 1,
      '', '', '', '', '', now(), now()
    FROM generate_series(1, 10000) n`,
  );

// Cause: plans that were made while nobody waited read all who waited later, each time.
test("plans that are made while nobody waits read a few entries of indexes when 100,000 wait", async () => {
  // One connection of each kind, which keeps its plans.
  const database = await openDatabase({ target, log: silentLog, readConnections: 1, journalConnections: 1 });
  try {
    await admin.reads.query("INSERT INTO orchestrator.shard_leases (shard, epoch) VALUES (0, 1)");
    const calls = createCalls(database);
    // The server then knows that the table is empty, and it chooses a plan for all values after five executions.
    await admin.reads.query("VACUUM orchestrator.limit_slots, orchestrator.runs");
    for (let times = 0; times < 8; times += 1) for (const call of Object.values(calls)) await call();
    await addRuns();
    await add("other", ROWS, { keys: ROWS });
    await add("crm", 3);
    const costs: Record<string, object> = {};
    const ofAll = new Set(["listWaiting", "listWaitingAt"]);
    for (const [name, call] of Object.entries(calls)) {
      const { scanned, found, answer } = await costOf(database, call);
      if (name === "grant") expect(answer).toMatchObject({ granted: [{ runId: "crm1" }] });
      // Pages and jumps cost more than what they return, but not much; two lists read what waits once, in pages.
      const isCheap = found < (ofAll.has(name) ? 1.1 * ROWS : 2_500);
      costs[name] = { scanned, isCheap, ...(isCheap ? {} : { found }) };
    }
    expect(costs).toEqual(Object.fromEntries(Object.keys(calls).map((name) => [name, { scanned: 0, isCheap: true }])));
  } finally {
    await database.close();
  }
}, 120_000);

// Cause: those without any bound, and those whose run was quarantined unread, were read past each time.
test("a slot is given out past 20,000 tasks without bounds for what one page of the line costs", async () => {
  const database = await openDatabase({ target, log: silentLog, readConnections: 1, journalConnections: 1 });
  try {
    const { grant, findPlace } = createCalls(database);
    await admin.reads.query("TRUNCATE orchestrator.limit_slots");
    await add("crm", UNBOUND, { run: "unbound", max: null });
    await add("crm", 3);
    const given = await costOf(database, grant);
    expect(given).toMatchObject({ answer: { granted: [{ runId: "crm1" }] }, scanned: 0 });
    expect(given.found).toBeLessThan(100);
    const found = await costOf(database, findPlace);
    expect(found).toMatchObject({ answer: { ahead: 0, holders: 1 }, scanned: 0 });
    expect(found.found).toBeLessThan(100);
  } finally {
    await database.close();
  }
}, 120_000);
