/** Lists of goals, in PostgreSQL. */
import type { Goals, GoalView } from "../../engine/ports/gate/goals.ts";
import { newestPages, textsOf } from "../sql/newest-pages.ts";
import type { Database } from "../sql/pool.ts";
import { exactInt8 } from "../sql/sql.ts";

const readNewest = newestPages<Row>(
  "goals",
  `g.run_id, g.tenant_id, g.goal, g.status, g.priority, g.constraints, g.acceptance_criteria,
    ${exactInt8("g.max_cost_micros")} AS max_cost_micros, g.max_time_seconds, g.max_tokens, g.created_at, g.updated_at`,
);

interface Row {
  readonly run_id: string;
  readonly tenant_id: string;
  readonly goal: string;
  readonly status: GoalView["status"];
  readonly priority: GoalView["priority"];
  readonly constraints: unknown;
  readonly acceptance_criteria: unknown;
  readonly max_cost_micros: number;
  readonly max_time_seconds: number;
  readonly max_tokens: number;
  readonly created_at: number;
  readonly updated_at: number;
}

/** Creates the lists. */
export function createGoals(database: Database): Goals {
  return {
    list: async ({ tenantId }, status, after, limit) => {
      const place = after === null ? null : { createdAt: after.createdAt, runId: after.goalId };
      return (await readNewest(database, tenantId, status, place, limit)).map(toView);
    },
  };
}

function toView(row: Row): GoalView {
  return {
    goalId: row.run_id,
    tenantId: row.tenant_id,
    goal: row.goal,
    status: row.status,
    priority: row.priority,
    constraints: textsOf(row.constraints),
    acceptanceCriteria: textsOf(row.acceptance_criteria),
    maxCostMicros: row.max_cost_micros,
    maxTimeSeconds: row.max_time_seconds,
    maxTokens: row.max_tokens,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
