/**
 * The run machine. `decide(run, event)` returns the records that an event produces; `nextStep(run, at)` returns what
 * follows from the state alone. Both are pure: no clock, no ids, no randomness, no I/O. Expressions are evaluated
 * outside, between a need and its `evaluated` event.
 *
 *   event → decide → records → absorb → nextStep → records → absorb → … →
 *         need → (evaluate) → evaluated → decide → … → nothing left
 */
import { invariant } from "../../base/errors.ts";
import type { Json } from "../../base/json/json.ts";
import { exceedsSize } from "../../base/json/json-size.ts";
import { stepNode } from "./control/dag.ts";
import { beginEnding, cancelOpen, failRun, stepCanceling, stepCompensating } from "./control/endings.ts";
import { decideAfterDue, decideFsmEvaluated, type FsmStep, lastOutput, stepFsm } from "./control/fsm.ts";
import { cancelChildren, stepGroup } from "./control/groups.ts";
import { decideHold, decideRelease } from "./control/holds.ts";
import type { RequestKey, RunEvent } from "./events.ts";
import type { JournalRecord, StartFacts, TaskError } from "./records.ts";
import { mayBegin, type Run, specOf } from "./run.ts";
import { MAX_COLLECTED_BYTES, tooLarge } from "./sizes.ts";
import { isTerminalPhase, type RunState, type TaskState } from "./state.ts";
import { awaitCallback } from "./tasks/callbacks.ts";
import { checkpointTask, detachTask, expireInQueue, handOver, returnTask, startHandedOut } from "./tasks/handouts.ts";
import { beginGranted } from "./tasks/limit-waits.ts";
import { closesAt } from "./tasks/limits.ts";
import { failTask, type Step } from "./tasks/outcomes.ts";
import { placed } from "./tasks/places.ts";
import { answerTask, decideApproval } from "./tasks/questions.ts";
import { isEnded } from "./tasks/task-ends.ts";
import { beginTask, decideChild, decideReported, decideTaskDue, decideTaskEvaluated } from "./tasks/tasks.ts";
import { tellTask } from "./tasks/tell.ts";

/**
 * Returns the records that `event` produces, or none when it changes nothing (late, repeated, or not applicable in this
 * state).
 */
export function decide(run: Run, event: RunEvent): readonly JournalRecord[] {
  const { state } = run;
  if (isTerminalPhase(state.phase)) return [];
  if ("request" in event && event.request !== undefined) {
    if (state.requests.has(event.request.id)) return [];
    const records = decideEvent(run, event);
    // A signal record carries its own key. A decision that came too late was not applied; every other call was, even
    // when there was nothing to change.
    if (event.type === "signal" || (event.type === "decided" && records.length === 0)) return records;
    return [{ type: "request.applied", at: event.at, ...toKey(event.request) }, ...records];
  }
  return decideEvent(run, event);
}

function toKey({ id, hash }: RequestKey): { readonly request: string; readonly requestHash: string } {
  return { request: id, requestHash: hash };
}

function decideEvent(run: Run, event: RunEvent): readonly JournalRecord[] {
  const { state } = run;
  const { at } = event;
  switch (event.type) {
    case "start":
      return decideStart(run, event);
    case "evaluated":
      return decideEvaluated(run, event);
    case "reported":
      if (!isAwaited(state.tasks.get(event.task), event.token)) return [];
      return placed(decideReported(run, event.task, event.outcome, at, event.random), event.place);
    case "hand_over":
      return handOver(run, event.task, event.to, event.queued, at);
    case "granted":
      return beginGranted(run, event.task, event.asked, at);
    case "started":
      return startHandedOut(run, event.task, event.token, at);
    case "returned":
      return returnTask(run, event.task, event.token, event.reason, at, event.random);
    case "queue_expired":
      return expireInQueue(run, event.task, event.queue, event.ttlMs, at);
    case "checkpoint":
      return checkpointTask(run, event.task, event.token, event.checkpoint, at);
    case "detach":
      return detachTask(run, event.task, event.token, at);
    case "tell":
      return tellTask(run, event, at);
    case "called":
      return awaitCallback(run, event.task, event.token, at);
    case "continue":
      return [];
    case "due":
      return decideDue(run, at, event.by ?? at, event.random);
    case "signal":
      return decideSignal(run, event, at);
    case "decided":
      return decideApproval(run, event.approval, event, at);
    case "child":
      return decideChild(run, event.task, event.runId, event.end, at, event.random);
    case "cancel":
      if (state.phase === "QUEUED") return [{ type: "run.canceled", at, reason: event.reason, by: event.by }];
      if (state.phase !== "RUNNING") return [];
      return beginEnding(
        run,
        { end: "canceled", compensate: event.compensate, reason: event.reason, by: event.by, error: null },
        at,
      );
    case "terminate":
      return [...cancelOpen(run, at, true), { type: "run.terminated", at, reason: event.reason, by: event.by }];
    case "hold":
      if (state.holds.some((hold) => hold.kind === event.hold)) return [];
      return decideHold(run, event);
    case "release":
      if (!state.holds.some((hold) => hold.kind === event.hold)) return [];
      return decideRelease(run, event);
    case "budget_warned":
      return [{ type: "run.budget_warned", at, budget: event.budget, why: event.why }];
    case "recover":
      return decideRecover(run, at, event.clean);
  }
}

