/**
 * Checks records as they are read from the store, before anything uses them. Each kind has one check, which names all
 * of its fields. Without these checks, a value of the wrong type would surface wherever it is first used: the fold, an
 * encoder, a caller.
 *
 * A field that older records may lack is marked optional. Fields that are not listed here pass, so a record of a newer
 * build is refused only for its kind.
 */
import {
  count,
  duration,
  type FieldCheck,
  fieldChecks,
  flag,
  isObject,
  json,
  kindOf,
  list,
  listOf,
  object,
  objectOf,
  oneOf,
  optional,
  orNull,
  text,
  time,
  type Unchecked,
} from "../../base/field-checks.ts";
import { labelsProblem } from "../../base/labels.ts";
import type { TraceFacts } from "../../base/traces/run-trace.ts";
import type { BudgetSpec, RunBudget, RunLimit, TaskLimits } from "../../flows/plan.ts";
import type {
  Answer,
  ApprovalEnd,
  Cause,
  DeadLetterReason,
  EnteredBy,
  GuardError,
  HoldKind,
  JournalRecord,
  Place,
  Recalled,
  RecordType,
  ReturnReason,
  RunError,
  SkipReason,
  StartFacts,
  TaskError,
  Told,
  Wait,
} from "./records.ts";

type RecordOf<Type extends RecordType> = Omit<Extract<JournalRecord, { readonly type: Type }>, "type">;

type Kinds<T extends { readonly kind: string }> = {
  readonly [Kind in T["kind"]]: Omit<Extract<T, { readonly kind: Kind }>, "kind">;
};

/** Maximum number of children of a group. */
const MAX_CHILDREN = 10_000;

const children: FieldCheck = (name, value) => count(name, value) ?? ((value as number) <= MAX_CHILDREN ? null : name);
/** A finite number, or null: JSON writes numbers that are not finite as null. */
const delay: FieldCheck = (name, value) => (value === null || Number.isFinite(value) ? null : name);
const offset: FieldCheck = (name, value) => (Number.isSafeInteger(value) && (value as number) >= 0 ? null : name);
const labels: FieldCheck = (name, value) => (labelsProblem(value) === null ? null : name);
const texts = listOf(text);

const hold = oneOf(...(["operator", "budget", "limit", "quarantine", "parent"] satisfies readonly HoldKind[]));
const causeEnd = oneOf(...(["failed", "canceled", "timed_out", "terminated"] satisfies readonly Cause["end"][]));
const skipReason = oneOf(...(["NOT_TAKEN", "UPSTREAM_FAILED"] satisfies readonly SkipReason[]));
const approvalEnd = oneOf(...(["APPROVED", "REJECTED", "EXPIRED"] satisfies readonly ApprovalEnd[]));
const closePolicy = oneOf(
  ...(["cancel", "terminate", "abandon"] satisfies readonly NonNullable<StartFacts["parent"]>["closePolicy"][]),
);
const unpriced = oneOf(...(["tokens_only"] satisfies readonly NonNullable<BudgetSpec["unpriced"]>[]));
const deadLetter = oneOf(
  ...([
    "ATTEMPTS_EXHAUSTED",
    "NOT_RETRYABLE",
    "DEFERRED_TOO_LONG",
    "OUT_OF_TIME",
  ] satisfies readonly DeadLetterReason[]),
);

const returnReason = oneOf(
  ...(["UNACKNOWLEDGED", "WORKER_LOST", "HANDED_BACK", "WITHDRAWN"] satisfies readonly ReturnReason[]),
);

const ofBudget = (r: Unchecked<BudgetSpec>) =>
  optional("maxCostMicros", r.maxCostMicros, count) ??
  optional("maxTokens", r.maxTokens, count) ??
  optional("maxSteps", r.maxSteps, count) ??
  optional("maxTimeMs", r.maxTimeMs, count) ??
  optional("unpriced", r.unpriced, unpriced) ??
  optional("compensation", r.compensation, flag);

