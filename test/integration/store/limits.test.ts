/** Lists and counts of limits: right, and quick however many keys there are and however much waits. */
import { beforeEach, expect, test } from "vitest";
import { createLimitStore } from "../../../src/store/limits/declared-limits.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase();
const store = createLimitStore(database);

const sql = async <Row extends object = Record<string, unknown>>(text: string, values: (string | number)[] = []) =>
  (await database.journal.query<Row>(text, values)).rows;

beforeEach(async () => {
  await sql("TRUNCATE orchestrator.limit_slots, orchestrator.limits, orchestrator.limit_pauses");
});

/** Adds `count` tasks, the first of which is ready at `since`; each has a key of its own when `keys` is as many. */
const add = (run: string, count: number, { name = "crm", keys = 1, state = "waiting", since = 1_000, rank = 0 } = {}) =>
  sql(
    `INSERT INTO orchestrator.limit_slots (run_id, task_path, shard, tenant_id, name, key, home, state, asked, rank, since)
    SELECT $1 || n, 'a', 0, 't', $3, 'k' || n % $4::int, 0, $5, 1, $7::int2, to_timestamp($6::float8 / 1000) + n * interval '1 second'
    FROM generate_series(0, $2::int - 1) n`,
    [run, count, name, keys, state, since, rank],
  );

const put = { type: "put", why: "", etag: "", maxConcurrent: 1, rate: null } as const;

/** Milliseconds of the fastest of three calls. */
const timeOf = async (call: () => Promise<unknown>): Promise<number> => {
  const times: number[] = [];
  for (let n = 0; n < 3; n += 1) {
    const begun = performance.now();
    await call();
    times.push(performance.now() - begun);
  }
  return Math.min(...times);
};

test("a line is listed in its order, page by page, whatever its tasks have in common", async () => {
  await add("late", 3, { since: 9_000 });
  await add("urgent", 2, { since: 20_000, rank: -5 });
  await add("holder", 2, { state: "taken" });
  const names: string[] = [];
  let after: Awaited<ReturnType<typeof store.listSlots>>[number] | null = null;
  for (;;) {
    const page = await store.listSlots("t", { name: "crm", key: null, state: "waiting" }, after, 2);
    names.push(...page.map(({ runId }) => runId));
    after = page.at(-1) ?? null;
    if (page.length < 2) break;
  }
  expect(names).toEqual(["urgent0", "urgent1", "late0", "late1", "late2"]);
  const held = await store.listSlots("t", { name: "crm", key: "k0", state: "held" }, null, 10);
  expect(held.map(({ runId, state }) => `${runId} ${state}`)).toEqual(["holder0 taken", "holder1 taken"]);
  expect(await store.listSlots("t", { name: "crm", key: "", state: "waiting" }, null, 10)).toEqual([]);
  expect(await store.view("t", ["crm", "none"])).toMatchObject([
    { name: "crm", waiting: 5, held: 2, oldestAt: 9_000, pausedKeys: 0 },
    { name: "none", waiting: 0, held: 0, oldestAt: null, declaration: null },
  ]);
  expect(await store.view("other", ["crm"])).toMatchObject([{ waiting: 0, held: 0 }]);
});

test("100,000 keys of one limit are paged, counted, and one name in the metrics", async () => {
  await add("a", 100_000, { keys: 100_000 });
  await add("b", 1_000, { keys: 1_000, state: "taken" });
  await add("c", 10, { name: "small" });
  await sql("ANALYZE orchestrator.limit_slots");
  let after: string | null = null;
  const keys = new Set<string>();
  let pages = 0;
  for (; pages < 5; pages += 1) {
    const page = await store.listKeys("t", "crm", after, 500);
    for (const { key } of page) keys.add(key);
    after = page.at(-1)?.key ?? null;
  }
  expect(keys.size).toBe(2_500);
  expect(await store.listKeys("t", "crm", "k99998", 500)).toMatchObject([{ key: "k99999", waiting: 1, held: 0 }]);
  expect(await store.listNames("t", "", 10)).toEqual(["crm", "small"]);
  expect(await store.listTotals()).toMatchObject([
    { name: "crm", waiting: 100_000, held: 1_000 },
    { name: "small", waiting: 10, held: 0 },
  ]);
  const waiting: string[] = [];
  for (let from: string | null = null; ; from = waiting.at(-1) ?? null) {
    const page = await store.listWaitingKeys({ tenantId: "t", name: "crm" }, from, 1_000);
    waiting.push(...page);
    if (page.length < 1_000) break;
  }
  expect(new Set(waiting).size).toBe(100_000);
  const times = {
    names: await timeOf(() => store.listNames("t", "", 51)),
    keys: await timeOf(() => store.listKeys("t", "crm", "k5", 51)),
    slots: await timeOf(() => store.listSlots("t", { name: "crm", key: null, state: "waiting" }, null, 51)),
    view: await timeOf(() => store.view("t", ["crm", "small"])),
  };
  for (const [list, ms] of Object.entries(times))
    expect({ list, isQuick: ms < 500, ms }).toMatchObject({ isQuick: true });
}, 120_000);

