import type { GoalRecord } from "../../engine/ports/gate/goals.ts";
import { json, number, optionalJson, safeText, text, time } from "../journal/columns.ts";
import { defineTable } from "../journal/projection-table.ts";

/**
 * The journal of its run is the source of truth for each goal. What changes is shown in tables that others read, see
 * ../goals/goal-tables.ts.
 */
export const goalTable = defineTable<GoalRecord>("goals", {
  columns: {
    tenant_id: text(({ tenantId }) => tenantId),
    goal: text(({ goal }) => goal),
    status: safeText(({ status }) => status),
    priority: safeText(({ priority }) => priority),
    constraints: json(({ constraints }) => constraints),
    acceptance_criteria: json(({ acceptanceCriteria }) => acceptanceCriteria),
    context: json(({ context }) => context),
    max_cost_micros: number("float8", ({ maxCostMicros }) => maxCostMicros),
    max_time_seconds: number("int4", ({ maxTimeSeconds }) => maxTimeSeconds),
    max_tokens: number("int4", ({ maxTokens }) => maxTokens),
    created_at: time(({ createdAt }) => createdAt),
    updated_at: time(({ updatedAt }) => updatedAt),
    result: optionalJson(({ result }) => result),
  },
  write: ({ insert }) => `${insert}
  ON CONFLICT (run_id) DO UPDATE
  SET status = excluded.status, updated_at = excluded.updated_at, result = excluded.result`,
  close: `UPDATE orchestrator.goals t SET status = 'cancelled', updated_at = to_timestamp($4::float8 / 1000)
  FROM ended e WHERE t.run_id = e.run_id AND t.status IN ('pending', 'processing')`,
});
