/**
 * The only access to a database, embedded or given by URL. There are two small pools, so that readers can never make
 * the journal wait: `journal` for claims, leases, and the group commit, `reads` for the queries of callers. Each has
 * half as many connections again for statements that must not read whole tables: see `preparedByIndex`.
 *
 * Nothing hangs: connecting, waiting for a connection, statements, locks, and idle transactions all have timeouts.
 * After a timeout on this side the connection is closed, because its response may still arrive. Errors that leave this
 * file are classified (sqlstate.ts).
 */
import type { Client, ClientBase, PoolClient, PoolConfig } from "pg";
import type { Log } from "../../base/log.ts";
import type { EmbeddedConnection } from "../embedded/embedded-postgres.ts";
import { parseDatabaseUrl } from "./database-url.ts";
import { createListen, type Listen } from "./listen.ts";
import { isPooled, pooledMode, refusesParameters, type SessionSettings } from "./pooler.ts";
import type { SqlPool, SqlSession, SqlValue, Statement } from "./sql.ts";
import { createSqlPool, createTypes, openSession, type StatementMode } from "./sql-runner.ts";
import { storeFailureOf, toStoreError } from "./sqlstate.ts";

/** An open database. */
export interface Database {
  readonly journal: SqlPool;
  readonly reads: SqlPool;
  /** Opens a dedicated connection with settings that apply to all of its statements. */
  openSession(purpose: string, timeouts?: Partial<DatabaseTimeouts>, settings?: SessionSettings): Promise<SqlSession>;
  /** Hears announcements: on one dedicated connection, whatever the number of channels. */
  readonly listen: Listen;
  /** Calls `listener` with each error that reports that the disk of the database is full. */
  onFull(listener: (error: unknown) => void): void;
  /**
   * Calls `listener` when a pool connection, even an idle one, broke or could not be opened. Implies nothing about the
   * next one.
   */
  onTrouble(listener: () => void): void;
  close(): Promise<void>;
}

/** Timeouts for each kind of wait, milliseconds; 0 means none. */
export interface DatabaseTimeouts {
  /** For a connection, new or from the pool. */
  readonly connectMs: number;
  /** For a statement, at the server: it is rolled back, so the outcome is known. */
  readonly statementMs: number;
  /** For a response, on this side: longer than `statementMs`, for a server that has become unreachable. */
  readonly answerMs: number;
  /** For a lock, at the server. */
  readonly lockMs: number;
  /** For the next statement of an open transaction, at the server. */
  readonly idleInTransactionMs: number;
}

const DEFAULT_TIMEOUTS: DatabaseTimeouts = {
  connectMs: 5_000,
  statementMs: 10_000,
  answerMs: 12_000,
  lockMs: 5_000,
  idleInTransactionMs: 10_000,
};

export interface DatabaseOptions {
  /** A URL (see {@link parseDatabaseUrl}) or the connection of an embedded server. */
  readonly target: string | EmbeddedConnection;
  readonly log: Log;
  readonly timeouts?: Partial<DatabaseTimeouts>;
  /** Maximum number of connections; 4 and 8 by default. */
  readonly journalConnections?: number;
  readonly readConnections?: number;
  /** False: nothing is prepared, as behind a pooler. Defaults to true. */
  readonly prepareStatements?: boolean;
  /** Called with the time that callers waited for a connection, for the histogram. */
  readonly onWait?: (pool: PoolName, waitedMs: number) => void;
}

export type PoolName = "journal" | "reads";

