/**
 * Partitions as they are taken to be read, and messages that may have killed their reader. The deaths of readers are
 * those of owners (docs/adr/0011): a message explains the death of a reader that had it in progress, until it passes.
 */
import type {
  MessageDeaths,
  MessagePlace,
  MessageSuspects,
  PartitionReaders,
  TakenPartition,
} from "../../engine/ports/bus/suspects.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

// The reader before has died, or has lost the partition, if it has not given it back. What lies before the position has
// passed.
const TAKE = prepared(
  "kafka_offsets.take",
  `WITH before AS MATERIALIZED (
    SELECT k.partition, k.next_offset, k.generation, k.taken_offset, l.incarnation,
      CASE WHEN k.reader <> l.incarnation THEN k.reader END AS dead
    FROM orchestrator.kafka_offsets k
    JOIN unnest($3::int4[], $4::int2[], $5::int4[]) AS w (partition, shard, epoch) ON w.partition = k.partition
    LEFT JOIN orchestrator.shard_leases l ON l.shard = w.shard AND l.epoch = w.epoch
    WHERE k.cluster_id = $1 AND k.topic_id = $2 ORDER BY k.partition FOR UPDATE OF k
  ),
  taken AS (
    UPDATE orchestrator.kafka_offsets k SET reader = b.incarnation, taken_offset = b.next_offset FROM before b
    WHERE k.cluster_id = $1 AND k.topic_id = $2 AND k.partition = b.partition AND b.incarnation IS NOT NULL
  ),
  known AS MATERIALIZED (
    SELECT s.partition, s.message_offset, b.dead, s.message_offset >= b.next_offset AS waits,
      s.in_progress AND b.dead IS NOT NULL AND s.message_offset >= b.next_offset AS died,
      s.deaths + (s.in_progress AND b.dead IS NOT NULL)::int AS deaths, s.others_deaths
    FROM orchestrator.kafka_suspects s JOIN before b ON b.partition = s.partition
    WHERE s.cluster_id = $1 AND s.topic_id = $2
  ),
  passed AS (
    DELETE FROM orchestrator.kafka_suspects s USING known k
    WHERE s.cluster_id = $1 AND s.topic_id = $2 AND s.partition = k.partition AND s.message_offset = k.message_offset
      AND (k.deaths = 0 OR NOT k.waits)
  ),
  counted AS (
    UPDATE orchestrator.kafka_suspects s SET in_progress = false, deaths = k.deaths FROM known k
    WHERE s.cluster_id = $1 AND s.topic_id = $2 AND s.partition = k.partition AND s.message_offset = k.message_offset
      AND k.deaths > 0 AND k.waits
  ),
  explained AS (
    INSERT INTO orchestrator.owner_deaths AS d (incarnation, run_id, moment, explained)
    SELECT DISTINCT ON (dead) dead, $2 || '/' || partition || '/' || message_offset, 'message', true
    FROM known WHERE died ORDER BY dead, partition, message_offset
    ON CONFLICT (incarnation) DO UPDATE SET run_id = excluded.run_id, moment = excluded.moment, explained = true
    WHERE d.run_id IS NULL
  )
  SELECT b.partition, b.next_offset::text AS next_offset, b.generation, b.incarnation AS reader,
    coalesce(b.dead IS NOT NULL AND b.taken_offset = b.next_offset, false) AS stood,
    ARRAY(SELECT k.message_offset::text FROM known k
      WHERE k.partition = b.partition AND k.waits AND k.deaths > 0 ORDER BY k.message_offset) AS suspects,
    ARRAY(SELECT k.deaths FROM known k
      WHERE k.partition = b.partition AND k.waits AND k.deaths > 0 ORDER BY k.message_offset) AS deaths,
    ARRAY(SELECT k.others_deaths FROM known k
      WHERE k.partition = b.partition AND k.waits AND k.deaths > 0 ORDER BY k.message_offset) AS others,
    (SELECT count(*)::int FROM orchestrator.owner_deaths d
      WHERE NOT d.explained AND d.died_at > clock_timestamp() - interval '10 minutes'
        AND d.incarnation NOT IN (SELECT dead FROM known WHERE died)) AS unexplained
  FROM before b ORDER BY b.partition`,
);

const GIVE_BACK = prepared(
  "kafka_offsets.give_back",
  `WITH given AS (
    UPDATE orchestrator.kafka_offsets k SET reader = NULL
    FROM unnest($1::text[], $2::text[], $3::int4[], $4::text[]) AS w (cluster_id, topic_id, partition, reader)
    WHERE k.cluster_id = w.cluster_id AND k.topic_id = w.topic_id AND k.partition = w.partition AND k.reader = w.reader
    RETURNING k.cluster_id, k.topic_id, k.partition
  )
  UPDATE orchestrator.kafka_suspects s SET in_progress = false FROM given g
  WHERE s.cluster_id = g.cluster_id AND s.topic_id = g.topic_id AND s.partition = g.partition AND s.in_progress`,
);

