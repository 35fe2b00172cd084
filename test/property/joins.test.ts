/**
 * What registration says of tasks that can never run is so: every way in which the tasks of small flows can end is
 * tried.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { validateFlow } from "../../src/flows/compile.ts";
import { findNeverRunning } from "../oracle/dead-joins.ts";
import { type FlowDoc, type JsonMap, type TaskDoc, TRIGGER_RULES } from "../oracle/document.ts";
import { createRandom } from "../oracle/random.ts";
import { dependenciesOf } from "../oracle/rules.ts";
import { RUNS } from "./cases.ts";

const seeds = fc.integer({ min: 1, max: 1_000_000_000 });
const FLOWS = { ...RUNS, numRuns: 2_000 };

test("no task that some course of the run reaches is reported", () => {
  let reported = 0;
  fc.assert(
    fc.property(seeds, (seed) => {
      const flow = drawFlow(seed, 3);
      const found = reportedTasks(flow);
      reported += found.length;
      if (found.length > 0) expect(findNeverRunning(flow, true)).toEqual(expect.arrayContaining(found));
    }),
    FLOWS,
  );
  expect(reported).toBeGreaterThan(FLOWS.numRuns / 200);
});

test("with one condition every task that no course of the run reaches is reported, unless it waits for one that is", () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const flow = drawFlow(seed, 1);
      const never = findNeverRunning(flow, true);
      const first = never.filter((id) => !dependenciesOf(flow, taskOf(flow, id)).some((dep) => never.includes(dep)));
      expect(reportedTasks(flow).sort()).toEqual(first.sort());
    }),
    FLOWS,
  );
});

/** A graph of up to seven tasks. */
function drawFlow(seed: number, maxConditions: number): FlowDoc {
  const random = createRandom(seed);
  const tasks: TaskDoc[] = Array.from({ length: random.int(3, 7) }, (_, index) => ({ id: `t${index}`, type: "noop" }));
  let conditions = 0;
  for (const [index, task] of tasks.entries()) {
    const depends_on = random.some(tasks.slice(0, index), 0, 2).map(({ id }) => id);
    if (depends_on.length > 0) task.depends_on = depends_on;
    if (random.chance(0.3)) task.trigger_rule = random.pick(TRIGGER_RULES);
    const later = tasks.slice(index + 1).map(({ id }) => id);
    if (later.length < 2 || conditions === maxConditions || random.chance(0.4)) continue;
    conditions += 1;
    const on_success = random.some(later, 1, 2);
    const on_failure = random.some(later, 1, 2);
    Object.assign(task, { type: "condition", condition: "${true}", on_success, on_failure });
    if (random.chance(0.1)) task.on_error = "continue";
  }
  return { id: "f", version: "1", workflow: { tasks: random.chance(0.3) ? random.shuffle(tasks) : tasks } };
}

function taskOf(flow: FlowDoc, id: string): TaskDoc {
  return (flow.workflow.tasks ?? []).find((task) => task.id === id) as TaskDoc;
}

function reportedTasks(flow: FlowDoc): string[] {
  return validateFlow({ document: flow as unknown as JsonMap }).map(({ field, description }) => {
    expect(description).toMatch(/^"t\d" can never run: it needs "t\d", which .* and "t\d", which/);
    const index = /^workflow\.tasks\[(\d)\]/.exec(field)?.[1];
    return flow.workflow.tasks?.[Number(index)]?.id ?? "";
  });
}