/**
 * Opens the pools. Connections are opened on first use: a database that is down shows at the first statement. Throws
 * CONFIG_INVALID for an invalid URL.
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
  /** Known once the first connection is open. */
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
    // Only a server that others run can have a pooler in front of it.
    if (typeof options.target === "string" && !pooled && (await isPooled(client))) foundPooler();
  };
  const open = (name: PoolName, max: number, byIndex = false) => {
    const prepare = async (client: ClientBase): Promise<void> => {
      await look(client);
      if (byIndex && !pooled) await client.query("SET enable_seqscan = off");
    };
    const make = () => {
      const made = new pg.Pool({
        ...config(name, timeouts),
        max,
        // Longer than the pause between the duties of each minute: they do not open connections again.
        idleTimeoutMillis: 90_000,
        verify: (client, done) => void prepare(client).then(() => done(), done),
      });
      // Without a listener, the loss of an idle connection would end the process.
      made.on("error", ({ message }) => {
        // The error object references the whole client, so only its message is logged. During a close, the server may
        // be gone before the last socket is.
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
        // The pool creates its connections from these options.
        Object.assign(pool.options, NO_PARAMETERS);
        return pool.connect();
      }
    };
    const waited = (waitedMs: number): void => options.onWait?.(name, waitedMs);
    const mode = (): StatementMode => ({ ...modeOf(timeouts), byIndex: byIndex && !pooled });
    return { pool, sql: createSqlPool(pool, connect, mode, { waited, troubled, failed }) };
  };
  const connectAlone = async (purpose: string, limits: DatabaseTimeouts): Promise<Client> => {
    const client = new pg.Client(config(purpose, limits));
    // Without a listener, a broken connection would end the process.
    client.on("error", () => {});
    try {
      await client.connect();
      await look(client);
      return client;
    } catch (error) {
      if (pooled || !refusesParameters(error)) {
        // It is already broken; the caller gets the error that broke it.
        void client.end().catch(() => {});
        throw toStoreError(error, "connect");
      }
      foundPooler();
      return connectAlone(purpose, limits);
    }
  };
  const openBoth = (name: PoolName, max: number) => {
    const plain = open(name, max);
    const indexed = open(name, Math.ceil(max / 2), true);
    return { pools: [plain.pool, indexed.pool], sql: withIndexed(plain.sql, indexed.sql) };
  };
  const journal = openBoth("journal", options.journalConnections ?? 4);
  const reads = openBoth("reads", options.readConnections ?? 8);
  const openDedicated: Database["openSession"] = async (purpose, own, settings = {}) => {
    const limits = { ...timeouts, ...own };
    const session = openSession(await connectAlone(purpose, limits), () => modeOf(limits, settings), failed);
    if (!session.pooled)
      for (const [name, value] of Object.entries(settings)) await session.query(`SET ${name} = ${value}`);
    return session;
  };
  return {
    journal: journal.sql,
    reads: reads.sql,
    openSession: openDedicated,
    listen: createListen(() => openDedicated("announcements")),
    onFull: (listener) => {
      fullListeners.push(listener);
    },
    onTrouble: (listener) => {
      troubleListeners.push(listener);
    },
    close: async () => {
      closing = true;
      await Promise.all([...journal.pools, ...reads.pools].map((pool) => pool.end()));
    },
  };
}

/** `plain`, with the statements that read no whole tables on connections of `indexed`. */
function withIndexed(plain: SqlPool, indexed: SqlPool): SqlPool {
  return {
    query: <Row extends object>(statement: Statement | string, values?: readonly SqlValue[], signal?: AbortSignal) => {
      const isByIndex = typeof statement !== "string" && statement.byIndex === true;
      return (isByIndex ? indexed : plain).query<Row>(statement, values, signal);
    },
    transaction: (work) => plain.transaction(work),
    stats: () => {
      const [a, b] = [plain.stats(), indexed.stats()];
      return {
        ...{ open: a.open + b.open, idle: a.idle + b.idle, waiting: a.waiting + b.waiting },
        answeredAt: Math.max(a.answeredAt, b.answeredAt),
      };
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

/** Removes the startup parameters from the options of a pool. */
const NO_PARAMETERS = { statement_timeout: 0, lock_timeout: 0, idle_in_transaction_session_timeout: 0 };

function toSettings(limits: DatabaseTimeouts): SessionSettings {
  return {
    statement_timeout: String(limits.statementMs),
    lock_timeout: String(limits.lockMs),
    idle_in_transaction_session_timeout: String(limits.idleInTransactionMs),
  };
}
