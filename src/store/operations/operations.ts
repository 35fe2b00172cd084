/** Stored operations: headers for lists and takeovers, and the journal of each. */
import type { OperationStore } from "../../engine/ports/operations.ts";
import type { ListOrder } from "../../engine/ports/run-index.ts";
import { readJournal } from "../journal/load.ts";
import { HELD } from "../journal/quarantine.ts";
import type { Database } from "../sql/pool.ts";
import { prepared, type Statement } from "../sql/sql.ts";
import { type OperationRow, toOperationView } from "./operation-rows.ts";

const COLUMNS = `operation_id, tenant_id, state, action, filter, matched, done, failed, failures, problem, created_by,
  created_at, updated_at, ended_at`;

const FIND = prepared(
  "operations.find",
  `SELECT ${COLUMNS} FROM orchestrator.operations WHERE tenant_id = $1 AND operation_id = $2`,
);

const PLACE = prepared(
  "operations.place",
  "SELECT shard, run_day, tenant_id, ended_at IS NOT NULL AS has_ended FROM orchestrator.operations WHERE operation_id = $1",
);

const listIn = (order: ListOrder, beyond: string, direction: string): Statement =>
  prepared(
    `operations.list_${order}`,
    `SELECT ${COLUMNS} FROM orchestrator.operations
  WHERE tenant_id = $1 AND ($3::float8 IS NULL OR (created_at, operation_id) ${beyond} (to_timestamp($3::float8 / 1000), $4))
  ORDER BY created_at ${direction}, operation_id ${direction} LIMIT $2`,
  );

/** One index serves both orders. */
const LIST: Readonly<Record<ListOrder, Statement>> = {
  newest: listIn("newest", "<", "DESC"),
  oldest: listIn("oldest", ">", "ASC"),
};

const LIST_OPEN = prepared(
  "operations.list_open",
  `SELECT operation_id FROM orchestrator.operations WHERE shard = ANY($1::int2[]) AND ended_at IS NULL
  ORDER BY created_at`,
);

const SET_ASIDE = prepared(
  "operations.set_aside",
  `WITH ${HELD}
  UPDATE orchestrator.operations SET state = 'QUARANTINED', problem = $4, updated_at = clock_timestamp()
  WHERE operation_id = $3 AND ended_at IS NULL AND state <> 'QUARANTINED' AND EXISTS (SELECT 1 FROM held)`,
);

const END_UNREAD = prepared(
  "operations.end_unread",
  `WITH ${HELD}
  UPDATE orchestrator.operations SET state = 'CANCELED', updated_at = clock_timestamp(), ended_at = clock_timestamp()
  WHERE operation_id = $3 AND ended_at IS NULL AND EXISTS (SELECT 1 FROM held)`,
);

interface Place {
  readonly shard: number;
  readonly run_day: number;
  readonly tenant_id: string;
  readonly has_ended: boolean;
}

/** Creates the store of operations. Reads of headers never fail because of a damaged row. */
export function createOperationStore(database: Database): OperationStore {
  return {
    load: async (operationId) => {
      const { rows } = await database.reads.query<Place>(PLACE, [operationId]);
      const [row] = rows;
      if (row === undefined) return null;
      const journal = await readJournal(database, { run_id: operationId, run_day: row.run_day });
      const { shard, run_day: day, tenant_id: tenantId, has_ended: hasEnded } = row;
      return { operationId, shard, day, moving: true, tenantId, hasEnded, ...journal };
    },
    quarantine: async ({ shard, epoch }, operationId, problem) =>
      (await database.journal.query(SET_ASIDE, [shard, epoch, operationId, problem])).count > 0,
    endUnread: async ({ shard, epoch }, operationId) =>
      (await database.journal.query(END_UNREAD, [shard, epoch, operationId])).count > 0,
    listOpen: async (shards) => {
      const { rows } = await database.reads.query<{ operation_id: string }>(LIST_OPEN, [shards]);
      return rows.map((row) => row.operation_id);
    },
    find: async (tenantId, operationId) => {
      const { rows } = await database.reads.query<OperationRow>(FIND, [tenantId, operationId]);
      return rows[0] === undefined ? null : toOperationView(rows[0]);
    },
    list: async (tenantId, after, limit, order) => {
      const place = [after?.createdAt ?? null, after?.operationId ?? ""];
      const { rows } = await database.reads.query<OperationRow>(LIST[order], [tenantId, limit, ...place]);
      return rows.map(toOperationView);
    },
  };
}
