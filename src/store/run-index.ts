/** Lists runs and approvals of a tenant. Filters become parameterized SQL; pages continue by key. */
import type { Json, JsonObject } from "../base/json/json.ts";
import { parseStoredJson } from "../base/json/json-stored.ts";
import { isValidTime } from "../base/time/time-range.ts";
import type { Approval, ApprovalIndex, ApprovalView } from "../engine/ports/approvals.ts";
import type { Filter, FilterField, ListOrder, RunIndex, RunStateName } from "../engine/ports/run-index.ts";
import { listDeleted } from "./journal/deletions.ts";
import { type HeaderRow, isRunState, toRunHeader } from "./journal/journal-rows.ts";
import type { Database } from "./sql/pool.ts";
import { prepared, type SqlValue } from "./sql/sql.ts";

const COLUMNS = `run_id, shard, run_day, tenant_id, flow_id, version, flow_hash, state, sequence, wake_at, deadline_at, labels, user_id, correlation_id, run_key,
  parent_run_id, parent_task, created_at, updated_at, ended_at`;

/** Columns of the filter fields. Only names in this table reach the text of a statement. */
const FIELDS: Readonly<
  Record<Exclude<FilterField["name"], "labels">, { readonly column: string; readonly time: boolean }>
> = {
  state: { column: "state", time: false },
  flow_id: { column: "flow_id", time: false },
  version: { column: "version", time: false },
  run_key: { column: "run_key", time: false },
  user_id: { column: "user_id", time: false },
  correlation_id: { column: "correlation_id", time: false },
  parent_run_id: { column: "parent_run_id", time: false },
  run_id: { column: "run_id", time: false },
  create_time: { column: "created_at", time: true },
  update_time: { column: "updated_at", time: true },
  end_time: { column: "ended_at", time: true },
};

// `statement_timestamp()` and not `clock_timestamp()`, which is volatile: an index cannot be searched for a value that
// differs from row to row.
/** Recently changed runs, newest first. */
export const CHANGED = prepared(
  "runs.changed",
  `SELECT ${COLUMNS} FROM orchestrator.runs
  WHERE tenant_id = $1 AND updated_at >= statement_timestamp() - $2::float8 * interval '1 millisecond' ORDER BY updated_at DESC LIMIT $3`,
);

/** One index serves both orders: it is scanned forward or backward. */
const ORDERS = {
  newest: { beyond: "<", direction: "DESC" },
  oldest: { beyond: ">", direction: "ASC" },
} as const satisfies Record<ListOrder, unknown>;

