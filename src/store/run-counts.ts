/**
 * Compacts counts: folds the changes that statements added to `run_count_changes` and `waiting_count_changes` into
 * `run_counts` and `waiting_counts`. Sums are the same before and after; see the views `run_totals` and
 * `waiting_parts`. If an instance dies, the next fold of any instance picks up its changes.
 *
 *   quiet ──touch──→ waiting (a second) ──→ folding ──→ quiet
 *
 * Nothing happens while no headers are written.
 */
import type { Log } from "../base/log.ts";
import type { Database } from "./sql/pool.ts";
import { prepared } from "./sql/sql.ts";

/** Time from a change to its fold, milliseconds. */
const FOLD_AFTER_MS = 1_000;

/**
 * A fold waits for this multiple of the duration of the previous one. A transaction that stays open for hours keeps
 * folded rows on disk, and each fold scans over them.
 */
const REST = 20;

// The lock lets one instance fold at a time: two that lock rows in different orders would deadlock. An instance that
// does not get the lock leaves the fold to its holder.
const FOLD = prepared(
  "counts.fold",
  `WITH folder AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(7310416283) AS is_first),
  folded AS (
    DELETE FROM orchestrator.run_count_changes WHERE (SELECT is_first FROM folder) RETURNING tenant_id, flow_id, version, state, count
  ),
  kept AS (
    INSERT INTO orchestrator.run_counts AS c (tenant_id, flow_id, version, state, count)
    SELECT tenant_id, flow_id, version, state, sum(count) FROM folded GROUP BY tenant_id, flow_id, version, state
    ON CONFLICT (tenant_id, flow_id, version, state) DO UPDATE SET count = c.count + excluded.count
  )
  SELECT EXISTS (SELECT FROM orchestrator.waiting_count_changes) AS "hasWaiting"`,
);

const LOCK_WAITING = prepared("waiting_counts.lock", "SELECT pg_try_advisory_xact_lock(7310416284) AS is_first");

const FOLD_WAITING = prepared(
  "waiting_counts.fold",
  `WITH folded AS (
    DELETE FROM orchestrator.waiting_count_changes RETURNING tenant_id, queue, handler, labels, rank, held, deferred, count
  )
  INSERT INTO orchestrator.waiting_counts AS c (tenant_id, queue, handler, labels, rank, held, deferred, count)
  SELECT tenant_id, queue, handler, labels, rank, held, deferred, sum(count) FROM folded
  GROUP BY tenant_id, queue, handler, labels, rank, held, deferred HAVING sum(count) <> 0
  ON CONFLICT (tenant_id, queue, handler, labels, rank, held, deferred) DO UPDATE SET count = c.count + excluded.count`,
);

/** Handlers, labels, and priorities are the user's: their lines must not stay forever. */
const DROP_EMPTY = prepared("waiting_counts.drop", "DELETE FROM orchestrator.waiting_counts WHERE count = 0");

/** Handle of the background job that folds counts. */
export interface RunCounts {
  /** Reports that headers were written. Cheap: called after every batch. */
  touch(): void;
  /** Folds what is left, if anything, and stops. */
  stop(): Promise<void>;
}

/**
 * Starts the background job. A failed fold is logged and retried after the next change. Counts are exact in any case.
 */
export function keepRunCounts(database: Database, log: Log): RunCounts {
  let timer: NodeJS.Timeout | null = null;
  let folding: Promise<void> = Promise.resolve();
  let delayMs = FOLD_AFTER_MS;
  const fold = async (): Promise<void> => {
    timer = null;
    const startedAt = performance.now();
    try {
      if (await foldRunCounts(database)) await foldWaitingCounts(database);
    } catch (error) {
      log.warn("counts could not be folded; they stay exact and are read more slowly", { error });
    }
    delayMs = Math.max(FOLD_AFTER_MS, REST * (performance.now() - startedAt));
  };
  const startFold = (): void => {
    folding = folding.then(fold);
  };
  return {
    touch: () => {
      timer ??= setTimeout(startFold, delayMs).unref();
    },
    stop: async () => {
      await folding;
      if (timer === null) return;
      clearTimeout(timer);
      await fold();
    },
  };
}

/**
 * Folds all pending changes, unless another instance is doing so. Returns whether there are changes of waiting tasks:
 * most runs have none, and the four statements of a fold are saved.
 */
export async function foldRunCounts(database: Database): Promise<boolean> {
  return (await database.journal.query<{ hasWaiting: boolean }>(FOLD)).rows[0]?.hasWaiting ?? false;
}

/** Folds all pending changes of waiting tasks, unless another instance is doing so. */
export async function foldWaitingCounts({ journal }: Database): Promise<void> {
  await journal.transaction(async (runner) => {
    const { rows } = await runner.query<{ is_first: boolean }>(LOCK_WAITING);
    if (rows[0]?.is_first !== true) return;
    const { count } = await runner.query(FOLD_WAITING);
    if (count > 0) await runner.query(DROP_EMPTY);
  });
}
