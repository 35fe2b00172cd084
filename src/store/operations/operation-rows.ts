/**
 * Rows of `orchestrator.operations` as callers see them. A row is never rejected: the view says what is wrong with it,
 * and the rest is safe to show.
 */
import { parseStoredJson } from "../../base/json/json-stored.ts";
import { isValidTime } from "../../base/time/time-range.ts";
import type {
  OperationAction,
  OperationFailure,
  OperationView,
  ShownOperationState,
} from "../../engine/ports/operations.ts";

/** A row of `orchestrator.operations`. */
export interface OperationRow {
  readonly operation_id: string;
  readonly tenant_id: string;
  readonly state: string;
  readonly action: string;
  readonly filter: string;
  readonly matched: number;
  readonly done: number;
  readonly failed: number;
  readonly failures: string;
  readonly problem: string;
  readonly created_by: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly ended_at: number | null;
}

/** States that a row may have, and whether the operation has ended in them. */
const STATES: Readonly<Record<ShownOperationState, boolean>> = {
  RUNNING: false,
  CANCELING: false,
  QUARANTINED: false,
  COMPLETED: true,
  CANCELED: true,
  FAILED: true,
};

/**
 * Converts a row to a view. Only `createdAt` may be a time that the contract cannot carry, and `damage` then says so.
 */
export function toOperationView(row: OperationRow): OperationView {
  const action = read(row.action, isAction);
  const failures = read(row.failures, isFailures);
  const damage = damageOf(row, action, failures);
  return {
    operationId: row.operation_id,
    tenantId: row.tenant_id,
    state: isState(row.state) ? row.state : "QUARANTINED",
    action,
    filter: row.filter,
    matched: row.matched,
    done: row.done,
    failed: row.failed,
    failures: failures ?? [],
    problem: row.problem,
    by: row.created_by,
    // Unchanged: lists use it to continue after this row.
    createdAt: row.created_at,
    updatedAt: isValidTime(row.updated_at) ? row.updated_at : 0,
    endedAt: isValidTime(row.ended_at) ? row.ended_at : null,
    ...(damage === null ? {} : { damage }),
  };
}

function damageOf(row: OperationRow, action: OperationAction | null, failures: unknown): string | null {
  const { state } = row;
  if (!isState(state)) return `state is ${JSON.stringify(state.slice(0, 40))}`;
  for (const column of ["created_at", "updated_at", "ended_at"] as const)
    if (row[column] !== null && !isValidTime(row[column])) return `${column} is no time between the years 1 and 9999`;
  if (STATES[state] !== (row.ended_at !== null))
    return `state is ${state}, ended_at is ${row.ended_at === null ? "empty" : "set"}`;
  if (action === null) return "action is not one that this version knows";
  return failures === null ? "failures is no list of failures" : null;
}

function isState(state: string): state is ShownOperationState {
  return Object.hasOwn(STATES, state);
}

/** Reads JSON; null when it is none, or not of the right type. */
function read<T>(json: string, is: (value: unknown) => value is T): T | null {
  try {
    const value: unknown = parseStoredJson(json);
    return is(value) ? value : null;
  } catch {
    // SyntaxError: the row is damaged, and its view says so.
    return null;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isAction(value: unknown): value is OperationAction {
  if (!isObject(value)) return false;
  const { type, reason, compensate, holds } = value;
  if (type === "delete") return true;
  if (typeof reason !== "string") return false;
  if (type === "cancel") return typeof compensate === "boolean";
  return type === "terminate" || (type === "resume" && Array.isArray(holds) && holds.every((one) => HOLDS.has(one)));
}

const HOLDS: ReadonlySet<unknown> = new Set(["operator", "budget", "limit", "quarantine"]);

function isFailures(value: unknown): value is OperationFailure[] {
  return Array.isArray(value) && value.every(isFailure);
}

function isFailure(value: unknown): boolean {
  return isObject(value) && [value.runId, value.code, value.message].every((text) => typeof text === "string");
}
