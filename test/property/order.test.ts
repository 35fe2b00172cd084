/** The order in which independent tasks end does not change how any task ends. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { drive, planOf } from "../differential/engine-adapter.ts";
import type { FlowDoc, Json, JsonMap } from "../oracle/document.ts";
import { generateWide } from "../oracle/generate-wide.ts";
import { createRandom } from "../oracle/random.ts";
import type { Outcome, World } from "../oracle/world.ts";
import { RUNS } from "./cases.ts";

/** Seeds of DAGs: every third seed is an FSM. */
const dagSeeds = fc.integer({ min: 0, max: 300_000 }).map((number) => number * 3 + 1);

test("two worlds that differ in durations only end every task alike", async () => {
  let reordered = 0;
  await fc.assert(
    fc.asyncProperty(dagSeeds, fc.integer(), fc.integer(), async (seed, one, other) => {
      const { flow, world } = generateWide(seed);
      const timeless = withoutTime(flow);
      const plan = await planOf(timeless);
      const [first, second] = [one, other].map((salt) => drive(plan, atOtherTimes(world, salt)));
      if (first === undefined || second === undefined) return;
      const order = (result: typeof first): string[] =>
        result.journal.flatMap((record) => (record.type === "task.completed" ? [record.task] : []));
      reordered += order(first).join() === order(second).join() ? 0 : 1;
      expect(ends(first.outcome)).toEqual(ends(second.outcome));
    }),
    RUNS,
  );
  expect(reordered).toBeGreaterThan(RUNS.numRuns / 8);
});

/** Keys that read the clock or the order of events. */
const TIMED: ReadonlySet<string> = new Set([
  ...["timeout", "schedule_to_close_timeout", "schedule_to_start_timeout", "heartbeat_timeout"],
  ...["fail_fast", "compensate_with", "on_reject"],
]);

/**
 * The flow without what reads the clock or the order of events: timeouts, fail_fast, one_success, tasks that wait for
 * the outside.
 */
function withoutTime(flow: FlowDoc): FlowDoc {
  const clean = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(clean);
    if (value === null || typeof value !== "object") return value;
    const kept = Object.entries(value).filter(([key]) => !TIMED.has(key));
    const copy = Object.fromEntries(kept.map(([key, member]) => [key, clean(member)]));
    if (copy.trigger_rule === "one_success") copy.trigger_rule = "all_done";
    if (copy.type === "signal" || copy.type === "approval")
      return { ...copy, type: "noop", parameters: { output: { n: 1 } } };
    return copy;
  };
  const compensations = new Set((flow.workflow.tasks ?? []).map((task) => task.compensate_with));
  const { variables } = flow.workflow;
  const tasks = (flow.workflow.tasks ?? []).filter((task) => !compensations.has(task.id));
  const text = JSON.stringify(clean({ ...flow, workflow: { variables, tasks } } as unknown as JsonMap));
  // Expressions that read deps.first, or the answer of an approval, have lost what they read.
  return JSON.parse(text.replaceAll(/\$\{[^}]*(deps\.first|\.approved)[^}]*\}/g, `\${1}`)) as FlowDoc;
}

/** The same attempts with other durations, and nobody who interferes. Attempts that never end, end. */
function atOtherTimes(world: World, salt: number): World {
  const random = createRandom(salt);
  const attempts = Object.fromEntries(
    Object.entries(world.attempts).map(([path, scripts]) => [
      path,
      scripts.map(({ end }) => ({
        durationMs: random.int(1, 20_000),
        end: end.kind === "never" ? { kind: "echo" as const } : end,
      })),
    ]),
  );
  return { ...world, attempts, signals: [], decisions: [], commands: [] };
}

function ends(outcome: Outcome): object {
  const tasks = Object.entries(outcome.tasks).map(([path, { state, reason, output, error, handled, attempts }]) => [
    path,
    { state, reason, output, error, handled, attempts },
  ]);
  return { phase: outcome.phase, output: outcome.output, tasks: Object.fromEntries(tasks) };
}
