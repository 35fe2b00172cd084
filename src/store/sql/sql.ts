/** A statement that the server plans once per connection. Names are unique in the product. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** Declares a prepared statement. `name` says area and purpose, for instance `runs.insert`; at most 63 bytes. */
export function prepared(name: string, text: string): Statement {
  return { name, text };
}

/** A value of a parameter. Arrays become PostgreSQL arrays; JSON is passed as text. */
export type SqlValue = string | number | bigint | boolean | Date | Uint8Array | null | readonly SqlValue[];

/** Rows of an answer, and how many rows a change touched. */
export interface SqlResult<Row> {
  readonly rows: Row[];
  readonly count: number;
}

/** Runs statements one after the other. */
export interface SqlRunner {
  /**
   * Runs one statement. int8 comes back as number (beyond 2^53 it throws), timestamptz as milliseconds since 1970, date as text, json parsed,
   * bytea as Buffer, numeric as text. Throws STORE_UNAVAILABLE, STORE_TIMEOUT, OVERLOADED, STORE_CONFLICT, STORE_REJECTED.
   */
  query<Row extends object = Record<string, unknown>>(
    statement: Statement | string,
    values?: readonly SqlValue[],
  ): Promise<SqlResult<Row>>;
}

/** A pool of connections; every {@link SqlRunner.query} may use another one. */
export interface SqlPool extends SqlRunner {
  /** When `signal` aborts, the server gives the statement up and the call throws the signal's reason. For statements that change nothing. */
  query<Row extends object = Record<string, unknown>>(
    statement: Statement | string,
    values?: readonly SqlValue[],
    signal?: AbortSignal,
  ): Promise<SqlResult<Row>>;
  /** Runs `work` in one transaction: committed when it returns, rolled back when it throws. No network calls or long computations inside. */
  transaction<T>(work: (runner: SqlRunner) => Promise<T>): Promise<T>;
  /** Connections open, idle, and callers that wait for one. */
  stats(): { readonly open: number; readonly idle: number; readonly waiting: number };
}

/** One connection of its own, outside the pools: for LISTEN, session locks, migrations. */
export interface SqlSession extends SqlRunner {
  /** A pooler stands between: each statement is a transaction on any connection of the server, and nothing is kept between them. */
  readonly pooled: boolean;
  /** Calls back on NOTIFY of channels that were LISTENed to. */
  onNotification(listener: (channel: string, payload: string) => void): void;
  /** Calls back once when the connection is gone without close. */
  onLost(listener: (error: Error) => void): void;
  close(): Promise<void>;
}
