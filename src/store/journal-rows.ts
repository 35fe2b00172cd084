import type { JsonObject } from "../base/json.ts";
import type { RunStateName } from "../engine/machine/state.ts";
import type { RunHeader } from "../engine/port.ts";

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
  readonly sequence: number;
  readonly wake_at: number | null;
  readonly deadline_at: number | null;
  readonly labels: JsonObject | null;
  readonly user_id: string;
  readonly correlation_id: string;
  readonly run_key: string;
  readonly parent_run_id: string;
  readonly parent_task: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly ended_at: number | null;
}

/** The header of a row of `orchestrator.runs`. */
export function toRunHeader(row: HeaderRow): RunHeader {
  return {
    runId: row.run_id,
    tenantId: row.tenant_id,
    flowId: row.flow_id,
    version: row.version,
    flowHash: row.flow_hash,
    state: row.state as RunStateName,
    sequence: row.sequence,
    labels: (row.labels ?? {}) as Record<string, string>,
    userId: row.user_id,
    correlationId: row.correlation_id,
    runKey: row.run_key,
    parentRunId: row.parent_run_id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    endedAt: row.ended_at,
    deadlineAt: row.deadline_at,
  };
}
