import type { Client, ClientBase, CustomTypesConfig, Pool, PoolClient } from "pg";
import { invariant } from "../base/errors.ts";
import { cancelStatement } from "./cancel-statement.ts";
import type { SqlPool, SqlResult, SqlRunner, SqlSession, SqlValue, Statement } from "./sql.ts";
import { type StorePhase, storeFailureOf, toStoreError } from "./sqlstate.ts";

/** PostgreSQL's numbers of the types that we read in our own way. */
const OID = { int8: 20, date: 1_082, timestamp: 1_114, timestamptz: 1_184 } as const;

/** How values are read: see {@link SqlRunner.query}. `standard` are the driver's own parsers. */
export function createTypes(standard: CustomTypesConfig): CustomTypesConfig {
  const parseTime = standard.getTypeParser(OID.timestamptz, "text") as (text: string) => Date | number;
  const own = new Map<number, (text: string) => unknown>([
    [OID.int8, parseInt8],
    [OID.date, (text) => text],
    [OID.timestamp, (text) => text],
    [OID.timestamptz, (text) => Number(parseTime(text))],
  ]);
  // The driver's type has one overload per known type; ours answers for all of them.
  const getTypeParser = (oid: number, format?: "text" | "binary") =>
    own.get(oid) ?? standard.getTypeParser(oid, format as "text");
  return { getTypeParser: getTypeParser as CustomTypesConfig["getTypeParser"] };
}

function parseInt8(text: string): number {
  const value = Number(text);
  invariant(Number.isSafeInteger(value), `int8 ${text} does not fit a number; select it as text`);
  return value;
}

/** Runs a statement on one connection and judges its errors. */
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

/** True when the connection that threw this must not be used again. A foreign error says nothing about it, so it goes too. */
function isSpoiled(error: unknown): boolean {
  return storeFailureOf(error)?.connectionLost ?? true;
}

/** Who hears what happens in a pool. */
export interface PoolListener {
  /** How long a call waited for its connection. */
  waited(ms: number): void;
  /** A connection broke or could not be made. */
  troubled(): void;
}

/** The port over one `pg` pool. */
export function createSqlPool(pool: Pool, usePrepared: boolean, listener: PoolListener): SqlPool {
  const acquire = async (): Promise<PoolClient> => {
    const startedAt = performance.now();
    try {
      return await pool.connect();
    } catch (error) {
      listener.troubled();
      throw toStoreError(error, "connect");
    } finally {
      listener.waited(performance.now() - startedAt);
    }
  };
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
        return await run<Row>(client, usePrepared, "statement", statement, values);
      } catch (error) {
        // Before its statement is sent, a call that was given up says nothing about the connection.
        spoiled = error !== signal?.reason && isSpoiled(error);
        if (spoiled) listener.troubled();
        throw signal?.aborted === true ? signal.reason : error;
      } finally {
        signal?.removeEventListener("abort", cancel);
        // Only then may another use the connection: the server must not cancel his statement.
        if (cancelled !== null) await cancelled;
        client.release(spoiled);
      }
    },
    async transaction<T>(work: (runner: SqlRunner) => Promise<T>): Promise<T> {
      const client = await acquire();
      let spoiled = false;
      try {
        return await runTransaction(client, usePrepared, work);
      } catch (error) {
        spoiled = storeFailureOf(error)?.connectionLost ?? false;
        if (spoiled) listener.troubled();
        throw error;
      } finally {
        client.release(spoiled || !isIdle(client));
      }
    },
    stats: () => ({ open: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
  };
}

async function runTransaction<T>(
  client: PoolClient,
  usePrepared: boolean,
  work: (runner: SqlRunner) => Promise<T>,
): Promise<T> {
  await run(client, usePrepared, "inside", "BEGIN", undefined);
  let result: T;
  try {
    result = await work({ query: (statement, values) => run(client, usePrepared, "inside", statement, values) });
  } catch (error) {
    // When this fails too the connection goes, and with it the transaction.
    if (storeFailureOf(error)?.connectionLost !== true) await client.query("ROLLBACK").catch(() => {});
    throw error;
  }
  await commit(client);
  return result;
}

async function commit(client: PoolClient): Promise<void> {
  const { command } = await client.query("COMMIT").catch((error: unknown) => {
    throw toStoreError(error, "commit");
  });
  // The server answers the COMMIT of a failed transaction with ROLLBACK, and without an error.
  invariant(
    command === "COMMIT",
    "a statement of the transaction failed and the failure was swallowed; nothing was committed",
  );
}

/** True when the server has no open transaction on this connection. */
function isIdle(client: PoolClient): boolean {
  return client.getTransactionStatus() === "I";
}

/** Connects one connection of its own. */
export async function openSession(client: Client, usePrepared: boolean): Promise<SqlSession> {
  let ended = false;
  const listeners: ((error: Error) => void)[] = [];
  const lose = (error: Error) => {
    if (ended) return;
    ended = true;
    for (const listener of listeners) listener(error);
  };
  client.on("error", lose);
  client.on("end", () => lose(new Error("the server ended the session")));
  try {
    await client.connect();
  } catch (error) {
    throw toStoreError(error, "connect");
  }
  return {
    async query<Row extends object>(statement: Statement | string, values?: readonly SqlValue[]) {
      try {
        return await run<Row>(client, usePrepared, "statement", statement, values);
      } catch (error) {
        if (isSpoiled(error)) {
          lose(error as Error);
          // It is broken already; the caller hears of the error that broke it.
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
