/** Unsent messages, for those that send them. The rows are written with the journal. */
import { parseStoredJson } from "../../base/json/json-stored.ts";
import type { Outbox, Outgoing, OutgoingContent, OutgoingId, StoredOutgoing } from "../../engine/ports/bus/outbox.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

// Each shard has its share of a page, so that one with a long backlog keeps no other waiting.
const LIST = prepared(
  "outbox.list",
  `SELECT o.shard, o.id, o.run_id, o.task_path, o.tenant_id, o.kind, o.topic, o.key, o.payload, o.sequence,
    round(extract(epoch FROM o.created_at) * 1000)::float8 AS at
  FROM unnest($1::int2[]) AS s(shard)
  CROSS JOIN LATERAL (
    SELECT * FROM orchestrator.outbox b WHERE b.shard = s.shard AND NOT b.topic = ANY($3::text[]) ORDER BY b.id LIMIT $2
  ) o`,
);

const DELETE = prepared(
  "outbox.delete",
  `DELETE FROM orchestrator.outbox o USING unnest($1::int2[], $2::int8[]) AS d(shard, id)
  WHERE o.shard = d.shard AND o.id = d.id`,
);

const REJECT = prepared(
  "outbox.reject",
  `WITH gone AS (DELETE FROM orchestrator.outbox WHERE shard = $1 AND id = $2 RETURNING *)
  INSERT INTO orchestrator.outbox_rejected
    (shard, id, run_id, task_path, tenant_id, kind, topic, key, payload, sequence, created_at, reason)
  SELECT shard, id, run_id, task_path, tenant_id, kind, topic, key, payload, sequence, created_at, $3 FROM gone`,
);

interface Row {
  readonly shard: number;
  readonly id: string;
  readonly run_id: string;
  readonly task_path: string;
  readonly tenant_id: string;
  readonly kind: string;
  readonly topic: string;
  readonly key: string;
  readonly payload: string;
  readonly sequence: number;
  readonly at: number;
}

/** The outbox of a database. */
export function createOutbox({ reads }: Database): Outbox {
  return {
    list: async (shards, limit, without) => {
      if (shards.length === 0) return [];
      const share = Math.ceil(limit / shards.length);
      const { rows } = await reads.query<Row>(LIST, [shards, share, without]);
      return rows.map(toStored);
    },
    delete: async (ids) => {
      await reads.query(DELETE, columnsOf(ids));
    },
    reject: async ({ shard, id }, reason) => {
      await reads.query(REJECT, [shard, id, reason]);
    },
  };
}

function columnsOf(ids: readonly OutgoingId[]): [number[], string[]] {
  return [ids.map(({ shard }) => shard), ids.map(({ id }) => id)];
}

function toStored(row: Row): StoredOutgoing {
  const { shard, id, run_id, task_path, tenant_id, topic, key, sequence, at } = row;
  // Only the projection writes rows.
  const sent = { kind: row.kind, content: parseStoredJson(row.payload) } as unknown as OutgoingContent;
  const message: Outgoing = {
    ...sent,
    ...{ runId: run_id, taskPath: task_path, tenantId: tenant_id, topic, key, sequence, at },
  };
  return { id: { shard, id }, message };
}