const PARTS = fieldChecks<{
  rate: NonNullable<RunLimit["rate"]>;
  told: Told;
  place: Place;
  recalled: Recalled;
  taskError: TaskError;
  runError: RunError;
  guardError: GuardError;
  answer: Answer;
  spec: BudgetSpec;
  budget: RunBudget;
  parent: NonNullable<StartFacts["parent"]>;
  trace: TraceFacts;
  timer: { readonly index: number; readonly dueAt: number };
  limits: TaskLimits;
}>()({
  rate: (r) => count("count", r.count) ?? count("perMs", r.perMs),
  told: (r) => text("by", r.by) ?? text("why", r.why),
  place: (r) => text("log", r.log) ?? count("epoch", r.epoch) ?? offset("offset", r.offset),
  recalled: (r) => text("from", r.from) ?? count("token", r.token),
  taskError: (r) =>
    text("type", r.type) ??
    text("message", r.message) ??
    flag("retryable", r.retryable) ??
    optional("nextRetryDelayMs", r.nextRetryDelayMs, delay) ??
    optional("noEffect", r.noEffect, flag) ??
    optional("details", r.details, json),
  runError: (r) => text("type", r.type) ?? text("message", r.message) ?? orNull("task", r.task, text),
  guardError: (r) => text("type", r.type) ?? text("message", r.message),
  answer: (r) => text("key", r.key) ?? json("value", r.value),
  spec: ofBudget,
  budget: (r) => text("runId", r.runId) ?? ofBudget(r),
  parent: (r) =>
    text("runId", r.runId) ??
    text("task", r.task) ??
    closePolicy("closePolicy", r.closePolicy) ??
    optional("depth", r.depth, count) ??
    optional("budgets", r.budgets, (name, value) => budgets(name, value)),
  trace: (r) =>
    optional("sampled", r.sampled, flag) ?? optional("caller", r.caller, text) ?? optional("state", r.state, text),
  timer: (r) => count("index", r.index) ?? time("dueAt", r.dueAt),
  limits: (r) =>
    optional("startToCloseMs", r.startToCloseMs, duration) ??
    optional("scheduleToStartMs", r.scheduleToStartMs, duration) ??
    optional("scheduleToCloseMs", r.scheduleToCloseMs, duration) ??
    optional("heartbeatMs", r.heartbeatMs, duration) ??
    optional("initialDelayMs", r.initialDelayMs, duration) ??
    optional("maxDelayMs", r.maxDelayMs, duration) ??
    optional("multiplier", r.multiplier, duration) ??
    optional("maxRetries", r.maxRetries, count),
});

const told = objectOf(PARTS.told);
const place = objectOf(PARTS.place);
const recalled = objectOf(PARTS.recalled);
const taskError = objectOf(PARTS.taskError);
const runError = objectOf(PARTS.runError);
const guardError = objectOf(PARTS.guardError);
const answer = objectOf(PARTS.answer);
const limits = objectOf(PARTS.limits);
const timers = listOf(objectOf(PARTS.timer));
const spec = objectOf(PARTS.spec);
const budgets = listOf(objectOf(PARTS.budget));
const trace = objectOf(PARTS.trace);
const parent = objectOf(PARTS.parent);

const rate = objectOf(PARTS.rate);

const WITH_PARTS = fieldChecks<{ cause: Cause; facts: StartFacts; runLimit: RunLimit }>()({
  runLimit: (r) =>
    text("name", r.name) ??
    text("key", r.key) ??
    optional("priority", r.priority, count) ??
    orNull("maxConcurrent", r.maxConcurrent, count) ??
    orNull("rate", r.rate, rate),
  cause: (r) =>
    causeEnd("end", r.end) ??
    flag("compensate", r.compensate) ??
    text("reason", r.reason) ??
    text("by", r.by) ??
    orNull("error", r.error, runError),
  facts: (r) =>
    optional("userId", r.userId, text) ??
    optional("correlationId", r.correlationId, text) ??
    optional("labels", r.labels, labels) ??
    optional("runKey", r.runKey, text) ??
    optional("requestId", r.requestId, text) ??
    (r.context === null ? null : optional("context", r.context, object)) ??
    optional("budget", r.budget, spec) ??
    optional("hops", r.hops, count) ??
    optional("trace", r.trace, trace) ??
    (r.parent === null ? null : optional("parent", r.parent, parent)),
});
const cause = objectOf(WITH_PARTS.cause);
const facts = objectOf(WITH_PARTS.facts);
const runLimit = objectOf(WITH_PARTS.runLimit);

const wait = kindOf(
  fieldChecks<Kinds<Wait>>()({
    timer: () => null,
    signal: (r) => text("name", r.name),
    approval: () => null,
    run: (r) => text("runId", r.runId),
  }),
);
const enteredBy = kindOf(
  fieldChecks<Kinds<EnteredBy>>()({
    initial: () => null,
    transition: (r) => count("index", r.index),
    signal: (r) => count("signal", r.signal) ?? count("index", r.index),
    after: (r) => count("index", r.index),
    error: (r) => count("index", r.index),
  }),
);