function decideStart(run: Run, event: Extract<RunEvent, { type: "start" }>): JournalRecord[] {
  invariant(run.state.sequence === 0, `run ${run.state.runId} has started`);
  const { plan } = run;
  const { at, tenantId, vars, deadlineAt, facts, by, refusal, limit, sequence = 1 } = event;
  const startAt = event.startAt ?? (limit === undefined ? null : at);
  const { flowId, version, hash } = plan;
  const signals = event.signals.map(
    (signal, index): JournalRecord => ({ type: "signal.received", at, id: index + 1, ...signal, ...byOf(by) }),
  );
  const started: JournalRecord = {
    type: "run.started",
    at,
    flowId,
    version,
    hash,
    tenantId,
    vars,
    ...(deadlineAt === null ? {} : { deadlineAt }),
    ...(startAt === null ? {} : { startAt }),
    ...(limit === undefined ? {} : { limit }),
    ...(sequence === 1 ? {} : { sequence }),
    facts: keepFilled(facts),
  };
  if (refusal !== undefined) return [started, { type: "run.failed", at, error: { ...refusal, task: null } }];
  return limit !== undefined && event.startAt === null
    ? [started, ...signals, { type: "run.limited", at }]
    : [started, ...signals];
}

/** Keeps the facts that are not empty: every start is journaled, and most have few. */
function keepFilled(facts: StartFacts): Partial<StartFacts> {
  const { userId, correlationId, labels, runKey, requestId, context, budget, hops = 0, trace, parent } = facts;
  const filled: { -readonly [Name in keyof StartFacts]?: StartFacts[Name] } = {};
  if (userId !== "") filled.userId = userId;
  if (correlationId !== "") filled.correlationId = correlationId;
  if (Object.keys(labels).length > 0) filled.labels = labels;
  if (runKey !== "") filled.runKey = runKey;
  if (requestId !== "") filled.requestId = requestId;
  if (context !== null) filled.context = context;
  if (budget !== undefined) filled.budget = budget;
  if (hops > 0) filled.hops = hops;
  if (trace !== undefined) filled.trace = trace;
  if (parent !== null) filled.parent = parent;
  return filled;
}

function decideEvaluated(run: Run, event: Extract<RunEvent, { type: "evaluated" }>): readonly JournalRecord[] {
  const { need, result, at, mayLeave } = event;
  switch (need.kind) {
    case "task":
      return decideTaskEvaluated(run, need, result, at, mayLeave);
    case "output":
      if (!result.ok) return failRun(run, { type: result.error.type, message: result.error.message, task: null }, at);
      return [{ type: "run.completed", at, output: result.value }];
    default:
      return recordsOf(run, decideFsmEvaluated(run, need, result, at), at);
  }
}

function decideSignal(run: Run, event: Extract<RunEvent, { type: "signal" }>, at: number): JournalRecord[] {
  const { state } = run;
  const { name, payload, by, request } = event;
  const id = state.signalCount + 1;
  const received: JournalRecord = {
    type: "signal.received",
    at,
    id,
    name,
    payload,
    ...byOf(by),
    ...(request === undefined ? {} : toKey(request)),
  };
  const waiting = longestWaiting(run, name);
  if (waiting === null) return [received];
  return [
    received,
    { type: "signal.consumed", at, id, name, task: waiting.path },
    waiting.suspension === null
      ? { type: "task.completed", at, task: waiting.path, output: payload }
      : answerTask(run, waiting, payload, at),
  ];
}

function byOf(by = ""): { readonly by?: string } {
  return by === "" ? {} : { by };
}

