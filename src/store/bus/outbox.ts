/** Unsent messages, for those that send them. The rows are written with the journal. */
import { parseStoredJson } from "../../base/json/json-stored.ts";
import type {
  DestinationName,
  Outbox,
  Outgoing,
  OutgoingContent,
  OutgoingId,
  RejectedTask,
  RejectedTasks,
  StoredOutgoing,
} from "../../engine/ports/bus/outbox.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

/** Messages of a page, and their bytes, about. */
const PAGE = 1_000;
const PAGE_BYTES = 8 * 1_024 * 1_024;

/** The share of a shard in a page is at least this, so that few shards with messages fill it. */
const LEAST_SHARE = 64;

const COLUMNS = `o.shard, o.id, o.run_id, o.task_path, o.tenant_id, o.kind, o.destination, o.topic, o.key, o.payload, o.sequence,
    round(extract(epoch FROM o.created_at) * 1000)::float8 AS at`;

/** A page of `source`, which gives the rows `b` of each shard. Only what is in the page is read from the side table. */
const pageOf = (source: string): string => `
  WITH under_way AS MATERIALIZED (SELECT shard, id FROM unnest($2::int2[], $3::int8[]) AS u(shard, id)),
  page AS (
    SELECT b.*, sum(octet_length(b.payload)) OVER (ORDER BY b.id) - octet_length(b.payload) AS before
    FROM (${source}) b
    WHERE NOT EXISTS (SELECT 1 FROM under_way u WHERE u.shard = b.shard AND u.id = b.id)
    ORDER BY b.id LIMIT ${PAGE}
  )
  SELECT ${COLUMNS} FROM page o WHERE before < ${PAGE_BYTES} ORDER BY o.id`;

// Each shard has its share of a page, so that one with a long backlog keeps no other waiting.
const SHARE = `$4::int4 + (SELECT count(*) FROM under_way u WHERE u.shard = s.shard)`;

const LIST = prepared(
  "outbox.list",
  pageOf(`SELECT c.* FROM unnest($1::int2[]) AS s(shard)
    CROSS JOIN LATERAL (
      SELECT * FROM orchestrator.outbox x WHERE x.shard = s.shard AND x.destination = $5 ORDER BY x.id LIMIT ${SHARE}
    ) c`),
);

// Topics are found by jumping from one to the next in the index: those that are left out may have a long backlog.
const LIST_WITHOUT = prepared(
  "outbox.list_without",
  pageOf(`WITH RECURSIVE topics (topic) AS (
      (SELECT topic FROM orchestrator.outbox WHERE destination = $5 ORDER BY topic LIMIT 1)
      UNION ALL
      SELECT (
        SELECT x.topic FROM orchestrator.outbox x WHERE x.destination = $5 AND x.topic > t.topic ORDER BY x.topic LIMIT 1
      )
      FROM topics t WHERE t.topic IS NOT NULL
    )
    SELECT c.* FROM topics t CROSS JOIN unnest($1::int2[]) AS s(shard)
    CROSS JOIN LATERAL (
      SELECT * FROM orchestrator.outbox x
      WHERE x.destination = $5 AND x.topic = t.topic AND x.shard = s.shard ORDER BY x.id LIMIT ${SHARE}
    ) c
    WHERE NOT t.topic = ANY($6::text[])`),
);

// The sizes of large payloads are known without reading them.
const MEASURE = prepared(
  "outbox.measure",
  `SELECT count(*)::float8 AS messages, coalesce(sum(octet_length(payload)), 0)::float8 AS bytes
  FROM orchestrator.outbox WHERE destination = $1`,
);

const DELETE = prepared(
  "outbox.delete",
  `DELETE FROM orchestrator.outbox o USING unnest($1::int2[], $2::int8[]) AS d(shard, id)
  WHERE o.shard = d.shard AND o.destination = $3 AND o.id = d.id`,
);

