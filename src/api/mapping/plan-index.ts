/** Index of a plan for lists and counts of tasks: its tasks in order, with facts that the state of a run lacks. */
import { compensatedBy } from "../../engine/machine/paths.ts";
import type { Run } from "../../engine/machine/run.ts";
import { findCompensation, openRun, specOf } from "../../engine/machine/run.ts";
import { createState } from "../../engine/machine/state.ts";
import type { Plan, TaskSpec } from "../../flows/plan.ts";

/** A task of a flow. */
export interface PlannedTask {
  readonly spec: TaskSpec;
  readonly dependsOn: readonly string[];
  /** Whether every run has it from the start: false for FSM states, which are entered, and for compensation tasks. */
  readonly expected: boolean;
}

/** Tasks of a plan by id, in the order of the document. */
export interface PlanIndex {
  /** A run of the plan that never starts, used for lookups. */
  readonly run: Run;
  readonly tasks: ReadonlyMap<string, PlannedTask>;
  /** Number of tasks that every run has. */
  readonly expectedCount: number;
}

const known = new WeakMap<Plan, PlanIndex>();

/** Builds the index of a plan, once for each plan. */
export function indexPlan(plan: Plan): PlanIndex {
  let index = known.get(plan);
  if (index === undefined) {
    const tasks = new Map(listTasks(plan).map((task) => [task.spec.id, task]));
    index = {
      run: openRun(createState(""), plan),
      tasks,
      expectedCount: [...tasks.values()].filter((task) => task.expected).length,
    };
    known.set(plan, index);
  }
  return index;
}

function listTasks(plan: Plan): PlannedTask[] {
  switch (plan.kind) {
    case "dag":
      return plan.nodes.map((node) => ({
        spec: node.task,
        dependsOn: node.deps.map((dep) => plan.nodes[dep]?.task.id ?? ""),
        expected: !node.isCompensation,
      }));
    case "fsm":
      return [
        ...plan.states.flatMap((state) =>
          state.task === null ? [] : [{ spec: state.task, dependsOn: [], expected: false }],
        ),
        ...plan.compensations.map((spec) => ({ spec, dependsOn: [], expected: false })),
      ];
    case "graph":
      return [{ spec: plan.task, dependsOn: [], expected: true }];
  }
}

/**
 * Spec of the task at a path: `load.0` is a child, `check~2` a second visit, `pay~compensate` a compensation. Undefined
 * if the plan has no such task.
 */
export function specAt(index: PlanIndex, path: string): TaskSpec | undefined {
  const undone = compensatedBy(path);
  try {
    return undone === null ? specOf(index.run, path) : (findCompensation(index.run, undone) ?? undefined);
  } catch {
    // The engine treats an unknown path as a bug; here the caller supplies it.
    return undefined;
  }
}
