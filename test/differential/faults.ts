/** Bugs to plant, as data: one for each rule that the engine could get wrong. The suite must notice every one. */
import type { RunEvent } from "../../src/engine/machine/events.ts";
import type { DeadLetterReason, JournalRecord } from "../../src/engine/machine/records.ts";
import { type Run, specOf } from "../../src/engine/machine/run.ts";
import type { TaskState } from "../../src/engine/machine/state.ts";
import type { Scope, Template } from "../../src/flows/plan.ts";
import type { Json, JsonMap } from "../oracle/document.ts";
import { JOIN_BUGS } from "./faults-joins.ts";
import { WORKER_BUGS } from "./faults-workers.ts";
import {
  inEvents,
  inNodes,
  inPlan,
  inRecords,
  inRetries,
  inState,
  inStates,
  inTasks,
  of,
  type PlantedBug,
} from "./plant.ts";

/** Every bug. */
export const PLANTED_BUGS: PlantedBug[] = [
  ...JOIN_BUGS,
  ...WORKER_BUGS,
  inPlan("fail_fast is ignored", (plan) => (plan.kind === "dag" ? { ...plan, failFast: false } : plan)),
  inPlan("every flow is fail_fast", (plan) => (plan.kind === "dag" ? { ...plan, failFast: true } : plan)),
  inPlan("the output mapping is ignored", (plan) => ({ ...plan, output: null })),

  inTasks("on_error is ignored", (task) => ({ ...task, onError: "fail" })),
  inTasks("every failure is handled", (task) => ({ ...task, onError: "continue" })),
  inTasks("on_reject is ignored", (task) => ({ ...task, onReject: "fail" })),
  inTasks("one child more than max_concurrency", (task) => ({ ...task, maxConcurrency: task.maxConcurrency + 1 })),
  inTasks("children run one by one", (task) => ({ ...task, maxConcurrency: 1 })),
  inTasks("fail_fast of groups is ignored", (task) => ({ ...task, failFast: false })),
  inTasks("every group is fail_fast", (task) => ({ ...task, failFast: true })),
  inTasks("items are mapped in reverse", (task) =>
    task.map === null ? task : { ...task, map: { ...task.map, items: reversed(task.map.items) } },
  ),

  inRetries("one retry more", (retry) => ({ ...retry, maxRetries: retry.maxRetries + 1 })),
  inRetries("one retry less", (retry) => ({ ...retry, maxRetries: Math.max(0, retry.maxRetries - 1) })),
  inRetries("fixed grows", (retry) => (retry.backoff === "fixed" ? { ...retry, backoff: "linear" } : retry)),
  inRetries("linear is fixed", (retry) => (retry.backoff === "linear" ? { ...retry, backoff: "fixed" } : retry)),
  inRetries("exponential is linear", (retry) =>
    retry.backoff === "exponential" ? { ...retry, backoff: "linear" } : retry,
  ),
  inRetries("full_jitter has no jitter", (retry) =>
    retry.backoff === "full_jitter" ? { ...retry, backoff: "exponential" } : retry,
  ),
  inRetries("the multiplier is ignored", (retry) => ({ ...retry, multiplier: 2 })),
  inRetries("max_delay is ignored", (retry) => ({ ...retry, maxDelayMs: Number.MAX_SAFE_INTEGER })),
  inRetries("non_retryable is ignored", (retry) => ({ ...retry, nonRetryable: [] })),
  inTasks("limits that are expressions are ignored", (task) => ({ ...task, limits: [] })),
  inState("limits are forgotten after the first attempt", (run) => {
    for (const task of run.state.tasks.values()) if (task.attempt > 1) task.limits = null;
  }),
  inTasks("timeout is ignored", (task) => ({ ...task, timeouts: { ...task.timeouts, startToCloseMs: null } })),
  inTasks("schedule_to_close_timeout is ignored", (task) => ({
    ...task,
    timeouts: { ...task.timeouts, scheduleToCloseMs: null },
  })),
  inTasks("schedule_to_start_timeout is ignored", (task) => ({
    ...task,
    timeouts: { ...task.timeouts, scheduleToStartMs: null },
  })),
  inTasks("heartbeat_timeout is ignored", (task) => ({ ...task, timeouts: { ...task.timeouts, heartbeatMs: null } })),
  inRecords(
    "nothing is a dead letter",
    withoutReason(() => true),
  ),
  inRecords(
    "only used up attempts make a dead letter",
    withoutReason((reason) => reason !== "ATTEMPTS_EXHAUSTED"),
  ),
  inRecords(
    "what was deferred for too long is no dead letter",
    withoutReason((reason) => reason === "DEFERRED_TOO_LONG"),
  ),
  inRecords("every dead letter used up its attempts", (record) =>
    record.type === "task.failed" && record.deadLetter !== undefined
      ? { ...record, deadLetter: "ATTEMPTS_EXHAUSTED" }
      : record,
  ),
  inRecords("a handled failure, and a rejection, are dead letters", (record) =>
    record.type === "task.failed" ? { ...record, deadLetter: record.deadLetter ?? "NOT_RETRYABLE" } : record,
  ),
  inState("an error outlives the success after it", errorsOutlive),
  inEvents("a start is never delayed", (event) => (event.type === "start" ? { ...event, startAt: null } : event)),
  inEvents("next_retry_delay is ignored", (event) => {
    if (event.type !== "reported" || event.outcome.ok) return event;
    const { type, message, retryable } = event.outcome.error;
    return { ...event, outcome: { ok: false, error: { type, message, retryable } } };
  }),
  inEvents("retryable: false is ignored", (event) => {
    if (event.type !== "reported" || event.outcome.ok || event.outcome.error.type === "CANCELED") return event;
    return { ...event, outcome: { ok: false, error: { ...event.outcome.error, retryable: true } } };
  }),
  inEvents("a deferred call uses up an attempt", (event) => {
    if (event.type !== "reported" || event.outcome.ok || event.outcome.deferMs === undefined) return event;
    return { ...event, outcome: { ok: false, error: event.outcome.error } };
  }),
  inEvents("a child run that failed completed", (event) =>
    event.type === "child" ? { ...event, end: { ...event.end, phase: "COMPLETED" } } : event,
  ),
  inEvents("the random number of the jitter is ignored", (event) =>
    event.type === "reported" ? { ...event, random: 0.5 } : event,
  ),
  inEvents("a takeover makes no attempt again", (event) => (event.type === "recover" ? null : event)),
  inRecords("an attempt that is made again is a new one", (record, run) =>
    record.type === "task.dispatched" && run.state.tasks.get(record.task)?.state === "RUNNING"
      ? { ...record, attempt: record.attempt + 1 }
      : record,
  ),
  inRecords("a takeover makes attempts again under a hold", (record, run) =>
    record.type === "task.retrying" && record.error.type === "ATTEMPT_LOST"
      ? { ...of(record), type: "task.dispatched", attempt: run.state.tasks.get(record.task)?.attempt ?? 0 }
      : record,
  ),
  inRecords("a timed-out task is FAILED", (record) =>
    record.type === "task.failed" ? { ...record, timedOut: false } : record,
  ),

  inState("the newest signal is consumed first", (run) => {
    run.state.signals = [...run.state.signals].sort((a, b) => b.id - a.id);
  }),
  inRecords("signals and approvals wait for ever", (record) =>
    record.type === "task.waiting" && record.wait.kind !== "timer" ? { ...record, dueAt: null } : record,
  ),
  inRecords("waits last a little too long", (record) =>
    record.type === "task.waiting" && record.wait.kind === "timer"
      ? { ...record, dueAt: (record.dueAt ?? 0) + 1 }
      : record,
  ),
  inRecords("wait.until is taken for a duration", (record, run) =>
    record.type === "task.waiting" && record.wait.kind === "timer" && untilOf(record.input) !== null
      ? { ...record, dueAt: record.at + Date.parse(untilOf(record.input) ?? "") - run.state.createdAt }
      : record,
  ),
  inRecords("emit gives what it sends", (record, run) =>
    record.type === "task.completed" && specOf(run, record.task).type === "emit"
      ? { ...record, output: record.input ?? null }
      : record,
  ),
  inRecords("emit sends to another topic", (record, run) =>
    record.type === "task.completed" && specOf(run, record.task).type === "emit"
      ? { ...record, input: { ...(record.input as JsonMap), topic: "olds" } }
      : record,
  ),
  inTasks("$${ is left as it is", (task) => ({ ...task, parameters: unescaped(task.parameters) })),
  inEvents("a rejection approves", (event) => (event.type === "decided" ? { ...event, approved: true } : event)),
  inRecords("an expired approval is told as rejected", (record) =>
    record.type === "task.completed" && (record.output as JsonMap | null)?.["decision"] === "expired"
      ? { ...record, output: { ...(record.output as JsonMap), decision: "rejected" } }
      : record,
  ),

  inStates("transitions are tried in reverse", (state) => ({
    ...state,
    transitions: [...state.transitions].reverse(),
  })),
  inStates("on is tried in reverse", (state) => ({ ...state, on: [...state.on].reverse() })),
  inStates("on is ignored", (state) => ({ ...state, on: [] })),
  inStates("guards of on are ignored", (state) => ({
    ...state,
    on: state.on.map((entry) => ({ ...entry, when: null })),
  })),
  inStates("a guard that cannot be evaluated admits", (state) => ({
    ...state,
    on: state.on.map((entry) => ({ ...entry, when: entry.when === null ? null : trueWhenFailing(entry.when) })),
  })),
  inState("a guard that fails is reported again and again", (run) => run.state.guardFailures.clear()),
  inStates("a queued signal is judged once", (state) => ({
    ...state,
    on: state.on.map((entry) => ({ ...entry, when: entry.when === null ? null : judgedOnce(entry.when) })),
  })),
  inRecords("after timers are late", (record) =>
    record.type === "state.armed"
      ? { ...record, after: record.after.map((timer) => ({ ...timer, dueAt: timer.dueAt + 1 })) }
      : record,
  ),
  inStates("after is ignored", (state) => ({ ...state, after: [] })),
  inStates("after is tried in reverse", (state) => ({ ...state, after: [...state.after].reverse() })),
  inStates("on_error is tried in reverse", (state) => ({ ...state, onError: [...state.onError].reverse() })),
  inStates("on_error matches everything", (state) => ({
    ...state,
    onError: state.onError.map((entry) => ({ ...entry, match: null })),
  })),
  inStates("a failed final state completes", (state) => ({
    ...state,
    final: state.final === null ? null : "completed",
  })),
  inPlan("one transition more", (plan) =>
    plan.kind === "fsm" ? { ...plan, maxTransitions: plan.maxTransitions + 1 } : plan,
  ),
  inPlan("one transition less", (plan) =>
    plan.kind === "fsm" ? { ...plan, maxTransitions: plan.maxTransitions - 1 } : plan,
  ),

  inEvents("holds are ignored", (event) => (event.type === "hold" ? null : event)),
  inState("what a hold keeps back begins", (run) => {
    run.state.holds = [];
  }),
  inEvents("cancel is ignored", (event) => (event.type === "cancel" ? null : event)),
  inEvents("terminate is ignored", (event) => (event.type === "terminate" ? null : event)),
  inEvents("the run timeout is ignored", (event) => (event.type === "start" ? { ...event, deadlineAt: null } : event)),
  inEvents("a cancel never compensates", (event) =>
    event.type === "cancel" ? { ...event, compensate: false } : event,
  ),
  inEvents("a cancel always compensates", (event) =>
    event.type === "cancel" ? { ...event, compensate: true } : event,
  ),
  inRecords("a cancel awaits nothing", (record) =>
    record.type === "run.ending" ? { ...record, boundAt: record.at } : record,
  ),
  inRecords("a cancel waits for ever", (record) =>
    record.type === "run.ending" ? { ...record, boundAt: Number.MAX_SAFE_INTEGER } : record,
  ),
  inRecords("compensation goes the wrong way", (record) =>
    record.type === "run.compensating" ? { ...record, order: [...record.order].reverse() } : record,
  ),
  inRecords("what failed is not compensated", (record, run) =>
    record.type === "run.compensating"
      ? { ...record, order: record.order.filter((path) => run.state.tasks.get(path)?.state === "COMPLETED") }
      : record,
  ),
  inState("compensation goes by the last dispatch", (run) => {
    for (const task of run.state.tasks.values())
      if (task.dispatchedAtSequence > 0) task.dispatchedAtSequence = task.token;
  }),
  inEvents("proof that there was no effect is ignored", withoutProof),
  inState("the last error says whether there was an effect", (run) => {
    for (const task of run.state.tasks.values()) if (task.error?.noEffect) task.effect = "none";
  }),
  inState("the hold of the budget stops compensation", (run) => {
    if (run.state.phase !== "COMPENSATING") return;
    run.state.holds = run.state.holds.map((hold) => (hold.kind === "budget" ? { ...hold, kind: "limit" } : hold));
  }),
  inEvents("only operators hold", (event) => (event.type === "hold" && event.hold !== "operator" ? null : event)),
  inTasks("compensations know nothing of children", (task) => ({
    ...task,
    parameters: toldNoChildren(task.parameters),
  })),
  inNodes("DAGs compensate nothing", (node) => ({ ...node, compensateWith: null })),
  inStates("FSMs compensate nothing", (state) => ({ ...state, compensateWith: null })),
  inTasks("every compensation is told that the task completed", (task) => ({
    ...task,
    parameters: toldCompleted(task.parameters),
  })),
];

