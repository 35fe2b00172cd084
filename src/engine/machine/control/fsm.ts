/** How an FSM run moves from state to state. See docs/semantics.md §4. */
import type { Json } from "../../../base/json/json.ts";
import type { FsmState } from "../../../flows/plan.ts";
import type { EvaluationResult, Need } from "../events.ts";
import { visitPath } from "../paths.ts";
import type { EnteredBy, GuardError, JournalRecord, RunError } from "../records.ts";
import { fsmStateOf, type Run } from "../run.ts";
import { publicState, type TaskState } from "../state.ts";
import { ownError, type Step } from "../tasks/outcomes.ts";
import { isEnded, isSuccess } from "../tasks/task-ends.ts";
import { beginTask } from "../tasks/tasks.ts";
import { cancelChildren } from "./groups.ts";

/** How an FSM run continues: with a step, with its end, or not at all (null) while it waits. */
export type FsmStep = Step | { readonly end: "completed" } | { readonly fail: RunError } | null;

/** Returns the next step of an FSM run that is neither held nor ending. */
export function stepFsm(run: Run, at: number): FsmStep {
  if (run.plan.kind !== "fsm") throw new Error("not an FSM");
  const fsm = run.state.fsm;
  if (fsm === null) return enterState(run, run.plan.initial, { kind: "initial" }, at);
  const state = fsmStateOf(run, fsm.state);
  if (state.after.length > 0 && !fsm.armed) return { need: { kind: "after", state: state.id } };
  const signal = nextSignal(run, state);
  if (signal !== null) return signal;
  if (state.task !== null) {
    const path = activePath(run);
    const task = run.state.tasks.get(path);
    if (task === undefined) return beginTask(path, state.task, null, at);
    if (!isEnded(task)) return null;
    if (!isSuccess(task)) return leaveAfterFailure(run, state, task, at);
  }
  if (state.final === "completed") return { end: "completed" };
  if (state.final === "failed")
    return { fail: { type: "FINAL_STATE", message: `the run ended in state ${state.id}`, task: state.id } };
  if (fsm.settled) return null;
  if (state.transitions.length === 0) return settle(state, at);
  return { need: { kind: "transitions", state: state.id } };
}

/** Path of the active state's task. */
function activePath(run: Run): string {
  const fsm = run.state.fsm;
  return fsm === null ? "" : visitPath(fsm.state, fsm.visit);
}

function nextSignal(run: Run, state: FsmState): Step | null {
  if (state.on.length === 0 || run.state.signals.length === 0) return null;
  const judged = judgedSoFar(run);
  for (const signal of run.state.signals) {
    if (judged.has(signal.id)) continue;
    judged.add(signal.id);
    const entries = state.on.flatMap((entry, index) => (entry.signal === signal.name ? [index] : []));
    if (entries.length > 0) return { need: { kind: "on", state: state.id, signal: signal.id, entries } };
  }
  return null;
}

/**
 * Signals already judged against what guards would read now. Within a visit, the active task and the run itself are the
 * only inputs of guards that change.
 */
function judgedSoFar(run: Run): Set<number> {
  const { judged } = run;
  const visit = activePath(run);
  const task = run.state.tasks.get(visit);
  const { state = "PENDING", attempt = 0, error = null } = task ?? {};
  const shown = publicState(run.state);
  if (
    judged.visit !== visit ||
    judged.task !== state ||
    judged.attempt !== attempt ||
    judged.error !== error ||
    judged.run !== shown
  ) {
    judged.signals.clear();
    Object.assign(judged, { visit, task: state, attempt, error, run: shown });
  }
  return judged.signals;
}

function settle(state: FsmState, at: number): FsmStep {
  if (state.on.length > 0 || state.after.length > 0 || (state.task === null && state.transitions.length === 0)) {
    return { records: [{ type: "state.settled", at }] };
  }
  return { fail: { type: "NO_TRANSITION", message: `no transition of state ${state.id} matches`, task: state.id } };
}

function leaveAfterFailure(run: Run, state: FsmState, task: TaskState, at: number): FsmStep {
  const type = task.error?.type ?? "CANCELED";
  const index = state.onError.findIndex((entry) => entry.match === null || entry.match.includes(type));
  const entry = state.onError[index];
  if (entry !== undefined) return enterState(run, entry.to, { kind: "error", index }, at);
  return { fail: { type, message: task.error?.message ?? "the task was canceled", task: task.path } };
}

