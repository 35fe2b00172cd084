/** Lists of goals, in PostgreSQL. */
import type { Goals, GoalView } from "../../engine/ports/gate/goals.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

const COLUMNS = `g.run_id, g.tenant_id, g.goal, g.status, g.priority, g.constraints, g.acceptance_criteria,
    g.max_cost_micros::float8 AS max_cost_micros, g.max_time_seconds, g.max_tokens, g.created_at, g.updated_at`;

/** A page of all goals, or of those with a status: each has its index. */
const list = (name: string, condition: string) =>
  prepared(
    `goals.${name}`,
    `SELECT ${COLUMNS} FROM orchestrator.goals g
    WHERE g.tenant_id = $1 AND ${condition}
      AND ($3::float8 IS NULL OR (g.created_at, g.run_id) < (to_timestamp($3 / 1000), $4::text))
    ORDER BY g.created_at DESC, g.run_id DESC LIMIT $5`,
  );

const LIST = list("list", "$2::text IS NULL");
const LIST_BY_STATUS = list("list_by_status", "g.status = $2");

interface Row {
  readonly run_id: string;
  readonly tenant_id: string;
  readonly goal: string;
  readonly status: GoalView["status"];
  readonly priority: GoalView["priority"];
  readonly constraints: GoalView["constraints"];
  readonly acceptance_criteria: GoalView["acceptanceCriteria"];
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
      const values = [tenantId, status, after?.createdAt ?? null, after?.goalId ?? "", limit];
      const { rows } = await database.reads.query<Row>(status === null ? LIST : LIST_BY_STATUS, values);
      return rows.map(toView);
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
    constraints: row.constraints,
    acceptanceCriteria: row.acceptance_criteria,
    maxCostMicros: row.max_cost_micros,
    maxTimeSeconds: row.max_time_seconds,
    maxTokens: row.max_tokens,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