const REJECT = prepared(
  "outbox.reject",
  `WITH gone AS (
    DELETE FROM orchestrator.outbox o USING unnest($1::int2[], $2::int8[], $3::text[]) AS d(shard, id, reason)
    WHERE o.shard = d.shard AND o.destination = $4 AND o.id = d.id RETURNING o.*, d.reason
  )
  INSERT INTO orchestrator.outbox_rejected
    (shard, id, run_id, task_path, tenant_id, kind, topic, key, payload, sequence, created_at, destination, reason, settled)
  SELECT shard, id, run_id, task_path, tenant_id, kind, topic, key, payload, sequence, created_at, destination, reason,
    kind <> 'task'
  FROM gone`,
);

const LIST_REJECTED = prepared(
  "outbox_rejected.list",
  `SELECT shard, id, run_id, topic, sequence, reason FROM orchestrator.outbox_rejected
  WHERE NOT settled AND shard = ANY($1::int2[]) AND (shard, id) > ($2::int2, $3::int8) ORDER BY shard, id LIMIT $4`,
);

const SETTLE = prepared(
  "outbox_rejected.settle",
  `UPDATE orchestrator.outbox_rejected o SET settled = true FROM unnest($1::int2[], $2::int8[]) AS d(shard, id)
  WHERE o.shard = d.shard AND o.id = d.id`,
);

interface Row {
  readonly shard: number;
  readonly id: string;
  readonly run_id: string;
  readonly task_path: string;
  readonly tenant_id: string;
  readonly kind: string;
  readonly destination: DestinationName;
  readonly topic: string;
  readonly key: string;
  readonly payload: string;
  readonly sequence: number;
  readonly at: number;
}

type RejectedRow = Pick<Row, "shard" | "id" | "run_id" | "topic" | "sequence"> & { readonly reason: string };

/** What a database has for one destination. */
export function createOutbox({ reads }: Database, destination: DestinationName): Outbox {
  return {
    list: async (shards, underWay, without) => {
      if (shards.length === 0) return [];
      const share = Math.max(Math.ceil(PAGE / shards.length), LEAST_SHARE);
      const most = [shards, ...columnsOf(underWay), share, destination];
      const { rows } = await (without.length === 0
        ? reads.query<Row>(LIST, most)
        : reads.query<Row>(LIST_WITHOUT, [...most, without]));
      return rows.map(toStored);
    },
    measure: async () => {
      const { rows } = await reads.query<{ readonly messages: number; readonly bytes: number }>(MEASURE, [destination]);
      return rows[0] ?? { messages: 0, bytes: 0 };
    },
    delete: async (ids) => {
      await reads.query(DELETE, [...columnsOf(ids), destination]);
    },
    reject: async (rejected) => {
      const ids = columnsOf(rejected.map(({ id }) => id));
      await reads.query(REJECT, [...ids, rejected.map(({ reason }) => reason), destination]);
    },
  };
}

/** Rejected messages of tasks. */
export function createRejectedTasks({ reads }: Database): RejectedTasks {
  return {
    list: async (shards, after, limit) => {
      const { shard, id } = after ?? { shard: -1, id: "0" };
      const { rows } = await reads.query<RejectedRow>(LIST_REJECTED, [shards, shard, id, limit]);
      return rows.map(
        (row): RejectedTask => ({
          id: { shard: row.shard, id: row.id },
          ...{ runId: row.run_id, topic: row.topic, fence: row.sequence, reason: row.reason },
        }),
      );
    },
    settle: async (ids) => {
      await reads.query(SETTLE, columnsOf(ids));
    },
  };
}

function columnsOf(ids: readonly OutgoingId[]): [number[], string[]] {
  return [ids.map(({ shard }) => shard), ids.map(({ id }) => id)];
}

function toStored(row: Row): StoredOutgoing {
  const { shard, id, run_id, task_path, tenant_id, destination, topic, key, sequence, at } = row;
  // Only the projection writes rows.
  const sent = { kind: row.kind, content: parseStoredJson(row.payload) } as unknown as OutgoingContent;
  const message: Outgoing = {
    ...sent,
    ...{ runId: run_id, taskPath: task_path, tenantId: tenant_id, destination, topic, key, sequence, at },
  };
  return { id: { shard, id }, message };
}
