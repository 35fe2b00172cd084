/** Inbound messages that were rejected, for operators. */
import type { RejectedList, RejectedView } from "../../engine/ports/bus/rejected.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";
import { isPlace, rejectedUs } from "./rejection-times.ts";

const COLUMNS = `m.topic_id, m.topic, m.partition, m.message_offset::text AS message_offset, m.reason, m.message,
    (coalesce(octet_length(m.key), 0) + coalesce(octet_length(m.value), 0)
      + coalesce((SELECT sum(octet_length(h)) FROM unnest(m.headers) h), 0))::float8 AS size,
    round(extract(epoch FROM m.sent_at) * 1000)::float8 AS sent,
    ${rejectedUs("m.rejected_at")} AS rejected`;

const LIST = prepared(
  "rejected_messages.list",
  `SELECT ${COLUMNS} FROM orchestrator.rejected_messages m
  WHERE ($1::text IS NULL OR m.topic = $1) AND ($2::text IS NULL OR m.reason = $2)
    AND ${isPlace("m.rejected_at")} AND (m.rejected_at, m.topic_id, m.partition, m.message_offset)
      > (timestamptz 'epoch' + $3::int8 * interval '1 microsecond', $4::text, $5::int4, $6::int8)
  ORDER BY m.rejected_at, m.topic_id, m.partition, m.message_offset LIMIT $7`,
);

const FIND = prepared(
  "rejected_messages.find",
  `SELECT ${COLUMNS}, m.key, m.value, m.headers FROM orchestrator.rejected_messages m
  WHERE m.topic_id = $1 AND m.partition = $2 AND m.message_offset = $3 LIMIT 1`,
);

interface Row {
  readonly topic_id: string;
  readonly topic: string;
  readonly partition: number;
  readonly message_offset: string;
  readonly reason: string;
  readonly message: string;
  readonly size: number;
  readonly sent: number;
  readonly rejected: string;
}

interface FullRow extends Row {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly Buffer[];
}

/** Rejected messages of a database. */
export function createRejectedList({ reads }: Database): RejectedList {
  return {
    list: async ({ topic, reason }, after, limit) => {
      const { rejectedAtUs = 0, topicId = "", partition = -1, offset = "-1" } = after ?? {};
      const { rows } = await reads.query<Row>(LIST, [
        ...[topic ?? null, reason ?? null, rejectedAtUs, topicId, partition, offset, limit],
      ]);
      return rows.map(toView);
    },
    find: async ({ topicId, partition, offset }) => {
      const { rows } = await reads.query<FullRow>(FIND, [topicId, partition, offset]);
      const [row] = rows;
      if (row === undefined) return null;
      const { key, value, headers } = row;
      return { view: toView(row), content: { key, value, headers } };
    },
  };
}

function toView(row: Row): RejectedView {
  const { topic, reason, message: problem } = row;
  return {
    ...{ topic, reason, problem, sizeBytes: row.size, sentAt: row.sent, rejectedAtUs: Number(row.rejected) },
    id: { topicId: row.topic_id, partition: row.partition, offset: row.message_offset },
  };
}
