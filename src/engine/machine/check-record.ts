/**
 * Checks records as they are read from the store, before anything uses them. Each kind has one schema, and its checker
 * follows from it. Without this check, a value of the wrong type would surface wherever it is first used: the fold, an
 * encoder, a caller.
 *
 * A field that older records may lack is marked optional. Fields that are not listed here pass, so a record of a newer
 * build is refused only for its kind.
 */

import { labelsProblem } from "../../base/labels.ts";
import { isValidTime } from "../../base/time/time-range.ts";
import type { TaskLimits } from "../../flows/plan.ts";
import type {
  ApprovalEnd,
  DeadLetterReason,
  EnteredBy,
  GuardError,
  HoldKind,
  JournalRecord,
  RecordType,
  StartFacts,
  TaskError,
  Wait,
} from "./records.ts";

/** Returns true when a value has the right type. */
type Check = (value: unknown) => boolean;

/** Checks for every field of a type. */
type Fields<T> = { readonly [Key in keyof Required<T>]: Check };

type RecordOf<Type extends RecordType> = Omit<Extract<JournalRecord, { readonly type: Type }>, "type">;

/** Largest value of the contract's integers. */
const MAX_INT32 = 2_147_483_647;

/** Maximum number of children of a group. */
const MAX_CHILDREN = 10_000;

