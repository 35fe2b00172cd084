/**
 * The one place that judges what a database error means.
 *
 * The question that decides everything is whether the change may have happened. A statement that the server refused with an ordinary error is
 * known not to have happened. Losing the connection, or patience, while a statement or a COMMIT is under way leaves the outcome *unknown*:
 * the caller must look before it repeats or answers.
 */
import { isOrchestratorError, type OrchestratorError, toError } from "../../base/errors.ts";

/** What happened to a call of the database:
 * `unavailable` no connection, or it broke · `timeout` no answer in time · `overload` the server is at a limit (connections, memory) · `full` its disk is full ·
 * `conflict` one of two concurrent changes was given up · `data` a value or row does not fit (SQLSTATE 22, 23, 54) · `refused` anything else that
 * the server said no to: missing table, missing right, bug in a statement. */
export type StoreFailureKind = "unavailable" | "timeout" | "overload" | "full" | "conflict" | "data" | "refused";

/** A judged database error. */
export interface StoreFailure {
  readonly kind: StoreFailureKind;
  /** True when the change may or may not have been committed. */
  readonly outcomeUnknown: boolean;
  /** True when the connection cannot be used any more. */
  readonly connectionLost: boolean;
  /** Five characters, when the server sent an error. */
  readonly sqlState: string | undefined;
  /** The constraint that a row violates, when the server names one. */
  readonly constraint?: string;
}

/** Where in a call the error happened: `connect` nothing was sent · `statement` alone, its own transaction · `inside` an open transaction that
 * was not committed · `commit` the COMMIT itself. */
export type StorePhase = "connect" | "statement" | "inside" | "commit";

interface Verdict {
  readonly kind: StoreFailureKind;
  /** The server ends the session with this error, so a statement under way may have been committed before. */
  readonly ends?: boolean;
}

/** By SQLSTATE, whole codes before classes. */
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
  // A row that is too large for an index, a text that is too long: one value is to blame.
  "54": { kind: "data" },
  "53100": { kind: "full" },
  "53300": { kind: "overload", ends: true },
  "58": { kind: "unavailable", ends: true },
  XX: { kind: "refused", ends: true },
};

/** Errors of sockets and names that mean that nothing listens there, as Node codes them. */
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

/** The driver's errors that carry no code; matched here and nowhere else. */
const DRIVER_TIMEOUTS =
  /^(Query read timeout|timeout exceeded when trying to connect|Connection terminated due to connection timeout|timeout expired)/;
const DRIVER_LOSSES =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|Connection ended|This socket has been ended|Cannot use a pool after calling end|write after end)/;

/** Judges an error that `pg` threw in `phase`; undefined for errors that do not come from the database or its connection. */
export function judgeStoreFailure(error: unknown, phase: StorePhase): StoreFailure | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  if (code !== undefined && "severity" in error && /^[0-9A-Z]{5}$/.test(code)) {
    const verdict = VERDICTS[code] ?? VERDICTS[code.slice(0, 3)] ?? VERDICTS[code.slice(0, 2)] ?? { kind: "refused" };
    // A server that cannot write its log ends with a PANIC, and every session with it.
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
 * The error of the catalogue for an error that `pg` threw, with the original as its cause: STORE_UNAVAILABLE, STORE_TIMEOUT, STORE_FULL,
 * OVERLOADED, STORE_CONFLICT or STORE_REJECTED. Errors of the catalogue and foreign ones (bugs) come back as they are.
 */
export function toStoreError(error: unknown, phase: StorePhase): unknown {
  if (isOrchestratorError(error)) return error;
  const failure = judgeStoreFailure(error, phase);
  if (failure === undefined) return error;
  const converted = convert(failure, error as Error);
  failures.set(converted, failure);
  return converted;
}

/** The judgement behind an error of the catalogue that came from {@link toStoreError}; undefined for every other error. */
export function storeFailureOf(error: unknown): StoreFailure | undefined {
  return isOrchestratorError(error) ? failures.get(error) : undefined;
}

/** What the sentence tells callers holds no names of hosts, tables or values; the log has the cause. */
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
