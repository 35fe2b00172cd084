import { expect, test } from "vitest";
import { silentLog } from "../../../../src/base/log.ts";
import { BudgetMeter } from "../../../../src/engine/budgets/meter.ts";
import type { Budget, BudgetLedger, LedgerChanges, OpenCall } from "../../../../src/engine/ports/models/budgets.ts";
import type { MeteredCall, ModelUsage, Reserved } from "../../../../src/engine/ports/models/meter.ts";
import { eventually } from "../../../support/eventually.ts";

const NOTHING = { costMicros: 0, tokens: 0, steps: 0, timeMs: 0 };
const USED: ModelUsage = { inputTokens: 1, outputTokens: 1, costMicros: 0, basis: "reported" };

/** A ledger in memory with one budget of tokens for the tenant. */
function createLedger(maxTokens: number) {
  let budget: Budget = {
    ...{ tenantId: "t", scope: "tenant", id: "", maxCostMicros: null, maxTokens, maxSteps: null, maxTimeMs: null },
    ...{ settled: NOTHING, reserved: NOTHING },
  };
  const open = new Map<string, OpenCall>();
  const seen: LedgerChanges[] = [];
  let failure: Error | null = null;
  const ledger: BudgetLedger = {
    async transact({ callIds, callKeys }, decide) {
      const found = [...open.values()].filter(
        ({ callId, callKey }) => callIds.includes(callId) || callKeys.includes(callKey),
      );
      const changes = decide({ budgets: [budget], open: found });
      seen.push(changes);
      budget = changes.budgets[0] ?? budget;
      for (const one of changes.opened) open.set(one.callId, one);
      for (const { callId } of changes.settled) open.delete(callId);
      // The answer to the commit is lost.
      const lost = failure;
      failure = null;
      if (lost !== null) throw lost;
    },
    listAbandoned: async () => [...open.values()],
  };
  return {
    ledger,
    seen,
    budget: () => budget,
    loseAnswer: () => {
      failure = new Error("lost");
    },
  };
}

function createMeter(ledger: BudgetLedger, held: string[] = [], now = () => 0) {
  return new BudgetMeter({
    ledger,
    holds: { hold: async (runId) => void held.push(runId) },
    metrics: { settled: () => {}, overran: () => {}, refused: () => {}, abandoned: () => {} },
    log: silentLog,
    warn: () => {},
    isStopping: () => false,
    now,
  });
}

const aCall = (key: string, more: Partial<MeteredCall> = {}): MeteredCall => ({
  ...{ tenantId: "t", runId: "r", flowId: "f", userId: "", budgets: [], path: "q", attempt: 1, number: 1 },
  ...{ callKey: key, provider: "p", model: "m", inputTokens: 2, maxOutputTokens: 4, tokensPerMinute: null },
  ...{ inputPriceMicros: 0, outputPriceMicros: 0 },
  ...more,
});

const { signal } = new AbortController();

async function settle(reserved: Reserved): Promise<void> {
  if (!reserved.ok) throw new Error(reserved.outcome.error.message);
  await reserved.settle(USED);
}

test("calls of one turn share a transaction, and never reserve more than there is", async () => {
  const { ledger, seen, budget } = createLedger(13);
  const meter = createMeter(ledger);
  const reserved = await Promise.all(["a", "b", "c"].map((key) => meter.reserve(aCall(key), signal)));
  expect(reserved.map(({ ok }) => ok)).toEqual([true, true, false]);
  expect(seen).toHaveLength(1);
  expect(budget().reserved.tokens).toBe(12);
  expect(reserved[2]).toMatchObject({ outcome: { error: { type: "BUDGET_IN_USE" }, deferMs: 500 } });
});

// Cause: an attempt whose repair was deferred began again, and paid for its first call again.
test("a later call of an attempt waits in its place until it fits", async () => {
  const { ledger } = createLedger(8);
  const meter = createMeter(ledger);
  const first = await meter.reserve(aCall("a"), signal);
  let later: Reserved | null = null;
  const waits = meter.reserve(aCall("b", { number: 2 }), signal).then((reserved) => {
    later = reserved;
  });
  await meter.close();
  expect(later).toBeNull();
  await settle(first);
  await waits;
  expect(later).toMatchObject({ ok: true });
});

test("a call whose transaction may have committed is not made, and costs nothing", async () => {
  const { ledger, budget, loseAnswer } = createLedger(8);
  const meter = createMeter(ledger);
  loseAnswer();
  const doubtful = await meter.reserve(aCall("a"), signal);
  expect(doubtful).toMatchObject({ ok: false, outcome: { error: { type: "BUDGETS_UNAVAILABLE" } } });
  expect(budget().reserved.tokens).toBe(6);
  await settle(await meter.reserve(aCall("a"), signal));
  expect(budget()).toMatchObject({ reserved: { tokens: 0 }, settled: { tokens: 2 } });
});

test("a call that another instance has left open is charged in full when it is repeated", async () => {
  const { ledger, budget } = createLedger(100);
  await createMeter(ledger).reserve(aCall("a"), signal);
  const meter = createMeter(ledger);
  await settle(await meter.reserve(aCall("a"), signal));
  expect(budget()).toMatchObject({ reserved: { tokens: 0 }, settled: { tokens: 8 } });
});

test("a call that does not fit into its minute waits for the next one, and one that fits into none is refused", async () => {
  const minutes = new Map<string, Budget>();
  const open = new Map<string, OpenCall>();
  const ledger: BudgetLedger = {
    async transact({ missing, callIds }, decide) {
      for (const one of missing)
        if (!minutes.has(one.id)) minutes.set(one.id, { ...one, settled: NOTHING, reserved: NOTHING });
      const found = callIds.flatMap((callId) => open.get(callId) ?? []);
      const changes = decide({ budgets: [...minutes.values()], open: found });
      for (const one of changes.budgets) minutes.set(one.id, one);
      for (const one of changes.opened) open.set(one.callId, one);
    },
    listAbandoned: async () => [],
  };
  let now = 50_000;
  const meter = createMeter(ledger, [], () => now);
  const ask = (more: Partial<MeteredCall> = {}) => meter.reserve(aCall("a", { tokensPerMinute: 10, ...more }), signal);
  const first = await ask();
  expect(await ask()).toMatchObject({
    outcome: { error: { type: "TOKENS_PER_MINUTE_IN_USE", message: expect.stringContaining("the minute of p/m") } },
  });
  if (!first.ok) throw new Error(first.outcome.error.message);
  await first.settle({ ...USED, inputTokens: 6 });
  const second = await ask();
  const deferMs = second.ok ? 0 : (second.outcome.deferMs ?? 0);
  expect(deferMs).toBeGreaterThanOrEqual(10_000);
  expect(deferMs).toBeLessThanOrEqual(11_000);
  now += deferMs;
  expect(await ask()).toMatchObject({ ok: true });
  expect(await ask({ maxOutputTokens: 9 })).toMatchObject({
    outcome: { error: { type: "TOKENS_PER_MINUTE_EXCEEDED", retryable: false } },
  });
});

test("a run is held when nothing is under way that could make room", async () => {
  const held: string[] = [];
  const { ledger, seen } = createLedger(5);
  const reserved = await createMeter(ledger, held).reserve(aCall("a", { runId: "short" }), signal);
  expect(reserved).toMatchObject({ ok: false, outcome: { error: { type: "BUDGET_EXHAUSTED" } } });
  await eventually(() => expect(held).toEqual(["short"]));
  expect(seen[0]?.waiting).toMatchObject([{ scope: "tenant", runId: "short" }]);
});
