/** A statement that the server plans once per connection. Names are unique in the product. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  /** Its plan reads no whole tables; only where it runs alone. See {@link preparedByIndex}. */
  readonly byIndex?: boolean;
}

/** Declares a prepared statement. `name` is area and purpose, for instance `runs.insert`; at most 63 bytes. */
export function prepared(name: string, text: string): Statement {
  return { name, text };
}

/**
 * The same for rows that come and go: tables that are empty at times and large at others. A plan is made once, perhaps
 * while the table is empty, and would then read all of it each time. This one uses indexes: pools run it on connections
 * that are set so.
 *
 * Behind a pooler no connection keeps a setting, so it is a transaction of three steps there. Should the process stand
 * still between them, the server gives up the locks of the statement after two seconds, because a takeover may be
 * waiting for them.
 */
export function preparedByIndex(name: string, text: string): Statement {
  return { name, text, byIndex: true };
}

/**
 * An int8 column as a number that is exact. Nothing here writes one beyond 2^53, but a damaged row may have it, and
 * must not fail the statement for all others.
 */
export function exactInt8(column: string): string {
  const most = Number.MAX_SAFE_INTEGER;
  return `CASE WHEN ${column} > ${most} THEN ${most} WHEN ${column} < -${most} THEN -${most} ELSE ${column} END`;
}

/**
 * Milliseconds from one time to another, as float8. Of the times themselves PostgreSQL before 17 takes no difference if
 * one is `infinity`, and a damaged row that has it must not fail the statement for all others.
 */
export function spanMs(from: string, to: string): string {
  return `((extract(epoch FROM ${to}) - extract(epoch FROM ${from})) * 1000)::float8`;
}

/** A parameter value. Arrays become PostgreSQL arrays; JSON is passed as text. */
export type SqlValue = string | number | bigint | boolean | Date | Uint8Array | null | readonly SqlValue[];

/** The rows of a result and the number of rows that were affected. */
export interface SqlResult<Row> {
  readonly rows: Row[];
  readonly count: number;
}

/** Runs statements one after the other. */
export interface SqlRunner {
  /**
   * Runs one statement. int8 is returned as number (beyond 2^53 it throws), timestamptz as milliseconds since 1970,
   * date as text, json parsed, bytea as Buffer, numeric as text. Throws STORE_UNAVAILABLE, STORE_TIMEOUT, OVERLOADED,
   * STORE_CONFLICT, STORE_REJECTED.
   */
  query<Row extends object = Record<string, unknown>>(
    statement: Statement | string,
    values?: readonly SqlValue[],
  ): Promise<SqlResult<Row>>;
}

/** A pool of connections. Each {@link SqlRunner.query} may use a different one. */
export interface SqlPool extends SqlRunner {
  /**
   * When `signal` aborts, the server cancels the statement and the call throws the signal's reason. For statements that
   * change nothing.
   */
  query<Row extends object = Record<string, unknown>>(
    statement: Statement | string,
    values?: readonly SqlValue[],
    signal?: AbortSignal,
  ): Promise<SqlResult<Row>>;
  /**
   * Runs `work` in one transaction: commits when it returns, rolls back when it throws. No network calls or long
   * computations inside.
   */
  transaction<T>(work: (runner: SqlRunner) => Promise<T>): Promise<T>;
  /**
   * Number of open and idle connections, and of callers that wait for one; and when a statement was last answered,
   * `performance.now()`.
   */
  stats(): { readonly open: number; readonly idle: number; readonly waiting: number; readonly answeredAt: number };
}

/** A dedicated connection outside the pools: for LISTEN, session locks, migrations. */
export interface SqlSession extends SqlRunner {
  /**
   * Whether a pooler is in between: each statement is then a transaction on any server connection, and no session state
   * is kept between them.
   */
  readonly pooled: boolean;
  /** Calls `listener` for each NOTIFY on a channel that this session LISTENs to. */
  onNotification(listener: (channel: string, payload: string) => void): void;
  /** Calls `listener` once if the connection is lost without close. */
  onLost(listener: (error: Error) => void): void;
  close(): Promise<void>;
}