test("a tenant declares and pauses at most 10,000 limits, and what was over makes room", async () => {
  await sql(
    "INSERT INTO orchestrator.limits (tenant_id, name, max_concurrent) SELECT 't', 'n' || n, 1 FROM generate_series(1, 10000) n",
  );
  await expect(store.change("t", "one-more", "ann", put)).rejects.toMatchObject({ code: "TOO_MANY_LIMITS" });
  expect(await store.change("t", "n1", "ann", { ...put, maxConcurrent: 2 })).toBe(true);
  expect(await store.change("other", "one-more", "ann", put)).toBe(true);
  const until = "clock_timestamp() + interval '1 hour'";
  await sql(
    `INSERT INTO orchestrator.limit_pauses (tenant_id, name, key, all_keys, until, since) SELECT 't', 'p', 'k' || n, false, ${until}, clock_timestamp()
    FROM generate_series(1, 10000) n`,
  );
  const pause = { type: "pause", why: "", key: null, until: null } as const;
  await expect(store.change("t", "p", "ann", pause)).rejects.toMatchObject({ code: "TOO_MANY_LIMITS" });
  await sql("UPDATE orchestrator.limit_pauses SET until = clock_timestamp() - interval '1 second' WHERE key = 'k7'");
  expect(await store.change("t", "p", "ann", pause)).toBe(true);
  expect(await store.view("t", ["p"])).toMatchObject([{ pausedKeys: 9_999, pause: { until: null, by: "ann" } }]);
  expect(await store.change("t", "p", "ann", { type: "resume", why: "", key: null })).toBe(true);
  expect(await store.listNames("t", "o", 10)).toEqual([]);
});

test("a limit that a service names is not deleted unless forced", async () => {
  // Cause: only flow versions counted, and calls of such a service waited forever.
  await sql(
    `INSERT INTO orchestrator.services (tenant_id, name, entry, actor, reason)
    VALUES ('t', 'billing', '{"url": "https://billing.example", "limit": "crm"}', 'ann', ''),
      ('other', 'billing', '{"url": "https://billing.example", "limit": "erp"}', 'ann', '')`,
  );
  const configured = createLimitStore(database, (limit) => (limit === "crm" ? ["ledger"] : []));
  const removal = { type: "delete", why: "", etag: "", force: false } as const;
  for (const name of ["crm", "erp"]) await store.change("t", name, "ann", put);
  const details = (count: number, user: string) => ({ code: "LIMIT_IN_USE", details: { limit: "crm", count, user } });
  await expect(store.change("t", "crm", "ann", removal)).rejects.toMatchObject(details(1, "service billing"));
  await expect(configured.change("t", "crm", "ann", removal)).rejects.toMatchObject(details(2, "service billing"));
  await sql("DELETE FROM orchestrator.services WHERE tenant_id = 't'");
  await expect(configured.change("t", "crm", "ann", removal)).rejects.toMatchObject(
    details(1, "service ledger of routing.services"),
  );
  expect(await store.change("t", "erp", "ann", removal)).toBe(true);
  expect(await configured.change("t", "crm", "ann", { ...removal, force: true })).toBe(true);
});

test("a pause by a call replaces one by a response", async () => {
  await sql(
    `INSERT INTO orchestrator.limit_pauses (tenant_id, name, key, all_keys, until, since, run_id, reason)
    VALUES ('t', 'crm', 'k', false, clock_timestamp() + interval '1 hour', clock_timestamp(), 'r1', 'TOO_MANY_REQUESTS')`,
  );
  expect(await store.listKeys("t", "crm", null, 10)).toMatchObject([{ key: "k", pause: { runId: "r1", by: "" } }]);
  await store.change("t", "crm", "ann", { type: "pause", why: "mine", key: "k", until: null });
  expect(await store.listKeys("t", "crm", null, 10)).toMatchObject([
    { key: "k", pause: { runId: "", by: "ann", why: "mine", until: null } },
  ]);
});
