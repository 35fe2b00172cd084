/** Lists of routed tasks, in PostgreSQL. The history is bounded, so that a filter may read all of it. */
import type {
  RoutedTaskFilter,
  RoutedTaskHistory,
  RoutedTaskState,
  RoutedTasks,
  RoutedTaskView,
} from "../../engine/ports/routing/routed-tasks.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

const MATCH = `t.tenant_id = $1 AND ($2::text = '' OR t.state = $2) AND ($3::text = '' OR t.service = $3)`;

const LIST = prepared(
  "routed_tasks.list",
  `SELECT t.run_id, t.tenant_id, t.service, t.method, t.path, t.target_url, t.state, t.response_status, t.retry_count, t.created_at, t.ended_at
  FROM orchestrator.routed_tasks t
  WHERE ${MATCH} AND ($4::float8 IS NULL OR (t.created_at, t.run_id) < (to_timestamp($4 / 1000), $5::text))
  ORDER BY t.created_at DESC, t.run_id DESC LIMIT $6`,
);

const COUNT = prepared(
  "routed_tasks.count",
  `SELECT count(*) AS count FROM orchestrator.routed_tasks t WHERE ${MATCH}`,
);

const OLD = prepared(
  "routed_tasks.old",
  `SELECT old.run_id, old.tenant_id FROM (
    SELECT t.run_id, t.tenant_id, t.ended_at, row_number() OVER (PARTITION BY t.tenant_id ORDER BY t.created_at DESC, t.run_id DESC) AS place
    FROM orchestrator.routed_tasks t
  ) AS old
  JOIN orchestrator.runs r ON r.run_id = old.run_id
  WHERE r.shard = ANY($1::int2[]) AND old.ended_at IS NOT NULL
    AND (old.place > $2 OR old.ended_at < now() - $3::float8 * interval '1 millisecond')
  LIMIT $4`,
);

interface Row {
  readonly run_id: string;
  readonly tenant_id: string;
  readonly service: string;
  readonly method: string;
  readonly path: string;
  readonly target_url: string;
  readonly state: string;
  readonly response_status: number;
  readonly retry_count: number;
  readonly created_at: number;
  readonly ended_at: number | null;
}

const STATES: Readonly<Record<RoutedTaskState, true>> = { PENDING: true, SUCCESS: true, ERROR: true, TIMEOUT: true };

/** Creates the lists. */
export function createRoutedTasks(database: Database): RoutedTasks & RoutedTaskHistory {
  const valuesOf = (tenantId: string, { state, service }: RoutedTaskFilter) => [tenantId, state ?? "", service];
  return {
    list: async ({ tenantId }, filter, after, limit) => {
      const values = [...valuesOf(tenantId, filter), after?.createdAt ?? null, after?.taskId ?? "", limit];
      const { rows } = await database.reads.query<Row>(LIST, values);
      return rows.map(toView);
    },
    count: async ({ tenantId }, filter) => {
      const { rows } = await database.reads.query<{ count: number }>(COUNT, valuesOf(tenantId, filter));
      return rows[0]?.count ?? 0;
    },
    listOld: async (shards, keep, maxAgeMs, limit) => {
      const { rows } = await database.reads.query<Pick<Row, "run_id" | "tenant_id">>(OLD, [
        shards,
        keep,
        maxAgeMs,
        limit,
      ]);
      return rows.map(({ run_id: taskId, tenant_id: tenantId }) => ({ taskId, tenantId }));
    },
  };
}

function toView(row: Row): RoutedTaskView {
  return {
    taskId: row.run_id,
    tenantId: row.tenant_id,
    service: row.service,
    method: row.method,
    path: row.path,
    targetUrl: row.target_url,
    state: Object.hasOwn(STATES, row.state) ? (row.state as RoutedTaskState) : "ERROR",
    responseStatus: row.response_status,
    retryCount: row.retry_count,
    createdAt: row.created_at,
    endedAt: row.ended_at,
  };
}
