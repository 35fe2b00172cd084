/** Tasks of a DAG that can never run: found by trying every way in which its conditions, or all its tasks, can end. */
import type { FlowDoc, TaskDoc } from "./document.ts";
import { beginTask, createMachine, endTask, graphTasks, type Machine, skipTask } from "./machine.ts";
import { dependenciesOf, judge } from "./rules.ts";
import { createWorld } from "./world.ts";

type End = "true" | "false" | "failed" | "completed";

/**
 * Ids of the tasks that run in no case. With `failing`, every task may fail; else only conditions do, and more tasks
 * are found.
 */
export function findNeverRunning(flow: FlowDoc, failing: boolean): string[] {
  const tasks = inOrder(flow);
  const never = new Set(tasks.map((task) => task.id));
  const endsOf = (task: TaskDoc): End[] => {
    if (task.type === "condition") return ["true", "false", "failed"];
    return failing ? ["completed", "failed"] : ["completed"];
  };
  const visit = (position: number, ends: Map<string, End>): void => {
    const task = tasks[position];
    if (task === undefined) {
      for (const id of runningTasks(flow, tasks, ends)) never.delete(id);
      return;
    }
    for (const end of endsOf(task)) if (never.size > 0) visit(position + 1, new Map(ends).set(task.id, end));
  };
  visit(0, new Map());
  return [...never];
}

/**
 * Changes a draft until every task of it can run: a join that cannot tolerates skips, and where that does not help no
 * condition names it any more.
 */
export function reviveJoins(flow: FlowDoc): void {
  for (let never = findNeverRunning(flow, false); never.length > 0; never = findNeverRunning(flow, false)) {
    const task = inOrder(flow).find(({ id }) => id === never[0]);
    if (task === undefined) return;
    if (task.trigger_rule !== "none_failed") {
      task.trigger_rule = "none_failed";
      continue;
    }
    for (const condition of flow.workflow.tasks ?? []) takeFrom(condition, task.id);
  }
}

/** Takes a target from the sides of a condition; one that has none left names nothing. */
function takeFrom(condition: TaskDoc, target: string): void {
  for (const side of ["on_success", "on_failure"] as const) {
    const left = condition[side]?.filter((id) => id !== target) ?? [];
    if (left.length > 0) condition[side] = left;
    else delete condition[side];
  }
}

function runningTasks(flow: FlowDoc, tasks: readonly TaskDoc[], ends: ReadonlyMap<string, End>): string[] {
  const choices = { reverse: false, failure: null, compensations: [] };
  const machine: Machine = createMachine(flow, createWorld({}), choices);
  const ran: string[] = [];
  for (const doc of tasks) {
    const verdict = judge(machine, doc);
    if (verdict.kind === "stay") throw new Error(`${doc.id} waits although all before it has ended`);
    if (verdict.kind === "skip") {
      skipTask(machine, doc.id, doc, verdict.reason);
      continue;
    }
    ran.push(doc.id);
    const task = beginTask(machine, doc.id, doc, {});
    const end = ends.get(doc.id);
    task.output = { result: end === "true" };
    task.handled = end === "failed" && doc.on_error === "continue";
    endTask(machine, task, end === "failed" ? "FAILED" : "COMPLETED");
  }
  return ran;
}

/** Every task after what it depends on. */
function inOrder(flow: FlowDoc): TaskDoc[] {
  const order: TaskDoc[] = [];
  const open = [...graphTasks(flow)];
  while (open.length > 0) {
    const next = open.findIndex((task) => !open.some((other) => dependenciesOf(flow, task).includes(other.id)));
    if (next < 0) throw new Error("the tasks wait for each other");
    order.push(...open.splice(next, 1));
  }
  return order;
}