function longestWaiting(run: Run, name: string): TaskState | null {
  let found: TaskState | null = null;
  for (const task of run.state.tasks.values()) {
    if (task.state !== "WAITING" || task.wait?.kind !== "signal" || task.wait.name !== name) continue;
    if (found === null || task.token < found.token) found = task;
  }
  return found;
}

/** Returns true when `token` belongs to the current attempt: late and repeated reports change nothing. */
function isAwaited(task: TaskState | undefined, token: number): boolean {
  return task?.token === token && (task.state === "RUNNING" || task.handedTo !== null);
}

/**
 * Returns when the earliest timer of the run can act, now or later, in milliseconds since the epoch, or null when it
 * has none.
 */
export function nextDueAt(run: Run): number | null {
  const { state } = run;
  if (isTerminalPhase(state.phase)) return null;
  let due = Number.POSITIVE_INFINITY;
  if (state.phase === "QUEUED") return queuedUntil(state);
  if (state.phase === "RUNNING" && state.deadlineAt !== null) due = state.deadlineAt;
  if (state.phase === "CANCELING" && state.boundAt !== null) due = state.boundAt;
  const held = !mayBegin(run);
  for (const [path, at] of state.timers) due = Math.min(due, held ? dueUnderHold(run, path, at) : at);
  if (state.fsm !== null && state.phase === "RUNNING" && !held) {
    for (const timer of state.fsm.after) due = Math.min(due, timer.dueAt);
  }
  return due === Number.POSITIVE_INFINITY ? null : due;
}

/** When a run that has not begun does something: it begins, asks for its slot, or has waited for that too long. */
function queuedUntil({ limit, limitSlot, holds, startAt, deadlineAt }: RunState): number | null {
  if (limit === null) return startAt;
  if (limitSlot !== null) return deadlineAt;
  // A run under a hold is in no line.
  return holds.length > 0 ? deadlineAt : startAt;
}

/** Under a hold, waits still end. Retries are suspended, but not past their schedule-to-close. */
function dueUnderHold(run: Run, path: string, at: number): number {
  const task = run.state.tasks.get(path);
  if (task?.state !== "RETRYING") return at;
  return closesAt(specOf(run, path), task) ?? Number.POSITIVE_INFINITY;
}

function decideDue(run: Run, at: number, by: number, random: number): readonly JournalRecord[] {
  const { state } = run;
  const due = nextDueAt(run);
  if (due === null || due > by) return [];
  if (state.phase === "QUEUED") {
    if (state.limit === null) return [{ type: "run.opened", at }];
    const isOver = state.limitSlot !== null || state.holds.length > 0;
    return [isOver ? { type: "run.timed_out", at } : { type: "run.limited", at }];
  }
  if (state.phase === "CANCELING" && due === state.boundAt) return cancelOpen(run, at, true);
  const held = !mayBegin(run);
  for (const [path, timerAt] of state.timers) {
    const task = state.tasks.get(path);
    if (task === undefined || due !== (held ? dueUnderHold(run, path, timerAt) : timerAt)) continue;
    if (task.group !== null) return closeGroup(run, task, at);
    return held && task.state === "RETRYING" ? [closeTask(run, task, at)] : decideTaskDue(run, task, at, random);
  }
  if (state.fsm?.after.some((timer) => timer.dueAt === due) && state.phase === "RUNNING" && !held) {
    return recordsOf(run, decideAfterDue(run, at, by), at);
  }
  return beginEnding(
    run,
    { end: "timed_out", compensate: true, reason: "the run did not end before its deadline", by: "", error: null },
    at,
  );
}

function closeGroup(run: Run, task: TaskState, at: number): JournalRecord[] {
  const error: TaskError = { type: "TIMEOUT", message: "the children did not end in time", retryable: false };
  const failed = failTask(specOf(run, task.path), task.path, error, at, { timedOut: true });
  return [...cancelChildren(run, task.path, at), failed];
}

function closeTask(run: Run, task: TaskState, at: number): JournalRecord {
  const message = "the time of the task was over while the run was held";
  const error: TaskError = { type: "SCHEDULE_TO_CLOSE_TIMEOUT", message, retryable: false };
  return failTask(specOf(run, task.path), task.path, error, at, { timedOut: true });
}

