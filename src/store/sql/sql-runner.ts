import type { Client, ClientBase, CustomTypesConfig, Pool, PoolClient } from "pg";
import { invariant } from "../../base/errors.ts";
import { cancelStatement } from "./cancel-statement.ts";
import type { SqlPool, SqlResult, SqlRunner, SqlSession, SqlValue, Statement } from "./sql.ts";
import { type StorePhase, storeFailureOf, toStoreError } from "./sqlstate.ts";

/** OIDs of the types for which we have our own parsers. */
const OID = { int8: 20, date: 1_082, timestamp: 1_114, timestamptz: 1_184 } as const;

/** How values are parsed; see {@link SqlRunner.query}. `standard` has the driver's own parsers. */
export function createTypes(standard: CustomTypesConfig): CustomTypesConfig {
  const parseTime = standard.getTypeParser(OID.timestamptz, "text") as (text: string) => Date | number;
  const own = new Map<number, (text: string) => unknown>([
    [OID.int8, parseInt8],
    [OID.date, (text) => text],
    [OID.timestamp, (text) => text],
    [OID.timestamptz, (text) => toMilliseconds(text, parseTime)],
  ]);
  // The driver's type has one overload for each known type; ours handles all of them.
  const getTypeParser = (oid: number, format?: "text" | "binary") =>
    own.get(oid) ?? standard.getTypeParser(oid, format as "text");
  return { getTypeParser: getTypeParser as CustomTypesConfig["getTypeParser"] };
}

/** 400 years of the calendar, after which its days repeat. */
const CYCLE_YEARS = 400;
const CYCLE_MS = 146_097 * 86_400_000;

/**
 * Milliseconds of a time, `infinity` included. A year after 275760, the last of a Date, is read as one some cycles
 * earlier, and rounded down to a second: a number of milliseconds is too coarse there, and the last one of PostgreSQL
 * would be none when a list continues behind it.
 */
function toMilliseconds(text: string, parse: (text: string) => Date | number): number {
  const ms = Number(parse(text));
  if (!Number.isNaN(ms)) return ms;
  const end = text.indexOf("-");
  const year = Number(text.slice(0, end));
  const cycles = Math.ceil((year - 200_000) / CYCLE_YEARS);
  const earlier = Number(parse(`${year - cycles * CYCLE_YEARS}${text.slice(end)}`));
  return Math.floor(earlier / 1_000) * 1_000 + cycles * CYCLE_MS;
}

function parseInt8(text: string): number {
  const value = Number(text);
  invariant(Number.isSafeInteger(value), `int8 ${text} does not fit a number; select it as text`);
  return value;
}

/**
 * How statements are sent to a server, or to a pooler that may use a different server connection for each transaction.
 */
export interface StatementMode {
  readonly usePrepared: boolean;
  /** The session is set to read no whole tables. */
  readonly byIndex?: boolean;
  /**
   * Start of each transaction, because the next one may be on another connection; null if the session keeps its
   * settings. Otherwise every statement is a transaction of three parts.
   */
  readonly prelude: string | null;
}

/** Runs a statement on one connection and classifies its errors. */
async function run<Row extends object>(
  client: ClientBase,
  usePrepared: boolean,
  phase: StorePhase,
  statement: Statement | string,
  values: readonly SqlValue[] | undefined,
): Promise<SqlResult<Row>> {
  try {
    const text = typeof statement === "string" ? statement : statement.text;
    const parameters = values as SqlValue[] | undefined;
    const result =
      typeof statement === "string" || !usePrepared
        ? await client.query<Row>(text, parameters)
        : await client.query<Row>({ name: statement.name, text, ...(parameters && { values: parameters }) });
    return { rows: result.rows, count: result.rowCount ?? 0 };
  } catch (error) {
    throw toStoreError(error, phase);
  }
}

/**
 * Whether the connection that threw this must be discarded. An error of unknown origin says nothing about the
 * connection, so it is discarded too.
 */
function isSpoiled(error: unknown): boolean {
  return storeFailureOf(error)?.connectionLost ?? true;
}

/** Callbacks for events of a pool. */
export interface PoolListener {
  /** Time that a call waited for its connection. */
  waited(ms: number): void;
  /** A connection broke or could not be opened. */
  troubled(): void;
  /** A statement failed. */
  failed(error: unknown): void;
}

