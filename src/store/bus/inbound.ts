/** Positions in inbound topics, and messages that were rejected. */
import { toValidTime } from "../../base/time/time-range.ts";
import type { InboundOffsets, PartitionId, PartitionOffset, RejectedMessages } from "../../engine/ports/bus/inbound.ts";
import type { OutgoingRejected } from "../../engine/ports/bus/outbox.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

const LIST_OFFSETS = prepared(
  "kafka_offsets.list",
  "SELECT topic_id, partition, next_offset::text AS next_offset, generation FROM orchestrator.kafka_offsets WHERE cluster_id = $1 AND topic = $2",
);

// An earlier reader of the partition may write late: positions only rise.
const SAVE_OFFSETS = prepared(
  "kafka_offsets.save",
  `INSERT INTO orchestrator.kafka_offsets AS k (cluster_id, topic_id, topic, partition, next_offset, generation)
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int4[], $5::int8[], $6::int4[])
  ON CONFLICT (cluster_id, topic_id, partition) DO UPDATE
    SET next_offset = excluded.next_offset, updated_at = clock_timestamp()
    WHERE k.generation = excluded.generation AND k.next_offset < excluded.next_offset`,
);

const MOVE = prepared(
  "kafka_offsets.move",
  `UPDATE orchestrator.kafka_offsets SET next_offset = $4, generation = generation + 1, updated_at = clock_timestamp()
  WHERE cluster_id = $1 AND topic_id = $2 AND partition = $3 AND generation = $5 RETURNING generation`,
);

/** Announces that positions were moved. */
const CHANNEL = "orchestrator_topics";

/** Behind a pooler nothing is announced, and positions are read so often, milliseconds. */
const POLL_EVERY_MS = 5_000;

const REWIND = prepared(
  "kafka_offsets.rewind",
  `WITH wanted AS (
    SELECT k.cluster_id, k.topic_id, k.topic, k.partition, k.next_offset AS from_offset, w.to_offset
    FROM unnest($1::text[], $2::text[], $3::int4[], $4::int8[]) AS w(cluster_id, topic_id, partition, to_offset)
    JOIN orchestrator.kafka_offsets k USING (cluster_id, topic_id, partition) ORDER BY k.partition FOR UPDATE OF k
  ),
  moved AS (
    UPDATE orchestrator.kafka_offsets k SET next_offset = w.to_offset, generation = generation + 1, updated_at = clock_timestamp()
    FROM wanted w WHERE k.cluster_id = w.cluster_id AND k.topic_id = w.topic_id AND k.partition = w.partition
  ),
  kept AS (
    INSERT INTO orchestrator.kafka_rewinds (topic, partition, from_offset, to_offset, actor, reason)
    SELECT topic, partition, from_offset, to_offset, $5, $6 FROM wanted
  )
  SELECT partition, from_offset::text AS from_offset, to_offset::text AS to_offset, pg_notify('${CHANNEL}', '') FROM wanted
  ORDER BY partition`,
);

const KEEP = prepared(
  "rejected_messages.keep",
  `WITH kept AS (
    INSERT INTO orchestrator.rejected_messages
      (cluster_id, topic_id, topic, partition, message_offset, key, value, headers, sent_at, reason, message)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8::bytea[], to_timestamp($9::float8 / 1000), $10, $11) ON CONFLICT DO NOTHING
    RETURNING rejected_at
  )
  INSERT INTO orchestrator.outbox (shard, run_id, task_path, tenant_id, kind, topic, key, payload, created_at)
  SELECT $12, '', '', '', 'rejected', $13, $14, $15, rejected_at FROM kept`,
);

interface OffsetRow {
  readonly topic_id: string;
  readonly partition: number;
  readonly next_offset: string;
  readonly generation: number;
}

/** Positions in inbound topics. */
export function createInboundOffsets(database: Database): InboundOffsets {
  const { reads } = database;
  return {
    rewind: async (offsets, actor, reason) => {
      const { rows } = await reads.query<{ partition: number; from_offset: string; to_offset: string }>(REWIND, [
        offsets.map(({ clusterId }) => clusterId),
        offsets.map(({ topicId }) => topicId),
        offsets.map(({ partition }) => partition),
        offsets.map(({ nextOffset }) => String(nextOffset)),
        ...[actor, reason],
      ]);
      return rows.map((row) => ({
        partition: row.partition,
        from: BigInt(row.from_offset),
        to: BigInt(row.to_offset),
      }));
    },
    listen: (listener) => database.listen(CHANNEL, listener, { pollMs: POLL_EVERY_MS }),
    list: async (clusterId, topic) => {
      const { rows } = await reads.query<OffsetRow>(LIST_OFFSETS, [clusterId, topic]);
      return rows.map(
        ({ topic_id, partition, next_offset, generation }): PartitionOffset => ({
          ...{ clusterId, topicId: topic_id, topic, partition, generation },
          nextOffset: BigInt(next_offset),
        }),
      );
    },
    move: async ({ clusterId, topicId, partition, nextOffset, generation }) => {
      const values = [clusterId, topicId, partition, String(nextOffset), generation];
      const { rows } = await reads.query<{ readonly generation: number }>(MOVE, values);
      return rows[0]?.generation ?? null;
    },
    save: async (offsets) => {
      await reads.query(SAVE_OFFSETS, [
        offsets.map(({ clusterId }) => clusterId),
        offsets.map(({ topicId }) => topicId),
        offsets.map(({ topic }) => topic),
        offsets.map(({ partition }) => partition),
        offsets.map(({ nextOffset }) => String(nextOffset)),
        offsets.map(({ generation }) => generation),
      ]);
    },
  };
}

/** Messages that were rejected. Their dead letters are sent by the owner of the shard that `shardOf` chooses. */
export function createRejectedMessages(
  { reads }: Database,
  deadLetterTopic: string,
  shardOf: (message: PartitionId) => number,
): RejectedMessages {
  return {
    keep: async (message, reason, problem) => {
      const { clusterId, topicId, topic, partition, offset, key, value, headers, sentAt } = message;
      const content: OutgoingRejected = {
        ...{ topic, partition, offset: String(offset), sentAt, reason, problem },
        ...{ key: toBase64(key), value: toBase64(value) },
        headers: headers.map(([name, text]) => ({ name: name?.toString("utf8") ?? "", value: toBase64(text) })),
      };
      const flat = headers.flatMap(([name, text]) => [name ?? Buffer.alloc(0), text ?? Buffer.alloc(0)]);
      await reads.query(KEEP, [
        ...[clusterId, topicId, topic, partition, String(offset)],
        // Producers may stamp messages with any number.
        ...[key, value, flat, toValidTime(sentAt), reason, problem],
        ...[shardOf(message), deadLetterTopic, `${topic}/${partition}/${offset}`, JSON.stringify(content)],
      ]);
    },
  };
}

function toBase64(bytes: Buffer | null): string | null {
  return bytes === null ? null : bytes.toString("base64");
}