function decideRecover(run: Run, at: number, clean: boolean): JournalRecord[] {
  const records: JournalRecord[] = clean ? [] : [{ type: "run.recovered", at }];
  const held = !mayBegin(run);
  for (const task of run.state.tasks.values()) {
    // Handed-out work goes on elsewhere.
    if (task.state !== "RUNNING" || task.group !== null || task.handedTo !== null) continue;
    const { path, attempt } = task;
    // No report will come, and no attempt begins while a run is being canceled.
    if (run.state.phase === "CANCELING") records.push({ type: "task.canceled", at, task: path });
    else if (!held) records.push({ type: "task.dispatched", at, task: path, attempt, again: true });
    // Nothing starts under a hold: the attempt is repeated on release, with the same number.
    else records.push({ type: "task.retrying", at, task: path, error: ATTEMPT_LOST, dueAt: at, deferred: true });
  }
  return records;
}

const ATTEMPT_LOST: TaskError = {
  type: "ATTEMPT_LOST",
  message: "the instance that made the attempt is gone",
  retryable: true,
};

/** Returns what follows from the state alone: records, a value to evaluate, or null when the run waits for an event. */
export function nextStep(run: Run, at: number): Step | null {
  const { state } = run;
  switch (state.phase) {
    case "CANCELING":
      return stepCanceling(run, at);
    case "COMPENSATING":
      return mayBegin(run) ? (stepGroups(run, at) ?? stepCompensating(run, at)) : null;
    case "RUNNING":
      return mayBegin(run) ? stepRunning(run, at) : null;
    default:
      return null;
  }
}

function stepRunning(run: Run, at: number): Step | null {
  const { state, plan } = run;
  if (plan.kind === "dag" && plan.failFast && state.failure !== null) {
    const cause = {
      end: "failed",
      compensate: true,
      reason: state.failure.message,
      by: "",
      error: state.failure,
    } as const;
    return { records: state.ended < run.graphSize ? beginEnding(run, cause, at) : failRun(run, state.failure, at) };
  }
  const step = stepGroups(run, at);
  if (step !== null) return step;
  if (plan.kind === "fsm") return toStep(run, stepFsm(run, at), at);
  if (plan.kind === "graph") return stepGraph(run, at);
  if (state.ended < run.graphSize) return null;
  if (state.failure !== null) return { records: failRun(run, state.failure, at) };
  return finish(run, at);
}

/** Works through the agenda until something makes progress. */
function stepGroups(run: Run, at: number): Step | null {
  for (let place = run.agenda.take(); place !== undefined; place = run.agenda.take()) {
    const step = typeof place === "number" ? stepNode(run, place, at) : stepGroup(run, place, at);
    if (step !== null) return step;
  }
  return null;
}

function stepGraph(run: Run, at: number): Step | null {
  if (run.plan.kind !== "graph") return null;
  const task = run.state.tasks.get(run.plan.graph);
  if (task === undefined) return beginTask(run.plan.graph, run.plan.task, null, at);
  if (!isEnded(task)) return null;
  if (task.state === "COMPLETED") return finish(run, at);
  const error = { type: task.error?.type ?? "CANCELED", message: task.error?.message ?? "", task: task.path };
  return { records: failRun(run, error, at) };
}

function finish(run: Run, at: number): Step {
  if (run.plan.output !== null) return { need: { kind: "output" } };
  const output = defaultOutput(run);
  if (exceedsSize(output, MAX_COLLECTED_BYTES)) {
    const { type, message } = tooLarge("the output of the run", MAX_COLLECTED_BYTES);
    return { records: failRun(run, { type, message, task: null }, at) };
  }
  return { records: [{ type: "run.completed", at, output }] };
}

function defaultOutput(run: Run): Json {
  const { plan, state } = run;
  if (plan.kind === "fsm") return lastOutput(run);
  if (plan.kind === "graph") return state.tasks.get(plan.graph)?.output ?? null;
  const outputs: [string, Json][] = [];
  for (const { task: spec, isCompensation, dependents } of plan.nodes) {
    const task = state.tasks.get(spec.id);
    if (!isCompensation && dependents.length === 0 && task?.state === "COMPLETED")
      outputs.push([spec.externalId ?? spec.id, task.output ?? null]);
  }
  // An external id may be `__proto__`, which an assignment would take for something else.
  return Object.fromEntries(outputs);
}

function toStep(run: Run, step: FsmStep, at: number): Step | null {
  if (step === null || "need" in step) return step;
  if ("end" in step) return finish(run, at);
  return { records: recordsOf(run, step, at) };
}

function recordsOf(run: Run, step: FsmStep, at: number): readonly JournalRecord[] {
  if (step === null || "need" in step || "end" in step) return [];
  return "fail" in step ? failRun(run, step.fail, at) : step.records;
}
