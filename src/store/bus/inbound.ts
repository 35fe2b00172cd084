/** Positions in inbound topics, and messages that were rejected. */
import type { InboundOffsets, PartitionOffset, RejectedMessages } from "../../engine/ports/bus/inbound.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

const LIST_OFFSETS = prepared(
  "kafka_offsets.list",
  "SELECT topic_id, partition, next_offset, generation FROM orchestrator.kafka_offsets WHERE cluster_id = $1 AND topic = $2",
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

const KEEP = prepared(
  "rejected_messages.keep",
  `INSERT INTO orchestrator.rejected_messages
    (cluster_id, topic_id, topic, partition, message_offset, key, value, headers, sent_at, reason, message)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8::bytea[], to_timestamp($9::float8 / 1000), $10, $11) ON CONFLICT DO NOTHING`,
);

interface OffsetRow {
  readonly topic_id: string;
  readonly partition: number;
  readonly next_offset: string;
  readonly generation: number;
}

/** Positions in inbound topics. */
export function createInboundOffsets({ reads }: Database): InboundOffsets {
  return {
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

/** Messages that were rejected. */
export function createRejectedMessages({ reads }: Database): RejectedMessages {
  return {
    keep: async ({ clusterId, topicId, topic, partition, offset, key, value, headers, sentAt }, reason, problem) => {
      const flat = headers.flatMap(([name, text]) => [name ?? Buffer.alloc(0), text ?? Buffer.alloc(0)]);
      await reads.query(KEEP, [
        ...[clusterId, topicId, topic, partition, String(offset)],
        ...[key, value, flat, sentAt, reason, problem],
      ]);
    },
  };
}
