/**
 * Checks records of operations as they are read from the store, before anything uses them: a value of the wrong type
 * would otherwise surface in a statement or an answer. Fields that are not listed pass.
 */
import { isValidTime } from "../../base/time/time-range.ts";
import type { OperationRecord } from "./operation-state.ts";

type Check = (value: unknown) => boolean;
type Fields = Readonly<Record<string, Check>>;

/** Largest value of the contract's integers. */
const MAX_INT32 = 2_147_483_647;

const text: Check = (value) => typeof value === "string";
const flag: Check = (value) => typeof value === "boolean";
const time: Check = (value) => isValidTime(value);
const finite: Check = Number.isFinite;
const count: Check = (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_INT32;
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const oneOf = (...words: readonly unknown[]): Check => {
  const known = new Set(words);
  return (value) => known.has(value);
};
const anyOf =
  (...checks: readonly Check[]): Check =>
  (value) =>
    checks.some((check) => check(value));
const optional = (check: Check): Check => anyOf(oneOf(undefined), check);
const objectOf =
  (fields: Fields): Check =>
  (value) =>
    isObject(value) && wrongFieldOf(fields, value) === null;

const field = anyOf(
  objectOf({ name: oneOf("labels"), key: text }),
  objectOf({
    name: oneOf(
      ...["state", "flow_id", "version", "run_key", "user_id", "correlation_id", "parent_run_id", "run_id"],
      ...["create_time", "update_time", "end_time"],
    ),
  }),
);
const operand = anyOf(text, finite);
const filter: Check = (value) => FILTERS(value);
const FILTERS = anyOf(
  objectOf({ op: oneOf("and", "or"), args: listOf(filter) }),
  objectOf({ op: oneOf("not"), arg: filter }),
  objectOf({ op: oneOf("in"), field, values: listOf(operand) }),
  objectOf({ op: oneOf("==", "!=", "<", "<=", ">", ">="), field, value: operand }),
  objectOf({ op: oneOf("has"), field }),
);

const holds = listOf(oneOf("operator", "budget", "limit", "quarantine"));

const action: Check = anyOf(
  objectOf({ type: oneOf("cancel"), reason: text, compensate: flag }),
  objectOf({ type: oneOf("terminate"), reason: text }),
  objectOf({ type: oneOf("resume"), reason: text, holds }),
  objectOf({ type: oneOf("delete") }),
);

const target = anyOf(
  objectOf({ type: oneOf("filter"), text, filter }),
  objectOf({ type: oneOf("runs"), runIds: listOf(text) }),
);
/** `createdAt` is the place of a row that may be damaged: any number, or none that JSON can write. */
const progress = anyOf(oneOf(null), count, objectOf({ createdAt: anyOf(finite, oneOf(null)), runId: text }));

const failures = listOf(objectOf({ runId: text, code: text, message: text }));

const RECORDS: { readonly [Type in OperationRecord["type"]]: Fields } = {
  "operation.started": {
    ...{ at: time, tenantId: text, by: text, action, target, matched: count, requestHash: text },
    runRequestId: optional(text),
  },
  "operation.advanced": { at: time, progress, done: count, failed: count, failures },
  "operation.canceling": { at: time, by: text },
  "operation.ended": { at: time, state: oneOf("COMPLETED", "CANCELED", "FAILED"), problem: text },
};

/** Returns what is wrong with the records of an operation, or null when they can be read. */
export function recordsProblem(records: readonly unknown[]): string | null {
  if (records.length === 0) return "it has no journal";
  for (const [index, record] of records.entries()) {
    const place = index + 1;
    if (!isObject(record)) return `record ${place} is no object`;
    const { type } = record;
    if (typeof type !== "string" || !Object.hasOwn(RECORDS, type))
      return `record ${place} is of the unknown kind ${String(JSON.stringify(type)).slice(0, 80)}`;
    const wrong = wrongFieldOf(RECORDS[type as OperationRecord["type"]], record);
    if (wrong !== null) return `record ${place} (${type}): ${wrong} is missing or of the wrong type`;
  }
  return null;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wrongFieldOf(fields: Fields, value: Readonly<Record<string, unknown>>): string | null {
  for (const [key, check] of Object.entries(fields)) if (!check(value[key])) return key;
  return null;
}