/** Implements the port on one `pg` pool. */
export function createSqlPool(
  pool: Pool,
  connect: () => Promise<PoolClient>,
  mode: () => StatementMode,
  listener: PoolListener,
): SqlPool {
  const acquire = async (): Promise<PoolClient> => {
    const startedAt = performance.now();
    try {
      return await connect();
    } catch (error) {
      listener.troubled();
      throw toStoreError(error, "connect");
    } finally {
      listener.waited(performance.now() - startedAt);
    }
  };
  let answeredAt = Number.NEGATIVE_INFINITY;
  return {
    async query<Row extends object>(
      statement: Statement | string,
      values?: readonly SqlValue[],
      signal?: AbortSignal,
    ): Promise<SqlResult<Row>> {
      const client = await acquire();
      let cancelled: Promise<void> | null = null;
      const cancel = (): void => {
        cancelled = cancelStatement(client);
      };
      let spoiled = false;
      signal?.addEventListener("abort", cancel);
      try {
        signal?.throwIfAborted();
        const result = await runAlone<Row>(client, mode(), statement, values);
        answeredAt = performance.now();
        return result;
      } catch (error) {
        listener.failed(error);
        // If a call was aborted before its statement was sent, the connection is still good.
        spoiled = error !== signal?.reason && (isSpoiled(error) || !isIdle(client));
        if (spoiled) listener.troubled();
        throw signal?.aborted === true ? signal.reason : error;
      } finally {
        signal?.removeEventListener("abort", cancel);
        // Wait before the connection is reused: the cancel request must not hit the statement of the next user.
        if (cancelled !== null) await cancelled;
        client.release(spoiled);
      }
    },
    async transaction<T>(work: (runner: SqlRunner) => Promise<T>): Promise<T> {
      const client = await acquire();
      let spoiled = false;
      try {
        return await runTransaction(client, mode(), work);
      } catch (error) {
        listener.failed(error);
        spoiled = storeFailureOf(error)?.connectionLost ?? false;
        if (spoiled) listener.troubled();
        throw error;
      } finally {
        client.release(spoiled || !isIdle(client));
      }
    },
    stats: () => ({ open: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount, answeredAt }),
  };
}

/** Settings of a transaction with one statement that reads no whole tables. */
const LOCALLY_BY_INDEX = "SET LOCAL enable_seqscan = off; SET LOCAL idle_in_transaction_session_timeout = '2s'";

/** Runs one statement as its own transaction. */
async function runAlone<Row extends object>(
  client: ClientBase,
  mode: StatementMode,
  statement: Statement | string,
  values: readonly SqlValue[] | undefined,
): Promise<SqlResult<Row>> {
  const { usePrepared } = mode;
  const needsSettings = typeof statement !== "string" && statement.byIndex === true && mode.byIndex !== true;
  const preludes = [mode.prelude, needsSettings ? LOCALLY_BY_INDEX : null].filter((part) => part !== null);
  if (preludes.length === 0) return run<Row>(client, usePrepared, "statement", statement, values);
  const prelude = preludes.join("; ");
  return runTransaction(client, { usePrepared, prelude }, (runner) => runner.query<Row>(statement, values));
}

async function runTransaction<T>(
  client: ClientBase,
  { usePrepared, prelude }: StatementMode,
  work: (runner: SqlRunner) => Promise<T>,
): Promise<T> {
  await run(client, usePrepared, "inside", prelude === null ? "BEGIN" : `BEGIN; ${prelude}`, undefined);
  let result: T;
  try {
    result = await work({ query: (statement, values) => run(client, usePrepared, "inside", statement, values) });
  } catch (error) {
    // If this fails too, the connection is closed, and the transaction with it.
    if (storeFailureOf(error)?.connectionLost !== true) await client.query("ROLLBACK").catch(() => {});
    throw error;
  }
  await commit(client);
  return result;
}

async function commit(client: ClientBase): Promise<void> {
  const { command } = await client.query("COMMIT").catch((error: unknown) => {
    throw toStoreError(error, "commit");
  });
  // The server answers the COMMIT of a failed transaction with ROLLBACK and no error.
  invariant(
    command === "COMMIT",
    "a statement of the transaction failed and the failure was swallowed; nothing was committed",
  );
}

/** Whether the server has no open transaction on this connection. */
function isIdle(client: ClientBase): boolean {
  return client.getTransactionStatus() === "I";
}

/**
 * Implements the port on one dedicated connection, which is already open. Calls `failed` with the errors of statements.
 */
export function openSession(client: Client, mode: () => StatementMode, failed: (error: unknown) => void): SqlSession {
  let ended = false;
  const listeners: ((error: Error) => void)[] = [];
  // One statement at a time: the driver refuses to queue them.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const result = last.then(run);
    // The caller of the statement sees its error; the next one only waits for its end.
    last = result.catch(() => {});
    return result;
  };
  const lose = (error: Error) => {
    if (ended) return;
    ended = true;
    for (const listener of listeners) listener(error);
  };
  client.on("error", lose);
  client.on("end", () => lose(new Error("the server ended the session")));
  return {
    pooled: mode().prelude !== null,
    async query<Row extends object>(statement: Statement | string, values?: readonly SqlValue[]) {
      try {
        return await inTurn(() => runAlone<Row>(client, mode(), statement, values));
      } catch (error) {
        failed(error);
        if (isSpoiled(error)) {
          lose(error as Error);
          // It is already broken; the caller gets the error that broke it.
          void client.end().catch(() => {});
        }
        throw error;
      }
    },
    onNotification: (listener) => {
      client.on("notification", ({ channel, payload }) => listener(channel, payload ?? ""));
    },
    onLost: (listener) => {
      listeners.push(listener);
    },
    close: async () => {
      ended = true;
      await client.end();
    },
  };
}
