/**
 * Removes what is kept for operators only, when it is old: messages that could not be applied or sent, who moved
 * positions, who sent messages again, and the last events of triggers. A message that could not be sent stays until
 * its task has failed.
 */
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

/** Rows that one statement removes. */
const BATCH = 500;

// Several instances may remove at once: each takes what the others have not locked.
const removal = (table: string, key: string, time: string, condition = "true") =>
  prepared(
    `${table}.remove_old`,
    `WITH old AS (
      SELECT ${key} FROM orchestrator.${table}
      WHERE ${time} < clock_timestamp() - $1::float8 * interval '1 millisecond' AND ${condition}
      ORDER BY ${time} LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    DELETE FROM orchestrator.${table} WHERE (${key}) IN (SELECT ${key} FROM old)`,
  );

const REMOVALS = [
  removal("rejected_messages", "cluster_id, topic_id, partition, message_offset", "rejected_at"),
  removal("outbox_rejected", "shard, id", "rejected_at", "settled"),
  removal("kafka_rewinds", "id", "created_at"),
  removal("undelivered_changes", "id", "created_at"),
  removal("trigger_events", "tenant_id, trigger_id, outcome, id", "received_at"),
];

/** Removes what is older than `retentionMs` by the database's clock. Resolves with the number of rows. */
export async function removeOldMessages(
  database: Database,
  retentionMs: number,
  isStopping: () => boolean = () => false,
): Promise<number> {
  let total = 0;
  for (const remove of REMOVALS) {
    let removed = BATCH;
    while (removed === BATCH && !isStopping()) {
      removed = (await database.journal.query(remove, [retentionMs, BATCH])).count;
      total += removed;
    }
  }
  return total;
}
