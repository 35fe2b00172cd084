/** Which budgets a run spends: of its flow, of the task that started it, and of all runs above. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Allotment, NOTHING } from "../../../../src/engine/budgets/allot.ts";
import { runBudgetOf } from "../../../../src/engine/budgets/run-budgets.ts";
import { budgetsOf, countedBudgetsOf, emptyPlan, openRun, type Run } from "../../../../src/engine/machine/run.ts";
import { createState } from "../../../../src/engine/machine/state.ts";
import type { Budget, OpenCall } from "../../../../src/engine/ports/models/budgets.ts";
import type { BudgetSpec } from "../../../../src/flows/plan.ts";

interface Level {
  readonly flow: BudgetSpec | null;
  readonly task: BudgetSpec | null;
}

/** A run below others, as a start makes it. */
function begin(runId: string, { flow, task }: Level, parent: Run | null): Run {
  const plan = { ...emptyPlan("f"), ...(flow === null ? {} : { budget: flow }) };
  const run = openRun(createState(runId), plan);
  const budgets = parent === null ? [] : budgetsOf(parent);
  const facts = { userId: "", correlationId: "", labels: {}, runKey: "", requestId: "", context: null };
  const above =
    parent === null
      ? null
      : {
          runId: parent.state.runId,
          task: "t",
          closePolicy: "cancel" as const,
          ...(budgets.length === 0 ? {} : { budgets }),
        };
  Object.assign(run.state, { facts: { ...facts, ...(task === null ? {} : { budget: task }), parent: above } });
  return run;
}

const spec = fc.option(
  fc.record({ maxTokens: fc.nat(200), maxCostMicros: fc.nat(200) }, { requiredKeys: [] }) as fc.Arbitrary<BudgetSpec>,
);
const level = fc.record({ flow: spec, task: spec });

test("whatever a tree of runs spends, no run passes a limit of its flow or of the task that started it", () => {
  const node = fc.record({ level, parent: fc.nat() });
  const call = fc.record({ run: fc.nat(), tokens: fc.nat(60), costMicros: fc.nat(60), used: fc.option(fc.nat(100)) });
  fc.assert(
    fc.property(fc.array(node, { minLength: 1, maxLength: 8 }), fc.array(call, { maxLength: 40 }), (nodes, calls) => {
      const runs: Run[] = [];
      const parents: number[] = [];
      for (const [index, { level: given, parent }] of nodes.entries()) {
        const above = index === 0 ? -1 : parent % index;
        parents.push(above);
        runs.push(begin(String(index), given, runs[above] ?? null));
      }
      const rows = runs.flatMap((run) => budgetsOf(run).map((one) => runBudgetOf("t", one)));
      const all = new Allotment(rows.map((row): Budget => ({ ...row, settled: NOTHING, reserved: NOTHING })));
      const open: (OpenCall & { readonly run: number })[] = [];
      const spent = nodes.map(() => ({ tokens: 0, costMicros: 0 }));
      /** Counts for the run and all above it. */
      const count = (
        from: number,
        sign: number,
        { tokens, costMicros }: { tokens: number; costMicros: number },
      ): void => {
        for (let at = from; at >= 0; at = parents[at] ?? -1) {
          const sum = spent[at];
          if (sum === undefined) return;
          sum.tokens += sign * tokens;
          sum.costMicros += sign * costMicros;
        }
      };
      for (const { run: at, used, ...wanted } of calls) {
        const index = at % runs.length;
        const ended = used === null ? undefined : open.shift();
        if (ended !== undefined) {
          const part = (amount: number): number => Math.floor((amount * (used ?? 0)) / 100);
          const { tokens, costMicros } = ended.reserved;
          const settled = { ...NOTHING, tokens: part(tokens), costMicros: part(costMicros) };
          all.settle(ended, settled);
          count(ended.run, -1, ended.reserved);
          count(ended.run, 1, settled);
        } else {
          const charged = budgetsOf(runs[index] as Run).map((one) => runBudgetOf("t", one));
          const reserved = { ...NOTHING, ...wanted };
          if (all.reserve(charged, reserved) !== null) continue;
          open.push({ callId: "c", callKey: "k", runId: "r", reserved, charged, run: index });
          count(index, 1, reserved);
        }
        for (const [id, { level: given }] of nodes.entries())
          for (const limits of [given.flow, given.task]) {
            expect(spent[id]?.tokens).toBeLessThanOrEqual(limits?.maxTokens ?? Number.MAX_VALUE);
            expect(spent[id]?.costMicros).toBeLessThanOrEqual(limits?.maxCostMicros ?? Number.MAX_VALUE);
          }
      }
    }),
  );
});

test("of each limit the lower one counts, nearest first; a run without budgets spends those above", () => {
  const top = begin("top", { flow: { maxTokens: 100, maxSteps: 9 }, task: null }, null);
  const kid = begin("kid", { flow: { maxTokens: 50, maxCostMicros: 5 }, task: { maxTokens: 70, maxTimeMs: 1 } }, top);
  const low = begin("low", { flow: null, task: null }, kid);
  const budgets = [
    { runId: "kid", maxTokens: 50, maxCostMicros: 5, maxTimeMs: 1 },
    { runId: "top", maxTokens: 100, maxSteps: 9 },
  ];
  expect(budgetsOf(kid)).toEqual(budgets);
  expect(budgetsOf(low)).toEqual(budgets);
  expect(countedBudgetsOf(low)).toEqual(budgets);
  expect(budgetsOf(begin("own", { flow: null, task: { maxTokens: 0 } }, null))).toEqual([
    { runId: "own", maxTokens: 0 },
  ]);
});

test("of a flow and the task that started it, the stricter one says what models without a price and compensation spend", () => {
  const own = (flow: BudgetSpec, task: BudgetSpec) => budgetsOf(begin("r", { flow, task }, null))[0];
  const lenient = { maxCostMicros: 5, unpriced: "tokens_only", compensation: true } as const;
  expect(own(lenient, { maxTokens: 9 })).toEqual({ runId: "r", maxTokens: 9, ...lenient });
  expect(own({ maxTokens: 9 }, lenient)).toEqual({ runId: "r", maxTokens: 9, ...lenient });
  expect(own(lenient, { maxCostMicros: 7 })).toEqual({ runId: "r", maxCostMicros: 5, compensation: true });
});

test("compensation spends only the budgets that say so, of the run and of those above", () => {
  const goal = begin("goal", { flow: null, task: { maxTokens: 10, compensation: true } }, null);
  const plan = begin("plan", { flow: { maxTokens: 5 }, task: null }, goal);
  expect(budgetsOf(plan).map(({ runId }) => runId)).toEqual(["plan", "goal"]);
  plan.state.phase = "COMPENSATING";
  expect(budgetsOf(plan).map(({ runId }) => runId)).toEqual(["goal"]);
});