function reversed(items: Template): Template {
  return {
    constant: items.constant,
    evaluate: (scope) => {
      const value = items.evaluate(scope);
      return Array.isArray(value) ? [...value].reverse() : value;
    },
  };
}

function untilOf(input: unknown): string | null {
  const until = (input as JsonMap | null)?.until;
  return typeof until === "string" ? until : null;
}

/** A template that gives `$${` where `${` was meant. */
function unescaped(template: Template): Template {
  const leave = (value: Json): Json => {
    if (typeof value === "string") return value.replaceAll("${", () => "$${");
    if (Array.isArray(value)) return value.map(leave);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, leave(member)]));
  };
  return { constant: template.constant, evaluate: (scope) => leave(template.evaluate(scope) as Json) };
}

function withoutProof(event: RunEvent): RunEvent {
  if (event.type !== "reported" || event.outcome.ok || !event.outcome.error.noEffect) return event;
  const { noEffect, ...error } = event.outcome.error;
  return { ...event, outcome: { ...event.outcome, error } };
}

function withoutReason(isLost: (reason: DeadLetterReason) => boolean): (record: JournalRecord) => JournalRecord {
  return (record) => {
    if (record.type !== "task.failed" || record.deadLetter === undefined || !isLost(record.deadLetter)) return record;
    const { deadLetter, ...rest } = record;
    return rest;
  };
}

