/**
 * Keeps the counts of runs short: what statements added to `run_count_changes` is folded into `run_counts`. Sums are the same before and after, see the view `run_totals`;
 * an instance that dies leaves its changes to the next fold of anybody.
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

/** A fold waits for this many times what the one before took: a transaction that stays open for hours keeps folded rows on disk, and each fold reads over them. */
const REST = 20;

// The lock lets one instance fold at a time: two that lock rows in different orders would wait for each other for ever. Who comes second leaves it to the first.
const FOLD = prepared(
  "counts.fold",
  `WITH folder AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(7310416283) AS is_first),
  folded AS (
    DELETE FROM orchestrator.run_count_changes WHERE (SELECT is_first FROM folder) RETURNING tenant_id, flow_id, version, state, count
  )
  INSERT INTO orchestrator.run_counts AS c (tenant_id, flow_id, version, state, count)
  SELECT tenant_id, flow_id, version, state, sum(count) FROM folded GROUP BY tenant_id, flow_id, version, state
  ON CONFLICT (tenant_id, flow_id, version, state) DO UPDATE SET count = c.count + excluded.count`,
);

/** The duty that folds counts. */
export interface RunCounts {
  /** Headers were written. Cheap: called after every batch. */
  touch(): void;
  /** Folds what is left, if anything is, and ends. */
  stop(): Promise<void>;
}

/** Starts the duty. A fold that fails is logged and tried again after the next change: counts stay exact without. */
export function keepRunCounts(database: Database, log: Log): RunCounts {
  let timer: NodeJS.Timeout | null = null;
  let folding: Promise<void> = Promise.resolve();
  let delayMs = FOLD_AFTER_MS;
  const fold = async (): Promise<void> => {
    timer = null;
    const startedAt = performance.now();
    try {
      await foldRunCounts(database);
    } catch (error) {
      log.warn("counts of runs could not be folded; they stay exact and are read more slowly", { error });
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

/** Folds all changes there are, unless somebody else is at it. */
export async function foldRunCounts(database: Database): Promise<void> {
  await database.journal.query(FOLD);
}
