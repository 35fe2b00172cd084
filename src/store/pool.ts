/**
 * The one way to a database, embedded or given by URL. Two small pools, so that readers can never keep the journal waiting:
 * `journal` for claims, leases and the group commit, `reads` for what callers ask.
 *
 * Nothing hangs: connecting, waiting for a connection, statements, locks and idle transactions all have an end. After a timeout on this side
 * the connection is closed, because its answer may still come. Errors leave this file judged (sqlstate.ts).
 */
import type { PoolConfig } from "pg";
import type { Log } from "../base/log.ts";
import { parseDatabaseUrl } from "./database-url.ts";
import type { EmbeddedConnection } from "./embedded-postgres.ts";
import type { SqlPool, SqlSession } from "./sql.ts";
import { createSqlPool, createTypes, openSession } from "./sql-runner.ts";

/** An open database. */
export interface Database {
  readonly journal: SqlPool;
  readonly reads: SqlPool;
  openSession(purpose: string, timeouts?: Partial<DatabaseTimeouts>): Promise<SqlSession>;
  /** Calls `listener` when a connection of the pools broke or could not be made, also an idle one. Says nothing about the next. */
  onTrouble(listener: () => void): void;
  close(): Promise<void>;
}

/** When each kind of waiting ends, milliseconds; 0 is never. */
export interface DatabaseTimeouts {
  /** For a connection, new or from the pool. */
  readonly connectMs: number;
  /** For a statement, at the server: it is rolled back, the outcome is known. */
  readonly statementMs: number;
  /** For an answer, on this side: longer than `statementMs`, for a server that cannot be reached any more. */
  readonly answerMs: number;
  /** For a lock, at the server. */
  readonly lockMs: number;
  /** For the next statement of an open transaction, at the server. */
  readonly idleInTransactionMs: number;
}

/** Timeouts of the pools. */
const DEFAULT_TIMEOUTS: DatabaseTimeouts = {
  connectMs: 5_000,
  statementMs: 10_000,
  answerMs: 12_000,
  lockMs: 5_000,
  idleInTransactionMs: 10_000,
};

/** Where the database is and how it is used. */
export interface DatabaseOptions {
  /** A URL (see {@link parseDatabaseUrl}) or the connection of an embedded server. */
  readonly target: string | EmbeddedConnection;
  readonly log: Log;
  readonly timeouts?: Partial<DatabaseTimeouts>;
  /** Largest number of connections; 4 and 8. */
  readonly journalConnections?: number;
  readonly readConnections?: number;
  /** False behind a proxy that gives each transaction another connection (PgBouncer before 1.21). True when absent. */
  readonly prepareStatements?: boolean;
  /** Told how long callers waited for a connection, for the histogram. */
  readonly onWait?: (pool: PoolName, waitedMs: number) => void;
}

/** Names of the pools. */
export type PoolName = "journal" | "reads";

/**
 * Opens the pools. Connections are made when they are first needed: a database that is down shows at the first statement.
 * Throws CONFIG_INVALID for a URL that is none.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { default: pg } = await import("pg");
  const { log } = options;
  const usePrepared = options.prepareStatements ?? true;
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const target =
    typeof options.target === "string"
      ? { connectionString: parseDatabaseUrl(options.target) }
      : { ...options.target, password: "", ssl: false };
  const types = createTypes(pg.types);
  let closing = false;
  const troubleListeners: (() => void)[] = [];
  const troubled = (): void => {
    if (!closing) for (const listener of troubleListeners) listener();
  };
  const config = (purpose: string, limits: DatabaseTimeouts): PoolConfig => ({
    ...target,
    ...toDriverTimeouts(limits),
    types,
    application_name: `orchestrator ${purpose}`,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  const open = (name: PoolName, max: number) => {
    const pool = new pg.Pool({ ...config(name, timeouts), max, idleTimeoutMillis: 30_000 });
    // Without listeners the loss of an idle connection would end the process.
    pool.on("error", ({ message }) => {
      // The error itself carries the whole client. At a close the server may be gone before the last socket is.
      if (!closing) log.warn("an idle database connection was lost", { pool: name, problem: message });
      troubled();
    });
    pool.on("connect", (client) => client.on("error", () => {}));
    const waited = (waitedMs: number): void => options.onWait?.(name, waitedMs);
    return { pool, sql: createSqlPool(pool, usePrepared, { waited, troubled }) };
  };
  const journal = open("journal", options.journalConnections ?? 4);
  const reads = open("reads", options.readConnections ?? 8);
  return {
    journal: journal.sql,
    reads: reads.sql,
    openSession: (purpose, own) => openSession(new pg.Client(config(purpose, { ...timeouts, ...own })), usePrepared),
    onTrouble: (listener) => {
      troubleListeners.push(listener);
    },
    close: async () => {
      closing = true;
      await Promise.all([journal.pool.end(), reads.pool.end()]);
    },
  };
}

function toDriverTimeouts(limits: DatabaseTimeouts) {
  return {
    connectionTimeoutMillis: limits.connectMs,
    statement_timeout: limits.statementMs,
    query_timeout: limits.answerMs,
    lock_timeout: limits.lockMs,
    idle_in_transaction_session_timeout: limits.idleInTransactionMs,
  };
}
