/**
 * Moves of a DAG run: in one moment all tasks are looked at in order, again and again until none moves. The semantics
 * do not say in which order; a flow whose outcome differs between document order and the reverse has more than one
 * right outcome.
 */
import { startTask } from "./attempts.ts";
import type { Json, JsonMap, TaskDoc } from "./document.ts";
import { beginEnding, completeRun, failRun } from "./endings.ts";
import type { Names } from "./expression.ts";
import { lookAtGroup } from "./groups.ts";
import { graphTasks, isEnded, type Machine, namesFor, skipTask, type Task } from "./machine.ts";
import { dependenciesOf, judge } from "./rules.ts";

/** Lets everything move that can move now, and ends the run when nothing is left to do. */
export function settleDag(machine: Machine): void {
  for (let moved = true; moved; ) {
    moved = false;
    if (failFast(machine)) return;
    const docs = graphTasks(machine.flow);
    for (const doc of machine.choices.reverse ? docs.reverse() : docs) {
      moved = lookAtTask(machine, doc) || moved;
      if (failFast(machine)) return;
    }
  }
  if (
    !graphTasks(machine.flow).every((doc) => machine.tasks.has(doc.id)) ||
    ![...machine.tasks.values()].every(isEnded)
  )
    return;
  const failure = firstFailure(machine);
  if (failure !== undefined) failRun(machine, { type: failure.error?.type ?? "", task: failure.path });
  else completeRun(machine, () => outputsOfLast(machine));
}

function lookAtTask(machine: Machine, doc: TaskDoc): boolean {
  const task = machine.tasks.get(doc.id);
  if (task !== undefined) return task.children !== null && !isEnded(task) && lookAtGroup(machine, task);
  const verdict = judge(machine, doc);
  if (verdict.kind === "stay") return false;
  if (verdict.kind === "skip") skipTask(machine, doc.id, doc, verdict.reason);
  else startTask(machine, doc.id, doc, ownNames(machine, verdict.first), verdict.first);
  return true;
}

function ownNames(machine: Machine, first: string | null): Names {
  if (first === null) return {};
  const views = namesFor(machine, {}).tasks as JsonMap;
  return { deps: { first: { id: first, ...(views[first] as JsonMap) } } };
}

function failFast(machine: Machine): boolean {
  const failure = machine.flow.workflow.fail_fast === true ? firstFailure(machine) : undefined;
  if (failure === undefined) return false;
  // What else moves in this moment depends on the order.
  if (failure.begunAt === machine.now) machine.open = true;
  beginEnding(machine, {
    phase: "FAILED",
    error: { type: failure.error?.type ?? "", task: failure.path },
    compensate: true,
  });
  return true;
}

/** The first task of the graph that failed for good and is not handled. */
function firstFailure(machine: Machine): Task | undefined {
  const rank = (task: Task): number => (task.path === machine.choices.failure ? 0 : 1);
  return graphTasks(machine.flow)
    .map((doc) => machine.tasks.get(doc.id))
    .filter((task) => task !== undefined)
    .filter((task) => (task.state === "FAILED" || task.state === "TIMED_OUT") && !task.handled)
    .sort(
      (a, b) => (a.endedAt ?? 0) - (b.endedAt ?? 0) || rank(a) - rank(b) || (a.endOrder ?? 0) - (b.endOrder ?? 0),
    )[0];
}

function outputsOfLast(machine: Machine): Json {
  const docs = graphTasks(machine.flow);
  const last = docs.filter((doc) => !docs.some((other) => dependenciesOf(machine.flow, other).includes(doc.id)));
  const outputs: JsonMap = {};
  for (const doc of last) {
    const task = machine.tasks.get(doc.id);
    if (task?.state === "COMPLETED") outputs[doc.id] = task.output;
  }
  return outputs;
}
