import fc from "fast-check";
import { expect, test } from "vitest";
import { Allotment, amountOf } from "../../../../src/engine/budgets/allot.ts";
import type { Amount, Budget, BudgetKey, OpenCall } from "../../../../src/engine/ports/models/budgets.ts";

const key = (id: number): BudgetKey => ({ tenantId: "t", scope: "run", id: String(id) });
const none: Amount = { costMicros: 0, tokens: 0, steps: 0, timeMs: 0 };
const budget = (id: number, limits: Partial<Budget>): Budget => ({
  ...{
    ...key(id),
    maxCostMicros: null,
    maxTokens: null,
    maxSteps: null,
    maxTimeMs: null,
    settled: none,
    reserved: none,
  },
  ...limits,
});

test("what is settled and reserved together never passes a limit, and a refused call reserves nowhere", () => {
  const step = fc.record({
    keys: fc.uniqueArray(fc.nat(2), { minLength: 1 }),
    costMicros: fc.nat(60),
    tokens: fc.nat(60),
    // How much of what is reserved a call under way uses, per cent; null: a new call.
    used: fc.option(fc.nat(100)),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(200), fc.nat(200), (steps, cost, tokens) => {
      const all = [
        budget(0, { maxCostMicros: cost }),
        budget(1, { maxTokens: tokens }),
        budget(2, { maxCostMicros: cost * 2, maxTokens: tokens }),
      ];
      const allotment = new Allotment(all);
      const read = (): Budget[] => all.map((one) => allotment.get(one) as Budget);
      const open: OpenCall[] = [];
      for (const { keys, used, ...wanted } of steps) {
        const before = read();
        const ended = used === null ? undefined : open.shift();
        if (ended !== undefined) {
          const part = (amount: number): number => Math.floor((amount * (used ?? 0)) / 100);
          const { reserved } = ended;
          const settled = { ...none, tokens: part(reserved.tokens), costMicros: part(reserved.costMicros) };
          allotment.settle(ended, settled);
        } else {
          const charged = keys.map(key);
          const reserved = { ...none, ...wanted };
          const shortage = allotment.reserve(charged, reserved);
          if (shortage === null) open.push({ callId: "c", callKey: "k", runId: "r", reserved, charged });
          else expect(read()).toEqual(before);
        }
        for (const { maxCostMicros, maxTokens, settled, reserved } of read()) {
          expect(settled.costMicros + reserved.costMicros).toBeLessThanOrEqual(maxCostMicros ?? Number.MAX_VALUE);
          expect(settled.tokens + reserved.tokens).toBeLessThanOrEqual(maxTokens ?? Number.MAX_VALUE);
        }
      }
      for (const one of open.splice(0)) allotment.settle(one, none);
      for (const { reserved } of read()) expect(reserved).toEqual(none);
    }),
  );
});

test("a call that is too large for what is left waits while others are under way, and not when none is", () => {
  const allotment = new Allotment([budget(0, { maxTokens: 10 }), budget(1, { maxTokens: 100 })]);
  expect(allotment.reserve([key(0), key(1)], { ...none, tokens: 8 })).toBeNull();
  expect(allotment.reserve([key(0)], { ...none, tokens: 8 })).toMatchObject({ mayFitLater: true });
  // Nothing is under way that could make room in a budget that nobody uses.
  const small = new Allotment([
    budget(0, { maxTokens: 10, reserved: { ...none, tokens: 9 } }),
    budget(1, { maxTokens: 3 }),
  ]);
  expect(small.reserve([key(0), key(1)], { ...none, tokens: 4 })).toMatchObject({
    ...{ mayFitLater: false, budget: { id: "1" } },
  });
});

test("a budget warns once, when what is settled passes four fifths of a limit", () => {
  const settle = (allotment: Allotment, tokens: number): readonly Budget[] => {
    const open = { charged: [key(0), key(1)], reserved: { ...none, tokens } };
    expect(allotment.reserve(open.charged, open.reserved)).toBeNull();
    return allotment.settle(
      open,
      amountOf({ inputTokens: tokens, outputTokens: 0, costMicros: null, basis: "reported" }),
    );
  };
  const first = new Allotment([budget(0, { maxTokens: 100 }), budget(1, { maxTokens: 1_000 })]);
  expect(settle(first, 79)).toEqual([]);
  expect(settle(first, 1)).toMatchObject([{ id: "0", settled: { tokens: 80 } }]);
  const next = new Allotment(first.changed);
  expect(settle(next, 5)).toEqual([]);
});

// Cause: an attempt under way holds a step, and a call of it that its budget could not pay for waited for it forever.
test("only what is reserved of the same kind may make room later", () => {
  const one = budget(0, { maxCostMicros: 5, maxSteps: 2 });
  const allotment = new Allotment([one]);
  expect(allotment.reserve([key(0)], { ...none, steps: 1 })).toBeNull();
  expect(allotment.reserve([key(0)], { ...none, costMicros: 6 })).toMatchObject({
    lacks: "costMicros",
    mayFitLater: false,
  });
  expect(allotment.reserve([key(0)], { ...none, steps: 2 })).toMatchObject({ lacks: "steps", mayFitLater: true });
});
