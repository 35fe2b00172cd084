/** Budgets on a real database: instances that die at any moment, and what is removed when it is old. */
import { randomUUID } from "node:crypto";
import { beforeEach, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { BudgetMeter } from "../../../src/engine/budgets/meter.ts";
import type { BudgetLedger } from "../../../src/engine/ports/models/budgets.ts";
import type { MeteredCall } from "../../../src/engine/ports/models/meter.ts";
import { createBudgetControl } from "../../../src/store/budgets/budget-control.ts";
import { createBudgetLedger } from "../../../src/store/budgets/ledger.ts";
import { removeOldSpending } from "../../../src/store/budgets/spending-retention.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase();
const control = createBudgetControl(database);
const caller = { tenantId: "t", actor: "ann" };
const { signal } = new AbortController();
const sql = async <Row extends object>(text: string): Promise<Row[]> => (await database.reads.query<Row>(text)).rows;

beforeEach(() =>
  sql("TRUNCATE orchestrator.budgets, orchestrator.model_calls, orchestrator.budget_waits, orchestrator.runs"),
);

/** The row of a run. */
const addRun = (runId: string, state = "RUNNING") =>
  sql(`INSERT INTO orchestrator.runs (run_id, run_day, shard, tenant_id, flow_id, version, flow_hash, state, moving, sequence,
      user_id, correlation_id, run_key, parent_run_id, parent_task, created_at, updated_at)
    VALUES ('${runId}', 20000, 0, 't', 'f', '1', '', '${state}', false, 1, '', '', '', '', '', now(), now())`);

/** The time of the tests, of which a minute begins. */
const MINUTE = 1_800_000_000_000;

const aCall = (runId: string, more: Partial<MeteredCall> = {}): MeteredCall => ({
  ...{ tenantId: "t", runId, flowId: "f", userId: "u", budgets: [], path: "q", attempt: 1, number: 1 },
  ...{ callKey: `${runId}/q/0/call 1`, provider: "p", model: "m", inputTokens: 2, maxOutputTokens: 8 },
  ...{ inputPriceMicros: 1_000_000, outputPriceMicros: 2_000_000, tokensPerMinute: null },
  ...more,
});

/** An instance; once it is dead, nothing of it reaches the database. */
function openInstance(random: () => number) {
  const id = randomUUID();
  const own = createBudgetLedger(database, id);
  let dead = false;
  const { promise: death, resolve } = Promise.withResolvers<undefined>();
  const die = (): Promise<never> => {
    dead = true;
    resolve(undefined);
    return new Promise(() => {});
  };
  const ledger: BudgetLedger = {
    listAbandoned: own.listAbandoned,
    async transact(query, decide) {
      // It dies before the commit, or after it and before anybody is notified.
      const moment = random();
      if (dead || moment < 0.03) await die();
      await own.transact(query, decide);
      if (dead || moment > 0.97) await die();
    },
  };
  const meter = new BudgetMeter({
    ...{ ledger, log: silentLog, isStopping: () => true, warn: () => {}, now: () => MINUTE },
    holds: { hold: async () => {} },
    metrics: { settled: () => {}, overran: () => {}, refused: () => {}, abandoned: () => {} },
  });
  return { meter, death, isDead: () => dead };
}

/** A generator of numbers in [0, 1) that a seed repeats. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

test("whatever dies at whatever moment: reserved is what is open, and together with what is settled within the limit", async () => {
  const random = createRandom(20_261_130);
  const key = { scope: "tenant", id: "" } as const;
  await control.setLimits(
    caller,
    key,
    { maxCostMicros: 900, maxTokens: null, maxSteps: null, maxTimeMs: null },
    "",
    true,
  );
  const check = async (): Promise<void> => {
    const [row] = await sql<{ settled: number; reserved: number; open: number; charged: number }>(`SELECT
      b.settled_cost_micros AS settled, b.reserved_cost_micros AS reserved,
      (SELECT coalesce(sum(reserved_cost_micros), 0)::int8 FROM orchestrator.model_calls WHERE settled_at IS NULL) AS open,
      (SELECT coalesce(sum(cost_micros), 0)::int8 FROM orchestrator.model_calls WHERE settled_at IS NOT NULL) AS charged
      FROM orchestrator.budgets b WHERE b.scope = 'tenant'`);
    if (row === undefined) throw new Error("there is no budget");
    expect(row.reserved).toBe(row.open);
    expect(row.settled).toBe(row.charged);
    expect(row.settled + row.reserved).toBeLessThanOrEqual(900);
  };
  await spendAndDie(random, () => aCall(`r${Math.floor(random() * 40)}`), check);
});

/** Who may spend what in a family of runs, and what is above: a goal, its work, and what that starts. */
const FAMILY = {
  goal: { above: null, maxCostMicros: 600 },
  "goal~work": { above: "goal", maxCostMicros: 450 },
  "goal~draft": { above: "goal~work", maxCostMicros: 120 },
  "goal~do": { above: "goal~work", maxCostMicros: null },
  "goal~part": { above: "goal~do", maxCostMicros: 90 },
} as const satisfies Record<string, { readonly above: string | null; readonly maxCostMicros: number | null }>;

/** Ids of a run and those above it. */
function lineOf(runId: keyof typeof FAMILY): readonly (keyof typeof FAMILY)[] {
  const { above } = FAMILY[runId];
  return above === null ? [runId] : [runId, ...lineOf(above)];
}

test("whatever dies at whatever moment: each run of a family keeps its limit, and that of each run above", async () => {
  const random = createRandom(20_261_201);
  const runs = Object.keys(FAMILY) as (keyof typeof FAMILY)[];
  const draw = (): MeteredCall => {
    const runId = runs[Math.floor(random() * runs.length)] ?? "goal";
    const budgets = lineOf(runId).flatMap((id) => {
      const { maxCostMicros } = FAMILY[id];
      return maxCostMicros === null ? [] : [{ runId: id, maxCostMicros }];
    });
    return aCall(runId, { budgets, callKey: `${runId}/q~${Math.floor(random() * 15)}/0/call 1` });
  };
  const check = async (): Promise<void> => {
    const budgets = await sql<{ id: keyof typeof FAMILY; settled: number; reserved: number }>(
      "SELECT id, settled_cost_micros AS settled, reserved_cost_micros AS reserved FROM orchestrator.budgets",
    );
    const calls = await sql<{ id: keyof typeof FAMILY; open: number; charged: number }>(`SELECT run_id AS id,
      coalesce(sum(reserved_cost_micros) FILTER (WHERE settled_at IS NULL), 0)::int8 AS open,
      coalesce(sum(cost_micros) FILTER (WHERE settled_at IS NOT NULL), 0)::int8 AS charged
      FROM orchestrator.model_calls GROUP BY run_id`);
    for (const { id, settled, reserved } of budgets) {
      const below = calls.filter((one) => lineOf(one.id).includes(id));
      const sum = (of: "open" | "charged"): number => below.reduce((total, one) => total + one[of], 0);
      expect([id, settled, reserved]).toEqual([id, sum("charged"), sum("open")]);
      expect(settled + reserved).toBeLessThanOrEqual(FAMILY[id].maxCostMicros ?? 0);
    }
  };
  await spendAndDie(random, draw, check);
});

/** Two instances make calls in turns, and die at any moment; at the end, both of them are gone. */
async function spendAndDie(random: () => number, draw: () => MeteredCall, check: () => Promise<void>): Promise<void> {
  let instances = [openInstance(random), openInstance(random)];
  let made = 0;
  for (let round = 0; round < 60; round++) {
    await Promise.all(
      Array.from({ length: 6 }, async (_, index) => {
        const instance = instances[index % 2] as (typeof instances)[number];
        // Some calls are repeated: their instance died, or their attempt began again.
        const reserved = await Promise.race([instance.meter.reserve(draw(), signal), instance.death]);
        if (reserved?.ok !== true) return;
        made += 1;
        if (random() < 0.1) return;
        const outputTokens = Math.floor(random() * 3);
        const costMicros = 2 + 2 * outputTokens;
        const settled = reserved.settle({ inputTokens: 2, outputTokens, costMicros, basis: "reported" });
        await Promise.race([settled, instance.death]);
      }),
    );
    await check();
    instances = instances.map((instance) => (instance.isDead() ? openInstance(random) : instance));
  }
  expect(made).toBeGreaterThan(60);
  // All of them are gone.
  const last = openInstance(() => 0.5);
  while ((await last.meter.chargeAbandoned()) > 0) await check();
  await check();
  const [left] = await sql<{ count: number }>(
    "SELECT count(*) AS count FROM orchestrator.model_calls WHERE settled_at IS NULL",
  );
  expect(left?.count).toBe(0);
}

test("calls of two instances share the tokens of a minute, which are in no list of budgets", async () => {
  const [one, other] = [openInstance(() => 0.5), openInstance(() => 0.5)];
  const ask = (instance: typeof one, runId: string) =>
    instance.meter.reserve(aCall(runId, { tokensPerMinute: 25 }), signal);
  const asked = await Promise.all([ask(one, "a"), ask(other, "b"), ask(one, "c")]);
  expect(asked.filter(({ ok }) => ok)).toHaveLength(2);
  const [put] = asked.filter(({ ok }) => !ok);
  expect(put).toMatchObject({ outcome: { error: { type: "TOKENS_PER_MINUTE_IN_USE" } } });
  const rows = await sql<{ id: string; reserved: number }>(
    "SELECT id, reserved_tokens AS reserved FROM orchestrator.budgets WHERE scope = 'minute'",
  );
  expect(rows).toEqual([{ id: "p/m 2027-01-15T08:00", reserved: 20 }]);
  expect(await control.listBudgets(caller, null, null, 10)).toEqual([]);
  for (const reserved of asked)
    if (reserved.ok) await reserved.settle({ inputTokens: 2, outputTokens: 0, costMicros: 2, basis: "reported" });
  expect(await ask(other, "c")).toMatchObject({ ok: true });
  expect(await removeOldSpending(database, Number.POSITIVE_INFINITY, () => false, 0)).toBe(0);
  await one.meter.chargeAbandoned();
  expect(await removeOldSpending(database, Number.POSITIVE_INFINITY, () => false, 0)).toBe(1);
  expect(await sql("SELECT 1 FROM orchestrator.model_calls")).toHaveLength(3);
});

test("a budget of a run comes with its first call; usage is grouped, and pages follow each other", async () => {
  const { meter } = openInstance(() => 0.5);
  await addRun("a");
  for (const runId of ["a", "b"]) {
    const reserved = await meter.reserve(aCall(runId, { budgets: [{ runId, maxTokens: 100 }] }), signal);
    if (!reserved.ok) throw new Error(reserved.outcome.error.message);
    await reserved.settle({ inputTokens: 3, outputTokens: 4, costMicros: null, basis: "estimated" });
  }
  expect(await control.getBudget(caller, { scope: "run", id: "a" })).toMatchObject({
    ...{ maxTokens: 100, maxCostMicros: null, settled: { tokens: 7, costMicros: 0 }, reserved: { tokens: 0 } },
  });
  const now = Date.now();
  const query = { from: now - 60_000, to: now + 60_000, flowId: "", skip: 0, limit: 10 };
  expect(await control.listUsage(caller, { ...query, by: ["model", "user"] })).toEqual([
    {
      ...{ group: { model: "p/m", user: "u" }, calls: 2, inputTokens: 6, outputTokens: 8, costMicros: 0 },
      ...{ estimatedCalls: 2, unpricedCalls: 2 },
    },
  ]);
  const second = await control.listUsage(caller, { ...query, by: ["run"], skip: 1, limit: 1 });
  expect(second.map(({ group }) => group)).toEqual([{ run: "b" }]);
  expect(await control.listUsage({ tenantId: "other", actor: "" }, { ...query, by: [] })).toMatchObject([{ calls: 0 }]);
});

test("old calls are removed, and what belongs to no run; budgets of flows and open calls stay", async () => {
  const { meter } = openInstance(() => 0.5);
  await control.setLimits(
    caller,
    { scope: "flow", id: "f" },
    { maxCostMicros: null, maxTokens: 8, maxSteps: null, maxTimeMs: null },
    "",
    true,
  );
  const open = await meter.reserve(aCall("open", { flowId: "g", budgets: [{ runId: "open", maxTokens: 50 }] }), signal);
  expect(open.ok).toBe(true);
  const done = await meter.reserve(aCall("done", { flowId: "g", budgets: [{ runId: "done", maxTokens: 50 }] }), signal);
  if (!done.ok) throw new Error(done.outcome.error.message);
  await done.settle({ inputTokens: 1, outputTokens: 1, costMicros: 3, basis: "reported" });
  expect(await meter.reserve(aCall("short"), signal)).toMatchObject({ ok: false });
  const names = async () =>
    (await sql<{ name: string }>("SELECT scope || ' ' || id AS name FROM orchestrator.budgets ORDER BY 1")).map(
      ({ name }) => name,
    );
  expect(await names()).toEqual(["flow f", "run done", "run open"]);
  expect(await removeOldSpending(database, 60_000)).toBe(0);
  // The call, its budget, and the wait of a run that does not exist.
  expect(await removeOldSpending(database, 0, () => false, 0)).toBe(3);
  expect(await names()).toEqual(["flow f", "run open"]);
});

// Cause: the budget began anew when a run was deleted whose child run goes on without it (`close_policy: abandon`).
test("the budget of a run that is deleted stays as long as there are runs of its family", async () => {
  const { meter } = openInstance(() => 0.5);
  const spend = async (runId: string): Promise<boolean> => {
    const budgets = ["goal~work", "goal"].map((id) => ({ runId: id, maxTokens: 15 }));
    const reserved = await meter.reserve(aCall(runId, { budgets, callKey: randomUUID() }), signal);
    if (reserved.ok) await reserved.settle({ inputTokens: 2, outputTokens: 8, costMicros: 2, basis: "reported" });
    return reserved.ok;
  };
  await addRun("goal~left");
  // Neither of these is of the family.
  await addRun("goa");
  await addRun("goal-2");
  expect(await spend("goal~left")).toBe(true);
  await removeOldSpending(database, Number.POSITIVE_INFINITY, () => false, 0);
  expect(await spend("goal~left")).toBe(false);
  await sql("DELETE FROM orchestrator.runs WHERE run_id = 'goal~left'");
  await removeOldSpending(database, Number.POSITIVE_INFINITY, () => false, 0);
  expect(await sql("SELECT id FROM orchestrator.budgets")).toEqual([]);
});

// Cause: a run that was resumed, canceled, or deleted counted as waiting, and its budget could be raised.
test("only runs that are held wait for a budget, and a run that is deleted has none", async () => {
  const { meter } = openInstance(() => 0.5);
  await addRun("a");
  const reserved = await meter.reserve(aCall("a", { budgets: [{ runId: "a", maxTokens: 8 }] }), signal);
  expect(reserved.ok).toBe(false);
  const key = { scope: "run", id: "a" } as const;
  const limits = { maxCostMicros: null, maxTokens: 50, maxSteps: null, maxTimeMs: null };
  const waiting = async () => (await control.getBudget(caller, key))?.waitingRuns;
  for (const [state, count] of [
    ["SUSPENDED", 1],
    ["PAUSED", 1],
    ["RUNNING", 0],
  ] as const) {
    await sql(`UPDATE orchestrator.runs SET state = '${state}'`);
    expect([state, await waiting()]).toEqual([state, count]);
  }
  await sql("UPDATE orchestrator.runs SET state = 'CANCELED', ended_at = now()");
  expect(await waiting()).toBe(0);
  await sql("DELETE FROM orchestrator.runs");
  expect(await control.getBudget(caller, key)).toBeNull();
  expect(await control.listBudgets(caller, null, null, 10)).toEqual([]);
  await expect(control.setLimits(caller, key, limits, "", false)).rejects.toMatchObject({ code: "BUDGET_NOT_FOUND" });
});