const text: Check = (value) => typeof value === "string";
const flag: Check = (value) => typeof value === "boolean";
const json: Check = (value) => value !== undefined;
const object: Check = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const time: Check = (value) => isValidTime(value);
const count: Check = (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_INT32;
const children: Check = (value) => count(value) && (value as number) <= MAX_CHILDREN;
/** A finite number, or null: JSON writes numbers that are not finite as null. */
const delay: Check = (value) => value === null || Number.isFinite(value);
const duration: Check = (value) => Number.isFinite(value) && (value as number) >= 0;
const list: Check = Array.isArray;
const labels: Check = (value) => labelsProblem(value) === null;

const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const oneOf = (...names: readonly string[]): Check => {
  const known = new Set<unknown>(names);
  return (value) => known.has(value);
};

/** Returns the first invalid field, or null when all are valid. */
function wrongField(fields: readonly (readonly [string, Check])[], value: object): string | null {
  for (let index = 0; index < fields.length; index += 1) {
    const [key, check] = fields[index] as readonly [string, Check];
    if (!check((value as Readonly<Record<string, unknown>>)[key])) return key;
  }
  return null;
}

function objectOf<T>(fields: Fields<T>): Check {
  const entries = Object.entries<Check>(fields);
  return (value) => object(value) && wrongField(entries, value as object) === null;
}

/** One of several shapes, discriminated by `kind`. */
function kinds<T extends { readonly kind: string }>(
  shapes: {
    readonly [Kind in T["kind"]]: Fields<Omit<Extract<T, { readonly kind: Kind }>, "kind">>;
  },
): Check {
  const checks = new Map(Object.entries<Fields<object>>(shapes).map(([kind, fields]) => [kind, objectOf(fields)]));
  return (value) => object(value) && (checks.get((value as { readonly kind: string }).kind)?.(value) ?? false);
}

const taskError = objectOf<TaskError>({
  type: text,
  message: text,
  retryable: flag,
  nextRetryDelayMs: optional(delay),
  noEffect: optional(flag),
});
const runError = objectOf({ type: text, message: text, task: orNull(text) });
const answer = objectOf({ key: text, value: json });
const wait = kinds<Wait>({
  timer: {},
  signal: { name: text },
  approval: {},
  run: { runId: text },
});
const cause = objectOf({
  end: oneOf("failed", "canceled", "timed_out", "terminated"),
  compensate: flag,
  reason: text,
  by: text,
  error: orNull(runError),
});
const hold = oneOf(...(["operator", "budget", "limit", "quarantine", "parent"] satisfies readonly HoldKind[]));
const facts = objectOf<StartFacts>({
  userId: optional(text),
  correlationId: optional(text),
  labels: optional(labels),
  runKey: optional(text),
  requestId: optional(text),
  context: optional(orNull(object)),
  parent: optional(
    orNull(
      objectOf<NonNullable<StartFacts["parent"]>>({
        runId: text,
        task: text,
        closePolicy: oneOf("cancel", "terminate", "abandon"),
        depth: optional(count),
      }),
    ),
  ),
});
const enteredBy = kinds<EnteredBy>({
  initial: {},
  transition: { index: count },
  signal: { signal: count, index: count },
  after: { index: count },
  error: { index: count },
});

const deadLetter = oneOf(
  ...([
    "ATTEMPTS_EXHAUSTED",
    "NOT_RETRYABLE",
    "DEFERRED_TOO_LONG",
    "OUT_OF_TIME",
  ] satisfies readonly DeadLetterReason[]),
);
const limits = {
  limits: optional(
    objectOf<TaskLimits>({
      startToCloseMs: optional(duration),
      scheduleToStartMs: optional(duration),
      scheduleToCloseMs: optional(duration),
      heartbeatMs: optional(duration),
      initialDelayMs: optional(duration),
      maxDelayMs: optional(duration),
    }),
  ),
};
const at = { at: time };
const task = { at: time, task: text };
const attempt = { at: time, task: text, attempt: optional(count) };
const first = { first: optional(text) };

/** The schema of each kind of record. */
const SCHEMAS: { readonly [Type in RecordType]: Fields<RecordOf<Type>> } = {
  "run.started": {
    ...at,
    flowId: text,
    version: text,
    hash: text,
    tenantId: text,
    vars: object,
    deadlineAt: optional(time),
    startAt: optional(time),
    facts,
  },
  "run.opened": at,
  "run.completed": { ...at, output: json },
  "run.failed": { ...at, error: runError },
  "run.canceled": { ...at, reason: optional(text), by: optional(text) },
  "run.timed_out": at,
  "run.terminated": { ...at, reason: text, by: text },
  "run.ending": { ...at, cause, boundAt: time },
  "run.compensating": { ...at, cause, order: listOf(text) },
  "run.held": { ...at, hold, by: text, why: text },
  "run.released": { ...at, hold, by: text, why: text },
  "run.recovered": at,
  "task.dispatched": { ...task, ...first, ...limits, attempt: count, input: optional(json), answer: optional(answer) },
  "task.waiting": { ...attempt, ...first, ...limits, wait, input: json, dueAt: orNull(time) },
  "task.expanded": { ...task, ...first, ...limits, count: children, items: optional(list), dueAt: optional(time) },
  "task.completed": { ...attempt, ...first, output: json, input: optional(json) },
  "task.retrying": {
    ...attempt,
    error: taskError,
    dueAt: time,
    deferred: optional(flag),
    answer: optional(answer),
  },
  "task.suspended": { ...attempt, key: text, wait, value: object, dueAt: orNull(time) },
  "task.failed": {
    ...attempt,
    ...first,
    error: taskError,
    timedOut: optional(flag),
    handled: optional(flag),
    deadLetter: optional(deadLetter),
  },
  "task.skipped": { ...task, reason: oneOf("NOT_TAKEN", "UPSTREAM_FAILED") },
  "task.canceled": { ...attempt, noEffect: optional(flag) },
  "task.compensated": task,
  "approval.ended": {
    ...task,
    approval: count,
    state: oneOf(...(["APPROVED", "REJECTED", "EXPIRED"] satisfies readonly ApprovalEnd[])),
    by: text,
    comment: text,
    data: json,
  },
  "signal.received": {
    ...at,
    id: count,
    name: text,
    payload: json,
    by: optional(text),
    request: optional(text),
    requestHash: optional(text),
  },
  "request.applied": { ...at, request: text, requestHash: text },
  "signal.consumed": { ...at, id: count, name: optional(text), task: text },
  "signal.guard_failed": {
    ...at,
    id: count,
    name: text,
    state: text,
    error: objectOf<GuardError>({ type: text, message: text }),
  },
  "state.entered": { ...at, state: text, visit: count, by: enteredBy },
  "state.armed": { ...at, after: listOf(objectOf({ index: count, dueAt: time })) },
  "state.settled": at,
};

const CHECKS = new Map(
  Object.entries<Readonly<Record<string, Check>>>(SCHEMAS).map(([type, fields]) => [type, Object.entries(fields)]),
);

/**
 * Returns what is wrong with the records of a transition that begins at `sequence`, or null when they can be read.
 * Cost: a few type checks per record.
 */
export function recordsProblem(records: unknown, sequence: number): string | null {
  if (!Array.isArray(records) || records.length === 0) return `the transition at ${sequence} holds no list of records`;
  for (let index = 0; index < records.length; index += 1) {
    const record: unknown = records[index];
    const place = sequence + index;
    if (!object(record)) return `record ${place} is no object`;
    const { type } = record as { readonly type?: unknown };
    const fields = CHECKS.get(type as string);
    if (fields === undefined)
      return `record ${place} is of the unknown kind ${String(JSON.stringify(type)).slice(0, 80)}`;
    const wrong = wrongField(fields, record as object);
    if (wrong !== null) return `record ${place} (${type}): ${wrong} is missing or of the wrong type`;
  }
  return null;
}
