/** Compares what the engine made of a flow with what the naive interpreter says. */
import { isDeepStrictEqual } from "node:util";
import type { FlowDoc } from "../oracle/document.ts";
import { interpret } from "../oracle/interpret.ts";
import type { Outcome, World } from "../oracle/world.ts";

/**
 * `same`; `open` when the semantics allow more than one outcome (two things with the same time, or an order inside a
 * moment that shows), so that nothing can be said; `different` with the first differences, engine first.
 */
export type Verdict = { kind: "same" } | { kind: "open" } | { kind: "different"; differences: string[] };

/** Judges the engine's outcome of a flow. */
export function judgeOutcome(flow: FlowDoc, world: World, engine: Outcome): Verdict {
  const choices = { failure: engine.error?.task ?? null, compensations: engine.compensations };
  const forward = interpret(flow, world, choices);
  const differences = compareOutcomes(engine, forward.outcome);
  if (differences.length === 0) return { kind: "same" };
  if (forward.open) return { kind: "open" };
  const reverse = interpret(flow, world, { ...choices, reverse: true });
  if (!isDeepStrictEqual(forward.outcome, reverse.outcome)) return { kind: "open" };
  return { kind: "different", differences };
}

/** Differences between two outcomes, in words. Of a run's error only the type is compared when no task is to blame. */
export function compareOutcomes(engine: Outcome, oracle: Outcome): string[] {
  const differences: string[] = [];
  const compare = (what: string, left: unknown, right: unknown): void => {
    if (!isDeepStrictEqual(left, right))
      differences.push(`${what}: engine ${JSON.stringify(left)}, oracle ${JSON.stringify(right)}`);
  };
  compare("phase", engine.phase, oracle.phase);
  compare("error", engine.error?.type ?? null, oracle.error?.type ?? null);
  if (oracle.error !== null && oracle.error.task !== null)
    compare("error.task", engine.error?.task ?? null, oracle.error.task);
  compare("output", engine.output, oracle.output);
  compare("path", engine.path, oracle.path);
  compare("compensations", engine.compensations, oracle.compensations);
  compare("leftover signals", engine.leftover, oracle.leftover);
  compare("unfit signals", engine.unfit, oracle.unfit);
  for (const path of new Set([...Object.keys(engine.tasks), ...Object.keys(oracle.tasks)]))
    compare(path, engine.tasks[path] ?? null, oracle.tasks[path] ?? null);
  return differences;
}
