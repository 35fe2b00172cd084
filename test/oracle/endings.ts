/** Section 5 of docs/semantics.md: how a run ends, and compensation. */
import { startTask } from "./attempts.ts";
import type { Json, TaskDoc } from "./document.ts";
import { ExpressionFailure, evaluateTemplate } from "./expression.ts";
import { lookAtGroup } from "./groups.ts";
import {
  beginTask,
  cancelTask,
  childrenOf,
  endTask,
  graphTasks,
  isEnded,
  isSuccess,
  type Machine,
  mayBegin,
  namesFor,
  type RunFailure,
  stateDoc,
  type Task,
} from "./machine.ts";
import { type FinalPhase, scriptOf } from "./world.ts";

/** How long running attempts may take to stop, milliseconds. */
export const CANCEL_BOUND_MS = 30_000;

/** Cancel, run timeout or `fail_fast`: nothing starts any more, running attempts are told to stop. */
export function beginEnding(
  machine: Machine,
  ending: { phase: FinalPhase; error: RunFailure; compensate: boolean },
): void {
  machine.phase = "CANCELING";
  machine.ending = ending;
  machine.boundAt = machine.now + CANCEL_BOUND_MS;
  cancelPending(machine);
  for (const task of machine.tasks.values()) {
    const called = task.state === "RUNNING" || task.handedAt !== null || task.doc.type === "subflow";
    if (isEnded(task) || task.children !== null) continue;
    if (called && task.state !== "RETRYING") tellToStop(machine, task);
    else endTask(machine, task, "CANCELED");
  }
}

function cancelPending(machine: Machine): void {
  for (const doc of graphTasks(machine.flow)) {
    if (!machine.tasks.has(doc.id)) endTask(machine, beginTask(machine, doc.id, doc, {}), "CANCELED");
  }
}

function tellToStop(machine: Machine, task: Task): void {
  const { stopsAfterMs } = scriptOf(machine.world, task.path, task.attempts);
  if (stopsAfterMs === undefined) return;
  const stopsAt = machine.now + stopsAfterMs;
  if (task.reportsAt !== null && task.reportsAt <= stopsAt) return;
  task.reportsAt = stopsAt;
  task.stopping = true;
}

/** CANCELING: ends groups whose children have ended, and the run when nothing is open. */
export function settleEnding(machine: Machine): void {
  for (const task of [...machine.tasks.values()].reverse()) {
    if (task.children === null || isEnded(task)) continue;
    const began = childrenOf(machine, task);
    if (began.some((child) => !isEnded(child))) continue;
    endTask(machine, task, "CANCELED");
  }
  if ([...machine.tasks.values()].every(isEnded)) conclude(machine);
}

/** The cancel bound has passed: what has not reported is given up. */
export function giveUp(machine: Machine): void {
  for (const task of machine.tasks.values()) if (!isEnded(task)) cancelTask(machine, task);
}

/** Terminate: at once, nothing is awaited, nothing compensated. */
export function terminate(machine: Machine): void {
  giveUp(machine);
  cancelPending(machine);
  machine.phase = "TERMINATED";
  machine.error = { type: "TERMINATED", task: null };
}

/** A run that fails while nothing of it is open. */
export function failRun(machine: Machine, error: RunFailure): void {
  machine.ending = { phase: "FAILED", error, compensate: true };
  conclude(machine);
}

/** A run that has done its work: evaluates the output; an error in the mapping fails it. */
export function completeRun(machine: Machine, defaultOutput: () => Json): void {
  const mapping = machine.flow.workflow.output;
  try {
    machine.output = mapping === undefined ? defaultOutput() : evaluateTemplate(mapping, namesFor(machine, {}));
    machine.phase = "COMPLETED";
  } catch (cause) {
    if (!(cause instanceof ExpressionFailure)) throw cause;
    failRun(machine, { type: "EXPRESSION_FAILED", task: null });
  }
}

function conclude(machine: Machine): void {
  if (machine.ending?.compensate === true && toCompensate(machine).length > 0) {
    machine.phase = "COMPENSATING";
    return;
  }
  finish(machine);
}

function finish(machine: Machine): void {
  machine.phase = machine.ending?.phase ?? "FAILED";
  machine.error = machine.ending?.error ?? null;
}

/** COMPENSATING: starts the next compensation when the one before is done. */
export function settleCompensation(machine: Machine): void {
  if (!mayBegin(machine)) return;
  for (const { task, by } of toCompensate(machine)) {
    if (task.state === "COMPENSATED") continue;
    const path = `${task.path}~compensate`;
    let undo = machine.tasks.get(path);
    if (undo === undefined) {
      const outcome = task.state === "COMPLETED" ? "completed" : "unknown";
      machine.compensations.push(task.path);
      undo = startTask(machine, path, by, {
        compensates: {
          task: task.path,
          outcome,
          input: task.input,
          output: task.output,
          children: childrenToUndo(machine, task),
        },
      });
    }
    if (undo.children !== null && !isEnded(undo)) lookAtGroup(machine, undo);
    if (!isEnded(undo) || !isSuccess(undo)) return;
    task.state = "COMPENSATED";
  }
  finish(machine);
}

/** What a compensation is told of the children of a group. */
function childrenToUndo(machine: Machine, task: Task): Json {
  if (task.children === null) return null;
  return childrenOf(machine, task).map((child, index) => ({
    index,
    item: task.doc.type === "map" ? (child.own.item ?? null) : null,
    state: child.state,
    output: child.output,
    children: childrenToUndo(machine, child),
  }));
}

/** Dispatched tasks that name a compensation, last dispatch first. */
function toCompensate(machine: Machine): { task: Task; by: TaskDoc }[] {
  const found: { task: Task; by: TaskDoc }[] = [];
  for (const task of machine.tasks.values()) {
    const by = compensationOf(machine, task.path);
    const harmless = task.calls.length > 0 && task.calls.every((call) => call.harmless);
    if (by !== undefined && task.dispatchOrder !== null && !harmless) found.push({ task, by });
  }
  const chosen = machine.choices.compensations;
  const rank = (path: string): number => (chosen.includes(path) ? chosen.indexOf(path) : chosen.length);
  return found.sort((a, b) => {
    const here = (b.task.dispatchOrder ?? 0) - (a.task.dispatchOrder ?? 0);
    if (machine.flow.workflow.states !== undefined) return here;
    return firstCallAt(b.task) - firstCallAt(a.task) || rank(a.task.path) - rank(b.task.path) || here;
  });
}

function firstCallAt({ dispatchedAt, begunAt }: Task): number {
  return dispatchedAt[0] ?? begunAt;
}

function compensationOf(machine: Machine, path: string): TaskDoc | undefined {
  const { tasks, compensations } = machine.flow.workflow;
  if (tasks !== undefined) {
    const name = tasks.find((task) => task.id === path)?.compensate_with;
    return tasks.find((task) => task.id === name);
  }
  if (!/^[^.~]*~\d+$/.test(path)) return undefined;
  const name = stateDoc(machine.flow, path.replace(/~.*/, "")).compensate_with;
  return (compensations ?? []).find((task) => task.id === name);
}