// One statement for each message that is tried: the previous one has passed, and the next one is now on trial. A
// message accounts for no death any more once it has passed.
const NAME = prepared(
  "kafka_suspects.name",
  `WITH passed AS (
    DELETE FROM orchestrator.kafka_suspects
    WHERE cluster_id = $5 AND topic_id = $6 AND partition = $7 AND message_offset = $8
    RETURNING topic_id, partition, message_offset, deaths
  ),
  withdrawn AS (
    UPDATE orchestrator.owner_deaths d SET explained = false FROM passed p
    WHERE p.deaths > 0 AND d.run_id = p.topic_id || '/' || p.partition || '/' || p.message_offset
      AND d.moment = 'message' AND d.explained
  )
  INSERT INTO orchestrator.kafka_suspects (cluster_id, topic_id, partition, message_offset, in_progress)
  SELECT $1, $2, $3, $4, true WHERE $4::int8 IS NOT NULL
  ON CONFLICT (cluster_id, topic_id, partition, message_offset) DO UPDATE SET in_progress = true`,
);

const OTHER_DIED = prepared(
  "kafka_suspects.other_died",
  `UPDATE orchestrator.kafka_suspects SET deaths = deaths + 1, others_deaths = others_deaths + 1
  WHERE cluster_id = $1 AND topic_id = $2 AND partition = $3 AND message_offset = $4 AND in_progress`,
);

const FORGET = prepared(
  "kafka_suspects.forget",
  `DELETE FROM orchestrator.kafka_suspects
  WHERE cluster_id = $1 AND topic_id = $2 AND partition = $3 AND message_offset = $4`,
);

interface TakenRow {
  readonly partition: number;
  readonly next_offset: string;
  readonly generation: number;
  readonly reader: string | null;
  readonly stood: boolean;
  readonly suspects: readonly string[];
  readonly deaths: readonly number[];
  readonly others: readonly number[];
  readonly unexplained: number;
}

/** Who reads partitions. */
export function createPartitionReaders({ reads }: Database): PartitionReaders {
  return {
    take: async ({ clusterId, topicId, topic }, partitions) => {
      const { rows } = await reads.query<TakenRow>(TAKE, [
        ...[clusterId, topicId, partitions.map(({ partition }) => partition)],
        ...[partitions.map(({ shard }) => shard), partitions.map(({ epoch }) => epoch)],
      ]);
      return rows.map(
        ({ partition, next_offset, generation, reader, stood, unexplained, ...row }): TakenPartition => ({
          ...{ clusterId, topicId, topic, partition, generation, reader, stood, unexplained },
          nextOffset: BigInt(next_offset),
          deaths: new Map(row.suspects.map((offset, index) => [BigInt(offset), toDeaths(row, index)])),
        }),
      );
    },
    giveBack: async (partitions) => {
      await reads.query(GIVE_BACK, [
        partitions.map(({ clusterId }) => clusterId),
        partitions.map(({ topicId }) => topicId),
        partitions.map(({ partition }) => partition),
        partitions.map(({ reader }) => reader),
      ]);
    },
  };
}

/** Messages that are tried alone. */
export function createMessageSuspects({ reads }: Database): MessageSuspects {
  const name = async (next: MessagePlace | null, passed: MessagePlace | null): Promise<void> => {
    await reads.query(NAME, [...keyOf(next), ...keyOf(passed)]);
  };
  return {
    name: async (next, passed) => {
      // One statement cannot delete a row and insert it again.
      const isSame = next !== null && passed !== null && String(keyOf(next)) === String(keyOf(passed));
      if (isSame) await name(null, passed);
      await name(next, isSame ? null : passed);
    },
    otherDied: async (message) => {
      await reads.query(OTHER_DIED, keyOf(message));
    },
    forget: async (message) => {
      await reads.query(FORGET, keyOf(message));
    },
  };
}

function toDeaths({ deaths, others: ofOthers }: Pick<TakenRow, "deaths" | "others">, index: number): MessageDeaths {
  const others = ofOthers[index] ?? 0;
  return { readers: (deaths[index] ?? 0) - others, others };
}

function keyOf(place: MessagePlace | null): readonly (string | number | null)[] {
  if (place === null) return [null, null, null, null];
  return [place.clusterId, place.topicId, place.partition, String(place.offset)];
}