const lastErrors = new WeakMap<TaskState, TaskState["error"]>();

function errorsOutlive(run: Run): void {
  for (const task of run.state.tasks.values()) {
    if (task.error !== null) lastErrors.set(task, task.error);
    else task.error = lastErrors.get(task) ?? null;
  }
}

function trueWhenFailing(when: Template): Template {
  const evaluate: Template["evaluate"] = (scope) => {
    try {
      return when.evaluate(scope);
    } catch {
      return true;
    }
  };
  return { constant: when.constant, evaluate };
}

/** A guard that says of a signal forever what it said first. */
function judgedOnce(when: Template): Template {
  const said = new Map<string, ReturnType<Template["evaluate"]>>();
  const evaluate: Template["evaluate"] = (scope) => {
    const key = JSON.stringify(scope.signal);
    const value = said.get(key) ?? when.evaluate(scope);
    said.set(key, value);
    return value;
  };
  return { constant: when.constant, evaluate };
}

function toldCompleted(parameters: Template): Template {
  return toldOtherwise(parameters, { outcome: "completed" });
}

function toldNoChildren(parameters: Template): Template {
  return toldOtherwise(parameters, { children: null });
}

/** Parameters of a compensation that is told something else. */
function toldOtherwise(parameters: Template, lies: JsonMap): Template {
  const lie = (scope: Scope): Scope => {
    const { vars, run, item, index, first, signal, compensates } = scope;
    const told = compensates === undefined ? undefined : { ...compensates, ...lies };
    return {
      vars,
      run,
      item,
      index,
      first,
      signal,
      compensates: told as JsonMap | undefined,
      task: (id) => scope.task(id),
    };
  };
  return { constant: parameters.constant, evaluate: (scope) => parameters.evaluate(lie(scope)) };
}
