/**
 * Flows that LangGraph can say natively, on four machines: stock LangGraph (a translation of the tests), the product's
 * own LangGraph graph, the naive interpreter and the engine. LangGraph is the judge of outputs, skipped tasks and the
 * path of an FSM.
 */
import { expect, test } from "vitest";
import type { JsonMap } from "../oracle/document.ts";
import { generateNativeDag, generateNativeFsm } from "../oracle/generate-native.ts";
import { interpret } from "../oracle/interpret.ts";
import { runOnStockLangGraph } from "../oracle/langgraph.ts";
import { createWorld, type Outcome } from "../oracle/world.ts";
import { runOnLangGraph, whyNotNative } from "../support/reference-run.ts";
import { drive, planOf } from "./engine-adapter.ts";

const FLOWS = 1_000;

test(`${FLOWS} DAGs give the outputs and the skipped tasks of LangGraph`, async () => {
  const seen = { skipped: 0, completed: 0, groups: 0, product: 0 };
  for (let seed = 1; seed <= FLOWS; seed++) {
    const { flow, variables } = generateNativeDag(seed);
    const world = createWorld({ variables });
    const plan = await planOf(flow);
    const judge = await runOnStockLangGraph(flow, variables);
    const expected = { seed, phase: "COMPLETED", outputs: judge.outputs, skipped: [...judge.skipped].sort() };
    expect({ seed, ...summary(drive(plan, world).outcome) }, `engine, seed ${seed}: ${JSON.stringify(flow)}`).toEqual(
      expected,
    );
    expect(
      { seed, ...summary(interpret(flow, world).outcome) },
      `interpreter, seed ${seed}: ${JSON.stringify(flow)}`,
    ).toEqual(expected);
    seen.skipped += judge.skipped.length;
    seen.completed += Object.keys(judge.outputs).length;
    seen.groups += (flow.workflow.tasks ?? []).filter((task) => task.type === "map" || task.type === "parallel").length;
    if (whyNotNative(plan) !== undefined) continue;
    const product = await runOnLangGraph({ document: flow as unknown as JsonMap }, { variables, execute: echo });
    expect({ outputs: product.outputs, skipped: [...product.skipped].sort() }, `product's graph, seed ${seed}`).toEqual(
      { outputs: expected.outputs, skipped: expected.skipped },
    );
    seen.product += 1;
  }
  expect(seen.skipped).toBeGreaterThan(FLOWS / 2);
  expect(seen.completed).toBeGreaterThan(FLOWS * 2);
  expect(seen.groups).toBeGreaterThan(FLOWS / 4);
  // What the generator makes, the product's own graph can say: all of it is judged by it.
  expect(seen.product).toBe(FLOWS);
});

test(`${FLOWS} FSMs take the path of LangGraph`, async () => {
  const seen = { limited: 0, loops: 0, completed: 0 };
  for (let seed = 1; seed <= FLOWS; seed++) {
    const { flow, variables } = generateNativeFsm(seed);
    const world = createWorld({ variables });
    const judge = await runOnStockLangGraph(flow, variables);
    const last = judge.path.findLast(
      (id) => flow.workflow.states?.find((state) => state.id === id)?.task !== undefined,
    );
    const expected = {
      path: judge.path,
      output: judge.limited ? null : (judge.outputs[last ?? ""] ?? null),
      error: judge.limited ? "TRANSITION_LIMIT" : null,
    };
    const engine = drive(await planOf(flow), world).outcome;
    const product = await runOnLangGraph({ document: flow as unknown as JsonMap }, { variables, execute: echo });
    expect(pathOf(engine), `engine, seed ${seed}: ${JSON.stringify(flow)}`).toEqual(expected);
    expect(pathOf(interpret(flow, world).outcome), `interpreter, seed ${seed}: ${JSON.stringify(flow)}`).toEqual(
      expected,
    );
    expect(
      { path: product.path, output: product.runOutput, error: product.errorType },
      `product's graph, seed ${seed}`,
    ).toEqual(expected);
    seen.limited += judge.limited ? 1 : 0;
    seen.completed += judge.limited ? 0 : 1;
    seen.loops += new Set(judge.path).size < judge.path.length ? 1 : 0;
  }
  expect(seen.limited).toBeGreaterThan(FLOWS / 10);
  expect(seen.completed).toBeGreaterThan(FLOWS / 10);
  expect(seen.loops).toBeGreaterThan(FLOWS / 4);
});

function summary(outcome: Outcome): { phase: string; outputs: JsonMap; skipped: string[] } {
  const top = Object.entries(outcome.tasks).filter(([path]) => !path.includes("."));
  const outputs = Object.fromEntries(
    top.filter(([, task]) => task.state === "COMPLETED").map(([path, task]) => [path, task.output]),
  );
  const skipped = top.filter(([, task]) => task.reason === "NOT_TAKEN").map(([path]) => path);
  return { phase: outcome.phase, outputs, skipped: skipped.sort() };
}

function pathOf(outcome: Outcome): { path: string[]; output: unknown; error: string | null } {
  return { path: outcome.path, output: outcome.output, error: outcome.error?.type ?? null };
}

function echo(_task: string, input: unknown): JsonMap[string] {
  return (input as JsonMap).output ?? null;
}
