/**
 * Removes the request ids of starts when they are old. A start that repeats one later is a new one.
 *
 * No index has the age of a row: it would cost every start a write, and be made under a lock at an upgrade. The table
 * is read instead, block by block, the whole of it about once a day. Rows of run ids stay: no id is used twice. So do
 * those of triggers, because a stranger may send a signed delivery again that has no time in it; see ADR 0103.
 */
import { TRIGGER_REQUESTS } from "../base/ids.ts";
import type { Database } from "./sql/pool.ts";
import { prepared } from "./sql/sql.ts";

/** Blocks that one statement reads: 2 MB, with at most some 20,000 rows. */
const STATEMENT_BLOCKS = 256;

/** Calls in which the whole table is read: a day, as a call comes every hour. */
const CALLS_PER_PASS = 24;

const MEASURE = prepared(
  "starts.blocks",
  "SELECT ceil(pg_relation_size('orchestrator.starts')::float8 / current_setting('block_size')::int4)::int4 AS blocks",
);

const REMOVE = prepared(
  "starts.remove_old",
  `WITH gone AS (
    DELETE FROM orchestrator.starts s
    WHERE s.ctid >= $1::tid AND s.ctid < $2::tid AND s.kind = 'request' AND NOT starts_with(s.key, '${TRIGGER_REQUESTS}')
      AND s.created_at < clock_timestamp() - $3::float8 * interval '1 millisecond'
    RETURNING s.tenant_id, s.kind, s.key, s.run_id
  ),
  void AS (
    DELETE FROM orchestrator.void_starts v USING gone g
    WHERE v.tenant_id = g.tenant_id AND v.kind = g.kind AND v.key = g.key AND v.run_id = g.run_id
  )
  SELECT count(*)::int4 AS removed FROM gone`,
);

/**
 * Creates the removal of what is older than `retentionMs` by the database's clock. Each call reads a part of the table,
 * and resolves with the number of rows that it removed.
 */
export function createRequestIdRemoval(
  { journal }: Database,
  retentionMs: number,
): (isStopping?: () => boolean) => Promise<number> {
  /** The block to go on with. It begins anywhere: an instance that is replaced every day gets to all of them, too. */
  let next: number | null = null;
  return async (isStopping = () => false) => {
    const { rows } = await journal.query<{ readonly blocks: number }>(MEASURE);
    const blocks = rows[0]?.blocks ?? 0;
    next ??= Math.floor(Math.random() * blocks);
    if (next >= blocks) next = 0;
    const end = Math.min(next + Math.ceil(blocks / CALLS_PER_PASS), blocks);
    let total = 0;
    while (next < end && !isStopping()) {
      const to = Math.min(next + STATEMENT_BLOCKS, end);
      const gone = await journal.query<{ readonly removed: number }>(REMOVE, [`(${next},0)`, `(${to},0)`, retentionMs]);
      total += gone.rows[0]?.removed ?? 0;
      next = to;
    }
    return total;
  };
}
