/**
 * Moves of an FSM run: section 4 of docs/semantics.md. What may happen is collected anew each time; the first of it
 * happens.
 */
import { startTask } from "./attempts.ts";
import { type Duration, readDuration } from "./document.ts";
import { beginEnding, completeRun, failRun } from "./endings.ts";
import { ExpressionFailure, evaluateBoolean, evaluateTemplate, type Names } from "./expression.ts";
import { lookAtGroup } from "./groups.ts";
import { activePath, cancelTask, isEnded, isSuccess, type Machine, namesFor, stateDoc, type Task } from "./machine.ts";

/**
 * Something that may happen in the active state. Ranks: signals, the task's start, its end, timers; within a rank the
 * earliest comes first.
 */
type Chance = { rank: number; at: number; happen: () => void };

/** Lets the active state move on as far as it can now. */
export function settleFsm(machine: Machine): void {
  if (machine.path.length === 0)
    enter(machine, machine.flow.workflow.initial ?? machine.flow.workflow.states?.[0]?.id ?? "");
  while (machine.phase === "RUNNING") {
    const task = activeTask(machine);
    if (task !== undefined && task.children !== null && !isEnded(task)) lookAtGroup(machine, task);
    try {
      const timers = afterChances(machine);
      const chances = [...signalChances(machine), ...taskChances(machine), ...timers];
      const next = chances.sort((a, b) => a.rank - b.rank || a.at - b.at)[0];
      if (next === undefined) return;
      next.happen();
    } catch (cause) {
      if (!(cause instanceof ExpressionFailure)) throw cause;
      fail(machine, "EXPRESSION_FAILED");
    }
  }
}

/** When the active state's `after` timers are due, in document order. */
export function afterTimes(machine: Machine): number[] {
  const state = machine.path.at(-1);
  if (state === undefined) return [];
  // Evaluated on entry: what the state's own task does later changes nothing.
  machine.delays ??= (stateDoc(machine.flow, state).after ?? []).map((entry) => readDelay(machine, entry.delay));
  return machine.delays.map((delay) => machine.enteredAt + delay);
}

function readDelay(machine: Machine, delay: Duration): number {
  return readDuration(evaluateTemplate(delay, namesFor(machine, {})) as Duration);
}

function activeTask(machine: Machine): Task | undefined {
  return machine.tasks.get(activePath(machine));
}

function enter(machine: Machine, id: string): void {
  machine.path.push(id);
  machine.enteredAt = machine.now;
  machine.delays = null;
  machine.settled = false;
}

/**
 * The oldest queued signal that an `on` entry admits; it comes before everything else. Those before it that no guard
 * could judge are noted.
 */
function signalChances(machine: Machine): Chance[] {
  for (const signal of machine.signals) {
    const judgement = judgeSignal(machine, signal);
    if (judgement === "unfit") noteUnfit(machine, signal);
    if (typeof judgement === "string") continue;
    const happen = (): void => {
      if (take(machine, judgement.to)) machine.signals = machine.signals.filter((other) => other !== signal);
    };
    return [{ at: signal.at, rank: 0, happen }];
  }
  return [];
}

/** Where the signal leads to; `unfit` when it leads nowhere and a guard could not say so. */
function judgeSignal(machine: Machine, signal: Machine["signals"][number]): { to: string } | "refused" | "unfit" {
  let judgement: "refused" | "unfit" = "refused";
  for (const entry of stateDoc(machine.flow, machine.path.at(-1) ?? "").on ?? []) {
    if (entry.signal !== signal.name) continue;
    try {
      if (holds(machine, entry.when, { signal: { name: signal.name, payload: signal.payload } })) return entry;
    } catch (cause) {
      if (!(cause instanceof ExpressionFailure)) throw cause;
      judgement = "unfit";
    }
  }
  return judgement;
}

function noteUnfit(machine: Machine, signal: Machine["signals"][number]): void {
  const state = machine.path.at(-1) ?? "";
  if (signal.unfitIn.includes(state)) return;
  signal.unfitIn.push(state);
  machine.unfit.push(`${signal.name} in ${state}`);
}