/** The check of each kind of record, the frequent kinds first. */
const RECORDS = fieldChecks<{ readonly [Type in RecordType]: RecordOf<Type> }>()({
  "task.dispatched": (r) =>
    time("at", r.at) ??
    text("task", r.task) ??
    optional("first", r.first, text) ??
    optional("limits", r.limits, limits) ??
    count("attempt", r.attempt) ??
    optional("input", r.input, json) ??
    optional("answer", r.answer, answer) ??
    optional("to", r.to, text) ??
    optional("queued", r.queued, flag) ??
    optional("dueAt", r.dueAt, time) ??
    optional("again", r.again, flag),
  "task.completed": (r) =>
    time("at", r.at) ??
    text("task", r.task) ??
    optional("attempt", r.attempt, count) ??
    optional("tookMs", r.tookMs, duration) ??
    optional("first", r.first, text) ??
    json("output", r.output) ??
    optional("input", r.input, json) ??
    optional("told", r.told, told) ??
    optional("recalled", r.recalled, recalled),
  "task.scheduled": (r) =>
    time("at", r.at) ??
    text("task", r.task) ??
    optional("first", r.first, text) ??
    optional("limits", r.limits, limits) ??
    count("attempt", r.attempt) ??
    optional("input", r.input, json) ??
    optional("dueAt", r.dueAt, time),
  "task.limited": (r) =>
    time("at", r.at) ??
    text("task", r.task) ??
    optional("first", r.first, text) ??
    optional("limits", r.limits, limits) ??
    count("attempt", r.attempt) ??
    text("name", r.name) ??
    text("key", r.key) ??
    optional("input", r.input, json) ??
    optional("dueAt", r.dueAt, time),
  "task.started": (r) =>
    time("at", r.at) ??
    text("task", r.task) ??
    optional("attempt", r.attempt, count) ??
    optional("to", r.to, text) ??
    optional("dueAt", r.dueAt, time),
  "task.returned": (r) =>
    time("at", r.at) ??
    text("task", r.task) ??
    optional("attempt", r.attempt, count) ??
    returnReason("reason", r.reason) ??
    optional("dueAt", r.dueAt, time),
  "task.checkpointed": (r) =>
    time("at", r.at) ??
    text("task", r.task) ??
    optional("attempt", r.attempt, count) ??
    text("checkpoint", r.checkpoint),
  "task.detached": (r) => time("at", r.at) ?? text("task", r.task) ?? optional("attempt", r.attempt, count),
  "state.entered": (r) =>
    time("at", r.at) ?? text("state", r.state) ?? count("visit", r.visit) ?? enteredBy("by", r.by),
  "state.settled": (r) => time("at", r.at),
  "state.armed": (r) => time("at", r.at) ?? timers("after", r.after),
  "run.started": (r) =>
    time("at", r.at) ??
    text("flowId", r.flowId) ??
    text("version", r.version) ??
    text("hash", r.hash) ??
    text("tenantId", r.tenantId) ??
    object("vars", r.vars) ??
    optional("deadlineAt", r.deadlineAt, time) ??
    optional("startAt", r.startAt, time) ??
    optional("limit", r.limit, runLimit) ??
    optional("sequence", r.sequence, count) ??
    facts("facts", r.facts),
  "run.completed": (r) => time("at", r.at) ?? json("output", r.output),
  "task.waiting": (r) =>
    time("at", r.at) ??
    text("task", r.task) ??
    optional("attempt", r.attempt, count) ??
    optional("first", r.first, text) ??
    optional("limits", r.limits, limits) ??
    wait("wait", r.wait) ??
    json("input", r.input) ??
    orNull("dueAt", r.dueAt, time),
  "task.retrying": (r) =>
    time("at", r.at) ??
    text("task", r.task) ??
    optional("attempt", r.attempt, count) ??
    optional("tookMs", r.tookMs, duration) ??
    taskError("error", r.error) ??
    time("dueAt", r.dueAt) ??
    optional("deferred", r.deferred, flag) ??
    optional("answer", r.answer, answer) ??
    optional("told", r.told, told) ??
    optional("place", r.place, place) ??
    optional("recalled", r.recalled, recalled),
  "task.failed": (r) =>
    time("at", r.at) ??
    text("task", r.task) ??
    optional("attempt", r.attempt, count) ??
    optional("tookMs", r.tookMs, duration) ??
    optional("first", r.first, text) ??
    taskError("error", r.error) ??
    optional("timedOut", r.timedOut, flag) ??
    optional("handled", r.handled, flag) ??
    optional("deadLetter", r.deadLetter, deadLetter) ??
    optional("told", r.told, told) ??
    optional("place", r.place, place) ??
    optional("recalled", r.recalled, recalled),
  "task.skipped": (r) => time("at", r.at) ?? text("task", r.task) ?? skipReason("reason", r.reason),
  "task.expanded": (r) =>
    time("at", r.at) ??
    text("task", r.task) ??
    optional("first", r.first, text) ??
    optional("limits", r.limits, limits) ??
    children("count", r.count) ??
    optional("items", r.items, list) ??
    optional("dueAt", r.dueAt, time),
  "task.suspended": (r) =>
    time("at", r.at) ??
    text("task", r.task) ??
    optional("attempt", r.attempt, count) ??
    text("key", r.key) ??
    optional("gate", r.gate, flag) ??
    wait("wait", r.wait) ??
    object("value", r.value) ??
    orNull("dueAt", r.dueAt, time),
  "task.canceled": (r) =>
    time("at", r.at) ??
    text("task", r.task) ??
    optional("attempt", r.attempt, count) ??
    optional("noEffect", r.noEffect, flag) ??
    optional("recalled", r.recalled, recalled),
  "task.compensated": (r) => time("at", r.at) ?? text("task", r.task),
  "approval.ended": (r) =>
    time("at", r.at) ??
    text("task", r.task) ??
    count("approval", r.approval) ??
    approvalEnd("state", r.state) ??
    text("by", r.by) ??
    text("comment", r.comment) ??
    json("data", r.data),
  "signal.received": (r) =>
    time("at", r.at) ??
    count("id", r.id) ??
    text("name", r.name) ??
    json("payload", r.payload) ??
    optional("by", r.by, text) ??
    optional("request", r.request, text) ??
    optional("requestHash", r.requestHash, text),
  "signal.consumed": (r) =>
    time("at", r.at) ?? count("id", r.id) ?? optional("name", r.name, text) ?? text("task", r.task),
  "signal.guard_failed": (r) =>
    time("at", r.at) ??
    count("id", r.id) ??
    text("name", r.name) ??
    text("state", r.state) ??
    guardError("error", r.error),
  "request.applied": (r) => time("at", r.at) ?? text("request", r.request) ?? text("requestHash", r.requestHash),
  "run.limited": (r) => time("at", r.at),
  "run.opened": (r) => time("at", r.at),
  "run.failed": (r) => time("at", r.at) ?? runError("error", r.error),
  "run.canceled": (r) => time("at", r.at) ?? optional("reason", r.reason, text) ?? optional("by", r.by, text),
  "run.timed_out": (r) => time("at", r.at),
  "run.terminated": (r) => time("at", r.at) ?? text("reason", r.reason) ?? text("by", r.by),
  "run.ending": (r) => time("at", r.at) ?? cause("cause", r.cause) ?? time("boundAt", r.boundAt),
  "run.compensating": (r) => time("at", r.at) ?? cause("cause", r.cause) ?? texts("order", r.order),
  "run.held": (r) => time("at", r.at) ?? hold("hold", r.hold) ?? text("by", r.by) ?? text("why", r.why),
  "run.released": (r) => time("at", r.at) ?? hold("hold", r.hold) ?? text("by", r.by) ?? text("why", r.why),
  "run.recovered": (r) => time("at", r.at),
  "run.restored": (r) => time("at", r.at) ?? count("sequence", r.sequence) ?? text("by", r.by),
  "run.budget_warned": (r) => time("at", r.at) ?? text("budget", r.budget) ?? text("why", r.why),
});

const TYPES: readonly string[] = Object.keys(RECORDS);
const CHECKS: readonly ((record: never) => string | null)[] = Object.values(RECORDS);

/**
 * Returns what is wrong with the records of a transition that begins at `sequence`, or null when they can be read.
 * Cost: a few type checks per record.
 */
export function recordsProblem(records: unknown, sequence: number): string | null {
  if (!Array.isArray(records) || records.length === 0) return `the transition at ${sequence} holds no list of records`;
  for (let index = 0; index < records.length; index += 1) {
    const record: unknown = records[index];
    const place = sequence + index;
    if (!isObject(record)) return `record ${place} is no object`;
    // A search and no map: the text is new, and computing its hash takes longer than comparing it with a few others.
    const check = CHECKS[TYPES.indexOf(record.type as string)];
    if (check === undefined)
      return `record ${place} is of the unknown kind ${String(JSON.stringify(record.type)).slice(0, 80)}`;
    const wrong = check(record as never);
    if (wrong !== null) return `record ${place} (${record.type}): ${wrong} is missing or of the wrong type`;
  }
  return null;
}
