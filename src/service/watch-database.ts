/**
 * Monitors whether the database answers, for health probes.
 *
 *   answers → checked when nothing was read for 15 s, when a connection breaks, and on a probe (at most once a
 *             second) → does not answer
 *   does not answer → checked every second → answers
 */
import type { HealthState } from "../api/health.ts";
import { toError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { ConnectionState } from "../base/net/connection-state.ts";
import type { Database } from "../store/sql/pool.ts";

/** Timing of checks of the database, milliseconds. */
export interface LookTimes {
  /** Interval while it answers. What others read meanwhile is as good as a check. */
  readonly everyMs: number;
  /** Interval while it does not answer, and between checks that probes request. */
  readonly againMs: number;
  /** Time limit of an answer. Statements have more; a database that takes this long for nothing cannot do its work. */
  readonly answerMs: number;
}

const TIMES: LookTimes = { everyMs: 15_000, againMs: 1_000, answerMs: 3_000 };

/**
 * Allocates disk space: 1 MB, which is free again when the statement has ended. Data that fits into existing pages is
 * written on a full disk too, so a smaller write proves nothing.
 */
const TAKE_ROOM =
  "CREATE TEMPORARY TABLE room ON COMMIT DROP AS SELECT md5(n::text) AS text FROM generate_series(1, 20000) AS n";

/**
 * Reports to health when the disk of the database is full and when there is room again; until then it is checked every
 * `againMs`. Returns the function that stops it.
 */
export function watchDisk(
  database: Pick<Database, "reads" | "onFull">,
  health: Pick<HealthState, "setDependency">,
  log: Log,
  { againMs } = TIMES,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  let isFull = false;
  let stopped = false;
  const lookLater = (): void => {
    if (!stopped) timer = setTimeout(() => void look(), againMs).unref();
  };
  const look = async (): Promise<void> => {
    try {
      await database.reads.query(TAKE_ROOM);
    } catch {
      // Still full, or unreachable, which others report.
      lookLater();
      return;
    }
    isFull = false;
    health.setDependency("disk", true);
    log.info("the disk of the database has room again");
  };
  database.onFull((error) => {
    if (isFull || stopped) return;
    isFull = true;
    health.setDependency("disk", false);
    log.error("the disk of the database is full; changes are refused until there is room", { error });
    lookLater();
  });
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/** A running watch of the database. */
export interface DatabaseWatch {
  readonly connection: ConnectionState;
  stop(): void;
}

/** Reports to health whether the database answers, with one small query at a time. */
export function watchDatabase(
  database: Pick<Database, "reads" | "onTrouble">,
  health: Pick<HealthState, "setDependency" | "setProbe">,
  log: Log,
  times = TIMES,
): DatabaseWatch {
  let connection: ConnectionState = { connected: true, since: Date.now(), problem: "" };
  let isReady = true;
  let stopped = false;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | null = null;
  /** Something failed during a check that may have begun earlier. */
  let looksAgain = false;
  let timer: NodeJS.Timeout | undefined;
  const schedule = (): void => {
    clearTimeout(timer);
    const isUrgent = looksAgain && isReady;
    looksAgain = false;
    const ms = isUrgent ? 0 : isReady ? times.everyMs : times.againMs;
    if (!stopped) timer = setTimeout(isUrgent || !isReady ? look : lookIfQuiet, ms).unref();
  };
  const lookIfQuiet = (): void => {
    const restMs = database.reads.stats().answeredAt + times.everyMs - performance.now();
    if (restMs > 0) timer = setTimeout(lookIfQuiet, restMs).unref();
    else void look();
  };
  const ask = async (): Promise<void> => {
    const error = await answerOf(database, times.answerMs);
    lookedAt = performance.now();
    looking = null;
    if (!stopped && (error === null) !== isReady) {
      isReady = error === null;
      const problem = isReady ? "" : error instanceof Error ? error.message : String(error);
      connection = { connected: isReady, since: Date.now(), problem };
      health.setDependency("database", isReady);
      if (isReady) log.info("the database answers again");
      else log.error("the database does not answer; calls are refused until it does", { error });
    }
    schedule();
  };
  const look = (): Promise<void> => {
    looking ??= ask();
    return looking;
  };
  health.setProbe(async () => {
    if (!stopped && performance.now() - lookedAt >= times.againMs) await look();
  });
  // One broken connection proves little, but it is a reason to check. While the database is unreachable, every
  // statement breaks one.
  database.onTrouble(() => {
    if (looking !== null) looksAgain = true;
    else if (isReady && !stopped) void look();
  });
  schedule();
  return {
    get connection() {
      return connection;
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** Returns what is wrong with the answer of the database; null when nothing is. */
async function answerOf(database: Pick<Database, "reads">, answerMs: number): Promise<unknown> {
  const patience = Promise.withResolvers<unknown>();
  const timer = setTimeout(() => patience.resolve(toError("STORE_TIMEOUT")), answerMs);
  const answer = database.reads.query("SELECT 1").then(
    () => null,
    (thrown: unknown) => thrown,
  );
  const first = await Promise.race([answer, patience.promise]);
  clearTimeout(timer);
  return first;
}
