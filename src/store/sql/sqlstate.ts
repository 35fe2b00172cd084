/**
 * The one place that classifies database errors.
 *
 * What matters is whether the change may have been made. A statement that the server rejected with an ordinary error is
 * known to have had no effect. If the connection is lost or a timeout expires while a statement or a COMMIT is in
 * progress, the outcome is *unknown*: the caller must check before it retries or answers.
 */
import { isOrchestratorError, type OrchestratorError, toError } from "../../base/errors.ts";

/**
 * Kind of failure of a database call: `unavailable` no connection, or it broke · `timeout` no response in time ·
 * `overload` the server is at a limit (connections, memory) · `full` its disk is full · `conflict` one of two
 * concurrent changes was aborted · `data` a value or row does not fit (SQLSTATE 22, 23, 54) · `refused` anything else
 * that the server rejects: missing table, missing privilege, bug in a statement.
 */
export type StoreFailureKind = "unavailable" | "timeout" | "overload" | "full" | "conflict" | "data" | "refused";

export interface StoreFailure {
  readonly kind: StoreFailureKind;
  /** Whether the change may have been committed. */
  readonly outcomeUnknown: boolean;
  /** Whether the connection is no longer usable. */
  readonly connectionLost: boolean;
  /** Five characters, if the server sent an error. */
  readonly sqlState: string | undefined;
  /** The constraint that a row violates, if the server names one. */
  readonly constraint?: string;
}

/**
 * Phase of the call in which the error happened: `connect` nothing was sent · `statement` alone, its own transaction ·
 * `inside` an open transaction that was not committed · `commit` the COMMIT itself.
 */
export type StorePhase = "connect" | "statement" | "inside" | "commit";

interface Verdict {
  readonly kind: StoreFailureKind;
  /** The server ends the session with this error, so the current statement may have been committed before. */
  readonly ends?: boolean;
}

/** By SQLSTATE; whole codes take precedence over classes. */
const VERDICTS: Readonly<Record<string, Verdict>> = {
  "22": { kind: "data" },
  "23": { kind: "data" },
  "08": { kind: "unavailable", ends: true },
  "57P": { kind: "unavailable", ends: true },
  "57014": { kind: "timeout" },
  "55P03": { kind: "timeout" },
  "25P03": { kind: "timeout", ends: true },
  "25P04": { kind: "timeout", ends: true },
  "57P05": { kind: "unavailable", ends: true },
  "25006": { kind: "unavailable" },
  "40": { kind: "conflict" },
  "40003": { kind: "unavailable", ends: true },
  "53": { kind: "overload" },
  // A row too large for an index, or text too long: a single value is at fault.
  "54": { kind: "data" },
  "53100": { kind: "full" },
  "53300": { kind: "overload", ends: true },
  "58": { kind: "unavailable", ends: true },
  XX: { kind: "refused", ends: true },
};

/** Network and DNS errors that mean that nothing listens there, by Node's error code. */
const NETWORK_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENOENT",
  "EACCES",
]);

/** Driver errors without a code; matched only here. */
const DRIVER_TIMEOUTS =
  /^(Query read timeout|timeout exceeded when trying to connect|Connection terminated due to connection timeout|timeout expired)/;
const DRIVER_LOSSES =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|Connection ended|This socket has been ended|Cannot use a pool after calling end|write after end)/;

/**
 * Classifies an error that `pg` threw in `phase`. Returns undefined for errors that do not come from the database or
 * its connection.
 */
export function judgeStoreFailure(error: unknown, phase: StorePhase): StoreFailure | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  if (code !== undefined && "severity" in error && /^[0-9A-Z]{5}$/.test(code)) {
    const verdict = VERDICTS[code] ?? VERDICTS[code.slice(0, 3)] ?? VERDICTS[code.slice(0, 2)] ?? { kind: "refused" };
    // A server that cannot write its WAL ends with a PANIC, and with it every session.
    const ends = verdict.ends === true || error.severity === "PANIC" || error.severity === "FATAL";
    const constraint = "constraint" in error && typeof error.constraint === "string" ? error.constraint : undefined;
    return {
      kind: verdict.kind,
      outcomeUnknown: ends && isOpen(phase),
      connectionLost: ends,
      sqlState: code,
      ...(constraint === undefined ? {} : { constraint }),
    };
  }
  const parts = error instanceof AggregateError ? error.errors : [error];
  if (
    parts.some((part: NodeJS.ErrnoException) => NETWORK_CODES.has(part?.code ?? "")) ||
    DRIVER_LOSSES.test(error.message)
  ) {
    return { kind: "unavailable", outcomeUnknown: isOpen(phase), connectionLost: true, sqlState: undefined };
  }
  if (DRIVER_TIMEOUTS.test(error.message))
    return { kind: "timeout", outcomeUnknown: isOpen(phase), connectionLost: true, sqlState: undefined };
  return undefined;
}

const failures = new WeakMap<OrchestratorError, StoreFailure>();

/**
 * Converts an error that `pg` threw to a catalog error with the original as its cause: STORE_UNAVAILABLE,
 * STORE_TIMEOUT, STORE_FULL, OVERLOADED, STORE_CONFLICT, or STORE_REJECTED. Catalog errors and unknown ones (bugs) are
 * returned unchanged.
 */
export function toStoreError(error: unknown, phase: StorePhase): unknown {
  if (isOrchestratorError(error)) return error;
  const failure = judgeStoreFailure(error, phase);
  if (failure === undefined) return error;
  const converted = convert(failure, error as Error);
  failures.set(converted, failure);
  return converted;
}

/**
 * Returns the classification behind a catalog error that came from {@link toStoreError}; undefined for every other
 * error.
 */
export function storeFailureOf(error: unknown): StoreFailure | undefined {
  return isOrchestratorError(error) ? failures.get(error) : undefined;
}

/** The message for callers contains no names of hosts or tables and no values; the log has the cause. */
function convert(failure: StoreFailure, cause: Error): OrchestratorError {
  const sqlState = failure.sqlState ?? "none";
  switch (failure.kind) {
    case "unavailable":
      return toError(
        "STORE_UNAVAILABLE",
        { problem: failure.sqlState ? "it ended the session" : "the connection failed", sqlState },
        { cause },
      );
    case "timeout":
      return toError("STORE_TIMEOUT", { sqlState }, { cause });
    case "overload":
      return toError("OVERLOADED", { what: "database", sqlState }, { cause, retryAfterMs: 1_000 });
    case "full":
      return toError("STORE_FULL", { sqlState }, { cause, retryAfterMs: 5_000 });
    case "conflict":
      return toError("STORE_CONFLICT", { sqlState }, { cause });
    case "data":
    case "refused":
      return toError("STORE_REJECTED", { problem: `SQLSTATE ${sqlState}`, sqlState }, { cause });
  }
}

function isOpen(phase: StorePhase): boolean {
  return phase === "statement" || phase === "commit";
}