/** The start of the state's task, and what its end leads to. */
function taskChances(machine: Machine): Chance[] {
  const state = stateDoc(machine.flow, machine.path.at(-1) ?? "");
  const task = activeTask(machine);
  if (state.task !== undefined && task === undefined) {
    const doc = state.task;
    return [{ at: machine.enteredAt, rank: 1, happen: () => void startTask(machine, activePath(machine), doc, {}) }];
  }
  if (machine.settled || (task !== undefined && !isEnded(task))) return [];
  const at = task?.endedAt ?? machine.enteredAt;
  if (task === undefined || isSuccess(task)) return [{ at, rank: 2, happen: () => completed(machine) }];
  return [{ at, rank: 2, happen: () => failed(machine, task.error?.type ?? "") }];
}

function completed(machine: Machine): void {
  const state = stateDoc(machine.flow, machine.path.at(-1) ?? "");
  if (state.final === "completed") {
    completeRun(machine, () => lastOutput(machine)?.output ?? null);
    return;
  }
  if (state.final === "failed") {
    failRun(machine, { type: "FINAL_STATE", task: null });
    return;
  }
  const entry = (state.transitions ?? []).find((candidate) => holds(machine, candidate.when, {}));
  const mayWait = (state.on ?? []).length + (state.after ?? []).length > 0;
  const justWaits = state.task === undefined && (state.transitions ?? []).length === 0;
  if (entry !== undefined) take(machine, entry.to);
  else if (mayWait || justWaits) machine.settled = true;
  else fail(machine, "NO_TRANSITION");
}

function failed(machine: Machine, type: string): void {
  const state = stateDoc(machine.flow, machine.path.at(-1) ?? "");
  const entry = (state.on_error ?? []).find(
    ({ match }) => match === undefined || match === type || (Array.isArray(match) && match.includes(type)),
  );
  if (entry !== undefined) take(machine, entry.to);
  else failRun(machine, { type, task: activePath(machine) });
}

function afterChances(machine: Machine): Chance[] {
  const { after } = stateDoc(machine.flow, machine.path.at(-1) ?? "");
  const chances: Chance[] = [];
  afterTimes(machine).forEach((at, index) => {
    const to = after?.[index]?.to;
    if (at <= machine.now && to !== undefined) chances.push({ at, rank: 3, happen: () => take(machine, to) });
  });
  return chances;
}

/** Leaves the active state and enters another, unless that is one transition too many. Says whether it did. */
function take(machine: Machine, to: string): boolean {
  machine.transitions += 1;
  if (machine.transitions > (machine.flow.workflow.max_transitions ?? 1_000)) {
    fail(machine, "TRANSITION_LIMIT");
    return false;
  }
  const task = activeTask(machine);
  if (task !== undefined && !isEnded(task)) {
    // On release of a hold a retry that is due may as well begin first, only to be cancelled.
    machine.open ||= [...machine.tasks.values()].some((other) => other.dueAt !== null && other.dueAt <= machine.now);
    cancelTask(machine, task);
  }
  enter(machine, to);
  return true;
}

/** Fails the run; a task that is still open is cancelled first, as in every ending. */
function fail(machine: Machine, type: string): void {
  const task = activeTask(machine);
  if (task === undefined || isEnded(task)) failRun(machine, { type, task: null });
  else beginEnding(machine, { phase: "FAILED", error: { type, task: null }, compensate: true });
}

function holds(machine: Machine, when: string | undefined, own: Names): boolean {
  return when === undefined || evaluateBoolean(when, namesFor(machine, own));
}

function lastOutput(machine: Machine): Task | undefined {
  return [...machine.tasks.values()]
    .filter((task) => /^[^.~]*~\d+$/.test(task.path) && task.state === "COMPLETED")
    .sort((a, b) => (b.endOrder ?? 0) - (a.endOrder ?? 0))[0];
}
