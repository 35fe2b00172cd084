/**
 * Rows of `orchestrator.runs` as headers. A row is never rejected: its header describes what is wrong with it, and the
 * rest is safe to show.
 */
import { labelsProblem } from "../../base/labels.ts";
import { isValidTime } from "../../base/time/time-range.ts";
import type { RunHeader, RunStateName } from "../../engine/ports/run-index.ts";

/** A row of `orchestrator.runs`. */
export interface HeaderRow {
  readonly run_id: string;
  readonly shard: number;
  readonly run_day: number;
  readonly tenant_id: string;
  readonly flow_id: string;
  readonly version: string;
  readonly flow_hash: string;
  readonly state: string;
  readonly moving: boolean;
  readonly handed_out: boolean;
  readonly sequence: number;
  readonly wake_at: number | null;
  readonly deadline_at: number | null;
  readonly labels: unknown;
  readonly user_id: string;
  readonly correlation_id: string;
  readonly run_key: string;
  readonly parent_run_id: string;
  readonly parent_task: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly ended_at: number | null;
}

/** States that a header may have, and whether the run has ended in them. */
const STATES: Readonly<Record<RunStateName, boolean>> = {
  QUEUED: false,
  RUNNING: false,
  WAITING: false,
  PAUSED: false,
  SUSPENDED: false,
  QUARANTINED: false,
  CANCELING: false,
  COMPENSATING: false,
  COMPLETED: true,
  FAILED: true,
  CANCELED: true,
  TERMINATED: true,
  TIMED_OUT: true,
};

export function isRunState(state: string): state is RunStateName {
  return Object.hasOwn(STATES, state);
}

/**
 * Converts a row of `orchestrator.runs` to a header. Only `createdAt` may be a time that the contract cannot carry, and
 * `damage` then says so.
 */
export function toRunHeader(row: HeaderRow): RunHeader {
  const damage = damageOf(row);
  return {
    runId: row.run_id,
    tenantId: row.tenant_id,
    flowId: row.flow_id,
    version: row.version,
    flowHash: row.flow_hash,
    state: isRunState(row.state) ? row.state : "QUARANTINED",
    sequence: row.sequence,
    labels: labelsProblem(row.labels ?? {}) === null ? ((row.labels ?? {}) as Record<string, string>) : {},
    userId: row.user_id,
    correlationId: row.correlation_id,
    runKey: row.run_key,
    parentRunId: row.parent_run_id,
    // Unchanged: lists use it to continue after this row.
    createdAt: row.created_at,
    updatedAt: isValidTime(row.updated_at) ? row.updated_at : 0,
    endedAt: isValidTime(row.ended_at) ? row.ended_at : null,
    deadlineAt: isValidTime(row.deadline_at) ? row.deadline_at : null,
    ...(damage === null ? {} : { damage }),
  };
}

function damageOf(row: HeaderRow): string | null {
  if (!isRunState(row.state)) return `state is ${JSON.stringify(row.state.slice(0, 40))}`;
  for (const column of ["created_at", "updated_at", "deadline_at", "wake_at", "ended_at"] as const)
    if (row[column] !== null && row[column] !== undefined && !isValidTime(row[column]))
      return `${column} is no time between the years 1 and 9999`;
  if (STATES[row.state] !== (row.ended_at !== null))
    return row.ended_at === null
      ? `state is ${row.state}, ended_at is empty`
      : `state is ${row.state}, ended_at is set`;
  if (row.sequence < 1) return `sequence is ${row.sequence}`;
  return row.labels === null ? null : labelsProblem(row.labels);
}
