/** Removes operations that ended long ago, with their journals. Operations that have not ended are never touched. */
import type { Log } from "../../base/log.ts";
import { keepRecent, type Retention } from "../retention.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

/** Operations that one statement removes. */
const BATCH = 500;

// Several instances may remove at once: each takes what the others have not locked.
const REMOVE = prepared(
  "operations.remove",
  `WITH old AS (
    SELECT operation_id FROM orchestrator.operations
    WHERE ended_at < clock_timestamp() - $1::float8 * interval '1 millisecond' LIMIT $2 FOR UPDATE SKIP LOCKED
  ),
  gone AS (
    DELETE FROM orchestrator.operations o USING old WHERE o.operation_id = old.operation_id RETURNING o.operation_id, o.run_day
  ),
  journal AS (
    DELETE FROM orchestrator.journal j USING gone g WHERE j.run_day = g.run_day AND j.run_id = g.operation_id
  )
  SELECT count(*)::int4 AS removed FROM gone`,
);

/**
 * Removes the operations that ended more than `retentionMs` ago by the database's clock. Resolves with their number.
 */
export async function removeOldOperations(
  database: Database,
  retentionMs: number,
  isStopping: () => boolean = () => false,
): Promise<number> {
  let total = 0;
  for (;;) {
    const { rows } = await database.journal.query<{ removed: number }>(REMOVE, [retentionMs, BATCH]);
    const removed = rows[0]?.removed ?? 0;
    total += removed;
    if (removed < BATCH || isStopping()) return total;
  }
}

/** Removes old operations from time to time; see {@link keepRecent}. */
export function keepRecentOperations(database: Database, retentionMs: number, log: Log): Retention {
  return keepRecent(
    "operations",
    (isStopping) => removeOldOperations(database, retentionMs, isStopping),
    retentionMs,
    log,
  );
}