const OPERATORS = { "==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">=" } as const;

export function createRunIndex(database: Database): RunIndex & ApprovalIndex {
  return {
    listRuns: async (caller, filter, after, limit, signal, order = "newest") => {
      const { beyond, direction } = ORDERS[order];
      const values: SqlValue[] = [caller.tenantId];
      const where = ["tenant_id = $1"];
      if (filter !== null) where.push(toSql(filter, values));
      // Few runs are open, and an index finds them. RUNNING has no index of its own, because every start would have to
      // write it.
      if (filter !== null && isOpenOnly(filter)) where.push("ended_at IS NULL");
      if (after !== null) {
        values.push(after.createdAt, after.runId);
        where.push(
          `(created_at, run_id) ${beyond} (to_timestamp($${values.length - 1}::float8 / 1000), $${values.length})`,
        );
      }
      values.push(limit);
      const text = `SELECT ${COLUMNS} FROM orchestrator.runs WHERE ${where.join(" AND ")} ORDER BY created_at ${direction}, run_id ${direction} LIMIT $${values.length}`;
      const { rows } = await database.reads.query<HeaderRow>(text, values, signal);
      return rows.map(toRunHeader);
    },
    listChanged: async ({ tenantId }, ageMs, limit, signal) => {
      const { reads } = database;
      // A run that is deleted between the two statements is in both.
      const { rows } = await reads.query<HeaderRow>(CHANGED, [tenantId, ageMs, limit], signal);
      const deleted = await listDeleted(reads, tenantId, ageMs, limit, signal);
      const changed = [...rows.map(toRunHeader), ...deleted];
      return changed.sort((a, b) => a.updatedAt - b.updatedAt).slice(-limit);
    },
    countRuns: async (caller, filter, signal) => {
      const values: SqlValue[] = [caller.tenantId];
      const where = ["tenant_id = $1"];
      if (filter !== null) where.push(toSql(filter, values));
      const fromTotals = isKept(filter);
      if (!fromTotals && filter !== null && isOpenOnly(filter)) where.push("ended_at IS NULL");
      const [counted, table] = fromTotals
        ? ["sum(count)::float8", "orchestrator.run_totals"]
        : ["count(*)", "orchestrator.runs"];
      const text = `SELECT state, ${counted} AS count FROM ${table} WHERE ${where.join(" AND ")} GROUP BY state ORDER BY state`;
      const { rows } = await database.reads.query<{ state: string; count: number }>(text, values, signal);
      return sumStates(rows);
    },
    listApprovals: async (caller, openOnly, after, limit, signal, order = "oldest") => {
      const { beyond, direction } = ORDERS[order];
      const values: SqlValue[] = [caller.tenantId];
      const where = ["tenant_id = $1"];
      if (openOnly) where.push("state = 'PENDING'");
      if (after !== null) {
        values.push(after.createdAt, after.runId, after.approvalId);
        const { length } = values;
        where.push(
          `(created_at, run_id, approval_id) ${beyond} (to_timestamp($${length - 2}::float8 / 1000), $${length - 1}, $${length})`,
        );
      }
      values.push(limit);
      const text = `SELECT run_id, approval_id, task_path, tenant_id, flow_id, state, parameters, created_at, due_at, decided_at, decided_by, comment, data
        FROM orchestrator.approvals WHERE ${where.join(" AND ")} ORDER BY created_at ${direction}, run_id ${direction}, approval_id ${direction} LIMIT $${values.length}`;
      const { rows } = await database.reads.query<ApprovalRow>(text, values, signal);
      return rows.map(toApproval);
    },
  };
}

/**
 * Whether the filter uses only what runs are counted by; see migration 000004. Those counts are maintained; all others
 * are computed at each call.
 */
function isKept(filter: Filter | null): boolean {
  if (filter === null) return true;
  switch (filter.op) {
    case "and":
    case "or":
      return filter.args.every(isKept);
    case "not":
      return isKept(filter.arg);
    default:
      return ["state", "flow_id", "version"].includes(filter.field.name);
  }
}

const END_STATES: ReadonlySet<string> = new Set(["COMPLETED", "FAILED", "CANCELED", "TERMINATED", "TIMED_OUT"]);

/** Whether the filter only matches states that open runs have. */
function isOpenOnly(filter: Filter): boolean {
  switch (filter.op) {
    case "and":
      return filter.args.some(isOpenOnly);
    case "or":
      return filter.args.length > 0 && filter.args.every(isOpenOnly);
    case "in":
      return filter.field.name === "state" && filter.values.every((state) => !END_STATES.has(String(state)));
    case "==":
      return filter.field.name === "state" && !END_STATES.has(String(filter.value));
    default:
      return false;
  }
}

/** Converts a filter to a condition and appends its values to `values`. */
function toSql(filter: Filter, values: SqlValue[]): string {
  switch (filter.op) {
    case "and":
    case "or":
      return `(${filter.args.map((arg) => toSql(arg, values)).join(filter.op === "and" ? " AND " : " OR ")})`;
    case "not":
      return isOptional(filter.arg)
        ? `NOT coalesce(${toSql(filter.arg, values)}, false)`
        : `NOT (${toSql(filter.arg, values)})`;
    case "has":
      return filter.field.name === "labels"
        ? `${labelOf(filter.field.key, values)} IS NOT NULL`
        : `${FIELDS[filter.field.name].column} IS NOT NULL`;
    case "in":
      if (filter.field.name === "labels") {
        const { key } = filter.field;
        return `(${filter.values.map((value) => hasLabel(key, value, values)).join(" OR ") || "false"})`;
      }
      return `(${filter.values.map((value) => `${toColumn(filter.field, values)} = ${toParameter(filter.field, value, values)}`).join(" OR ") || "false"})`;
    default: {
      if (filter.field.name === "labels" && filter.op === "==") return hasLabel(filter.field.key, filter.value, values);
      const compared = `${toColumn(filter.field, values)} ${OPERATORS[filter.op]} ${toParameter(filter.field, filter.value, values)}`;
      // PostgreSQL takes half of the rows for what `coalesce` finds, and a wrong guess costs an index.
      return filter.op === "!=" && isOptional(filter) ? `coalesce(${compared}, true)` : compared;
    }
  }
}

/** Whether the filter compares what a run may lack. */
function isOptional(filter: Filter): boolean {
  switch (filter.op) {
    case "and":
    case "or":
      return filter.args.some(isOptional);
    case "not":
      return isOptional(filter.arg);
    default:
      return filter.field.name === "labels" || filter.field.name === "end_time";
  }
}

function toColumn(field: FilterField, values: SqlValue[]): string {
  return field.name === "labels" ? labelOf(field.key, values) : FIELDS[field.name].column;
}

function toParameter(field: FilterField, value: string | number, values: SqlValue[]): string {
  values.push(value);
  return field.name !== "labels" && FIELDS[field.name].time
    ? `to_timestamp($${values.length}::float8 / 1000)`
    : `$${values.length}::text`;
}

/** Uses the only form that the index of labels supports. */
function hasLabel(key: string, value: string | number, values: SqlValue[]): string {
  values.push(JSON.stringify({ [key]: value }));
  return `labels @> $${values.length}::jsonb`;
}

function labelOf(key: string, values: SqlValue[]): string {
  values.push(key);
  return `(labels ->> $${values.length}::text)`;
}

/** Counts by state. A state that no run can have is shown as QUARANTINED, as in lists. */
function sumStates(rows: readonly { readonly state: string; readonly count: number }[]) {
  const counts = new Map<RunStateName, number>();
  for (const { state, count } of rows) {
    const shown = isRunState(state) ? state : "QUARANTINED";
    counts.set(shown, (counts.get(shown) ?? 0) + count);
  }
  return [...counts].map(([state, count]) => ({ state, count }));
}

interface ApprovalRow {
  readonly run_id: string;
  readonly approval_id: number;
  readonly task_path: string;
  readonly tenant_id: string;
  readonly flow_id: string;
  readonly state: string;
  readonly parameters: string;
  readonly created_at: number;
  readonly due_at: number | null;
  readonly decided_at: number | null;
  readonly decided_by: string;
  readonly comment: string;
  readonly data: string;
}

function toApproval(row: ApprovalRow): ApprovalView {
  return {
    runId: row.run_id,
    flowId: row.flow_id,
    tenantId: row.tenant_id,
    approval: {
      id: row.approval_id,
      task: row.task_path,
      state: isApprovalState(row.state) ? row.state : "CANCELED",
      parameters: parametersOf(row),
      createdAt: row.created_at,
      dueAt: isValidTime(row.due_at) ? row.due_at : null,
      endedAt: isValidTime(row.decided_at) ? row.decided_at : null,
      by: row.decided_by,
      comment: row.comment,
      data: dataOf(row),
    },
  };
}

const APPROVAL_STATES: Readonly<Record<Approval["state"], true>> = {
  PENDING: true,
  APPROVED: true,
  REJECTED: true,
  EXPIRED: true,
  CANCELED: true,
};

function isApprovalState(state: string): state is Approval["state"] {
  return Object.hasOwn(APPROVAL_STATES, state);
}

/**
 * The parameters of a row. Unreadable ones are replaced by a title that says so, so that one damaged row does not
 * affect the rest of the list.
 */
function parametersOf({ parameters, state }: ApprovalRow): JsonObject {
  try {
    const value = parseStoredJson(parameters);
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not an object");
    if (!isApprovalState(state)) throw new Error("unknown state");
    return value as JsonObject;
  } catch {
    // SyntaxError, or one of the two above: the title says so.
    return { title: "This row of the list cannot be read; GetApproval reads the run itself." };
  }
}

function dataOf({ data }: ApprovalRow): Json {
  try {
    return parseStoredJson(data);
  } catch {
    // SyntaxError: the list shows no data; the run has it.
    return null;
  }
}