/** Returns the records that follow the evaluation of transitions, signals, or delays of the active state. */
export function decideFsmEvaluated(
  run: Run,
  need: Extract<Need, { kind: "transitions" | "on" | "after" }>,
  result: EvaluationResult,
  at: number,
): FsmStep {
  const state = fsmStateOf(run, need.state);
  if (!result.ok) return { fail: { type: result.error.type, message: result.error.message, task: state.id } };
  if (need.kind === "after") {
    const delays = result.value as readonly number[];
    return {
      records: [{ type: "state.armed", at, after: delays.map((delay, index) => ({ index, dueAt: at + delay })) }],
    };
  }
  if (need.kind === "transitions") {
    const index = result.value as number;
    const taken = state.transitions[index];
    return taken === undefined ? settle(state, at) : enterState(run, taken.to, { kind: "transition", index }, at);
  }
  const { index, error } = result.value as unknown as { readonly index: number; readonly error: GuardError | null };
  const taken = state.on[index];
  if (taken !== undefined) return enterState(run, taken.to, { kind: "signal", signal: need.signal, index }, at);
  return { records: error === null ? [] : noteGuardFailure(run, need.signal, state.id, error, at) };
}

/** Records that a guard failed on a signal, once per state, because signals are judged repeatedly. */
function noteGuardFailure(run: Run, id: number, state: string, error: GuardError, at: number): JournalRecord[] {
  const signal = run.state.signals.find((queued) => queued.id === id);
  if (signal === undefined || run.state.guardFailures.get(id)?.states.includes(state)) return [];
  return [{ type: "signal.guard_failed", at, id, name: signal.name, state, error }];
}

/** Returns the records for the earliest `after` timer of the active state, if one is due by `by`. */
export function decideAfterDue(run: Run, at: number, by: number): FsmStep {
  const fsm = run.state.fsm;
  if (fsm === null) return null;
  const due = fsm.after.filter((timer) => timer.dueAt <= by).sort((a, b) => a.dueAt - b.dueAt || a.index - b.index)[0];
  if (due === undefined) return null;
  const entry = fsmStateOf(run, fsm.state).after[due.index];
  return entry === undefined ? null : enterState(run, entry.to, { kind: "after", index: due.index }, at);
}

function enterState(run: Run, to: number, by: EnteredBy, at: number): FsmStep {
  if (run.plan.kind !== "fsm") throw new Error("not an FSM");
  const target = run.plan.states[to];
  if (target === undefined) throw new Error(`plan has no state ${to}`);
  const fsm = run.state.fsm;
  if (fsm !== null && fsm.transitions + 1 > run.plan.maxTransitions) {
    const { type, message } = ownError(
      "TRANSITION_LIMIT",
      `the run took ${fsm.transitions} transitions, which is its limit`,
    );
    return { fail: { type, message, task: fsm.state } };
  }
  const records: JournalRecord[] = [];
  if (by.kind === "signal") {
    const signal = run.state.signals.find(({ id }) => id === by.signal);
    const name = signal === undefined ? {} : { name: signal.name };
    records.push({ type: "signal.consumed", at, id: by.signal, ...name, task: fsm?.state ?? "" });
  }
  const running = run.state.tasks.get(activePath(run));
  if (running !== undefined && !isEnded(running)) {
    cancelChildren(run, running.path, at, records);
    records.push({ type: "task.canceled", at, task: running.path });
  }
  const visit = (fsm?.visits.get(target.id) ?? 0) + 1;
  records.push({ type: "state.entered", at, state: target.id, visit, by });
  return { records };
}

/** Output of an FSM run without a mapping: the output of the completed state task that ended last, or null. */
export function lastOutput(run: Run): Json {
  const fsm = run.state.fsm;
  for (let index = (fsm?.path.length ?? 0) - 1, seen = new Map(fsm?.visits); index >= 0; index -= 1) {
    const id = fsm?.path[index] ?? "";
    const visit = seen.get(id) ?? 0;
    seen.set(id, visit - 1);
    const task = run.state.tasks.get(visitPath(id, visit));
    if (task?.state === "COMPLETED") return task.output ?? null;
  }
  return null;
}
