/**
 * The one way to a database, embedded or given by URL. Two small pools, so that readers can never keep the journal waiting:
 * `journal` for claims, leases and the group commit, `reads` for what callers ask.
 *
 * Nothing hangs: connecting, waiting for a connection, statements, locks and idle transactions all have an end. After a timeout on this side
 * the connection is closed, because its answer may still come. Errors leave this file judged (sqlstate.ts).
 */
import type { Client, ClientBase, PoolClient, PoolConfig } from "pg";
import type { Log } from "../../base/log.ts";
import type { EmbeddedConnection } from "../embedded/embedded-postgres.ts";
import { parseDatabaseUrl } from "./database-url.ts";
import { isPooled, pooledMode, refusesParameters, type SessionSettings } from "./pooler.ts";
import type { SqlPool, SqlSession } from "./sql.ts";
import { createSqlPool, createTypes, openSession, type StatementMode } from "./sql-runner.ts";
import { storeFailureOf, toStoreError } from "./sqlstate.ts";

/** An open database. */
export interface Database {
  readonly journal: SqlPool;
  readonly reads: SqlPool;
  /** Opens a connection of its own, with settings that hold for all its statements. */
  openSession(purpose: string, timeouts?: Partial<DatabaseTimeouts>, settings?: SessionSettings): Promise<SqlSession>;
  /** Calls `listener` with each error that says that the disk of the database is full. */
  onFull(listener: (error: unknown) => void): void;
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
  /** False: nothing is prepared, as behind a pooler. True when absent. */
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
  const fullListeners: ((error: unknown) => void)[] = [];
  const failed = (error: unknown): void => {
    if (storeFailureOf(error)?.kind === "full") for (const listener of fullListeners) listener(error);
  };
  /** Known from the first connection on. */
  let pooled = false;
  const foundPooler = (): void => {
    if (pooled) return;
    pooled = true;
    log.info(
      "the database is reached through a pooler: each statement is a transaction with its own settings, and nothing is prepared",
    );
  };
  const config = (purpose: string, limits: DatabaseTimeouts): PoolConfig => ({
    ...target,
    ...toDriverTimeouts(limits, !pooled),
    types,
    application_name: `orchestrator ${purpose}`,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  const modeOf = (limits: DatabaseTimeouts, settings: SessionSettings = {}): StatementMode =>
    pooled && limits.statementMs > 0
      ? pooledMode({ ...toSettings(limits), ...settings })
      : { usePrepared: usePrepared && !pooled, prelude: null };
  const look = async (client: ClientBase): Promise<void> => {
    // Only a server that others run can have a pooler before it.
    if (typeof options.target === "string" && !pooled && (await isPooled(client))) foundPooler();
  };
  const open = (name: PoolName, max: number) => {
    const make = () => {
      const made = new pg.Pool({
        ...config(name, timeouts),
        max,
        idleTimeoutMillis: 30_000,
        verify: (client, done) => void look(client).then(() => done(), done),
      });
      // Without listeners the loss of an idle connection would end the process.
      made.on("error", ({ message }) => {
        // The error itself carries the whole client. At a close the server may be gone before the last socket is.
        if (!closing) log.warn("an idle database connection was lost", { pool: name, problem: message });
        troubled();
      });
      made.on("connect", (client) => client.on("error", () => {}));
      return made;
    };
    const pool = make();
    const connect = async (): Promise<PoolClient> => {
      try {
        return await pool.connect();
      } catch (error) {
        if (!refusesParameters(error)) throw error;
        foundPooler();
        // The pool makes its connections from these.
        Object.assign(pool.options, NO_PARAMETERS);
        return pool.connect();
      }
    };
    const waited = (waitedMs: number): void => options.onWait?.(name, waitedMs);
    const mode = (): StatementMode => modeOf(timeouts);
    return { pool, sql: createSqlPool(pool, connect, mode, { waited, troubled, failed }) };
  };
  const connectAlone = async (purpose: string, limits: DatabaseTimeouts): Promise<Client> => {
    const client = new pg.Client(config(purpose, limits));
    // Without a listener a connection that breaks would end the process.
    client.on("error", () => {});
    try {
      await client.connect();
      await look(client);
      return client;
    } catch (error) {
      if (pooled || !refusesParameters(error)) {
        // It is broken already; the caller hears of the error that broke it.
        void client.end().catch(() => {});
        throw toStoreError(error, "connect");
      }
      foundPooler();
      return connectAlone(purpose, limits);
    }
  };
  const journal = open("journal", options.journalConnections ?? 4);
  const reads = open("reads", options.readConnections ?? 8);
  return {
    journal: journal.sql,
    reads: reads.sql,
    openSession: async (purpose, own, settings = {}) => {
      const limits = { ...timeouts, ...own };
      const session = openSession(await connectAlone(purpose, limits), () => modeOf(limits, settings), failed);
      if (!session.pooled)
        for (const [name, value] of Object.entries(settings)) await session.query(`SET ${name} = ${value}`);
      return session;
    },
    onFull: (listener) => {
      fullListeners.push(listener);
    },
    onTrouble: (listener) => {
      troubleListeners.push(listener);
    },
    close: async () => {
      closing = true;
      await Promise.all([journal.pool.end(), reads.pool.end()]);
    },
  };
}

function toDriverTimeouts(limits: DatabaseTimeouts, withParameters: boolean) {
  return {
    connectionTimeoutMillis: limits.connectMs,
    query_timeout: limits.answerMs,
    ...(withParameters
      ? {
          statement_timeout: limits.statementMs,
          lock_timeout: limits.lockMs,
          idle_in_transaction_session_timeout: limits.idleInTransactionMs,
        }
      : {}),
  };
}

/** Takes the startup parameters out of the options of a pool. */
const NO_PARAMETERS = { statement_timeout: 0, lock_timeout: 0, idle_in_transaction_session_timeout: 0 };

function toSettings(limits: DatabaseTimeouts): SessionSettings {
  return {
    statement_timeout: String(limits.statementMs),
    lock_timeout: String(limits.lockMs),
    idle_in_transaction_session_timeout: String(limits.idleInTransactionMs),
  };
}
