/** Stored operations: headers for lists and takeovers, and the journal of each. */
import type {
  OperationAction,
  OperationFailure,
  OperationStateName,
  OperationStore,
  OperationView,
} from "../engine/ports/operations.ts";
import { readJournal } from "./journal/journal.ts";
import type { Database } from "./sql/pool.ts";
import { prepared } from "./sql/sql.ts";

const COLUMNS = `operation_id, tenant_id, state, action, filter, matched, done, failed, failures, problem, created_by,
  created_at, updated_at, ended_at`;

const FIND = prepared(
  "operations.find",
  `SELECT ${COLUMNS} FROM orchestrator.operations WHERE tenant_id = $1 AND operation_id = $2`,
);

const PLACE = prepared(
  "operations.place",
  "SELECT shard, run_day FROM orchestrator.operations WHERE operation_id = $1",
);

const LIST = prepared(
  "operations.list",
  `SELECT ${COLUMNS} FROM orchestrator.operations
  WHERE tenant_id = $1 AND ($3::float8 IS NULL OR (created_at, operation_id) < (to_timestamp($3::float8 / 1000), $4))
  ORDER BY created_at DESC, operation_id DESC LIMIT $2`,
);

const LIST_OPEN = prepared(
  "operations.list_open",
  `SELECT operation_id FROM orchestrator.operations WHERE shard = ANY($1::int2[]) AND ended_at IS NULL
  ORDER BY created_at`,
);

interface Row {
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

export function createOperationStore(database: Database): OperationStore {
  return {
    load: async (operationId) => {
      const { rows } = await database.reads.query<{ shard: number; run_day: number }>(PLACE, [operationId]);
      const [row] = rows;
      if (row === undefined) return null;
      const journal = await readJournal(database, { run_id: operationId, run_day: row.run_day });
      return { operationId, shard: row.shard, day: row.run_day, moving: true, ...journal };
    },
    listOpen: async (shards) => {
      const { rows } = await database.reads.query<{ operation_id: string }>(LIST_OPEN, [shards]);
      return rows.map((row) => row.operation_id);
    },
    find: async (tenantId, operationId) => {
      const { rows } = await database.reads.query<Row>(FIND, [tenantId, operationId]);
      return rows[0] === undefined ? null : toView(rows[0]);
    },
    list: async (tenantId, after, limit) => {
      const place = [after?.createdAt ?? null, after?.operationId ?? ""];
      const { rows } = await database.reads.query<Row>(LIST, [tenantId, limit, ...place]);
      return rows.map(toView);
    },
  };
}

function toView(row: Row): OperationView {
  return {
    operationId: row.operation_id,
    tenantId: row.tenant_id,
    state: row.state as OperationStateName,
    action: JSON.parse(row.action) as OperationAction,
    filter: row.filter,
    matched: row.matched,
    done: row.done,
    failed: row.failed,
    failures: JSON.parse(row.failures) as OperationFailure[],
    problem: row.problem,
    by: row.created_by,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    endedAt: row.ended_at,
  };
}
