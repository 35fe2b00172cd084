/**
 * The timeout that a caller sets for its call, from the header of its protocol. It counts from `startedAt` (monotonic
 * milliseconds), when the headers arrived.
 */
import { type OrchestratorError, toError } from "../../base/errors.ts";
import { fieldError } from "../../base/field-error.ts";
import { DEFAULT_DEADLINE_MS, MAX_DEADLINE_MS } from "./pipeline.ts";

/** Milliseconds for each unit of `grpc-timeout`. */
const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Headers in milliseconds; the first one present wins. */
const MILLISECOND_HEADERS = ["connect-timeout-ms", "x-timeout-ms"] as const;

export interface CallTimeout {
  /** Remaining milliseconds, at least 0; undefined without a timeout. */
  leftMs(): number | undefined;
  /** What the caller set, milliseconds. */
  readonly givenMs: number | undefined;
}

/** Timeout of a gRPC or gRPC-Web call from `grpc-timeout`. 0 expires at once. Error: INVALID_REQUEST. */
export function readGrpcTimeout(get: (name: string) => unknown, startedAt = performance.now()): CallTimeout {
  const text = get("grpc-timeout");
  if (text === undefined || text === null) return NO_TIMEOUT;
  const [, amount, unit] = /^(\d{1,8})([HMSmun])$/.exec(String(text)) ?? [];
  if (amount === undefined || unit === undefined)
    throw fieldError("grpc-timeout", "must be one to eight digits and a unit: H, M, S, m, u, or n");
  return startTimeout(Number(amount) * (UNITS[unit] as number), startedAt);
}

/**
 * Timeout of a Connect or REST call from `connect-timeout-ms` or `x-timeout-ms`. 0 expires at once. Error:
 * INVALID_REQUEST.
 */
export function readHttpTimeout(get: (name: string) => unknown, startedAt = performance.now()): CallTimeout {
  for (const name of MILLISECOND_HEADERS) {
    const text = get(name);
    if (text === undefined || text === null) continue;
    if (!/^\d{1,10}$/.test(String(text))) throw fieldError(name, "must be a number of milliseconds: one to ten digits");
    return startTimeout(Number(text), startedAt);
  }
  return NO_TIMEOUT;
}

/** How long the body of a call may take to arrive. */
export interface BodyTime {
  /** Milliseconds: the timeout of the call, within the limits for unary calls. */
  readonly ms: number;
  /** The error for a body that takes longer. The call had no effect, so the same request can be sent again. */
  late(): OrchestratorError;
}

/**
 * Time limit for the body of a call with the timeout `givenMs`. Errors: DEADLINE_EXCEEDED when the caller's own timeout
 * has passed, REQUEST_INCOMPLETE when the service's has.
 */
export function bodyTime(givenMs: number | undefined): BodyTime {
  if (givenMs !== undefined && givenMs <= MAX_DEADLINE_MS)
    return { ms: givenMs, late: () => toError("DEADLINE_EXCEEDED", {}, { repeat: "SAME_REQUEST" }) };
  return {
    ms: givenMs === undefined ? DEFAULT_DEADLINE_MS : MAX_DEADLINE_MS,
    late: () => toError("REQUEST_INCOMPLETE"),
  };
}

function startTimeout(givenMs: number, startedAt: number): CallTimeout {
  return { givenMs, leftMs: () => Math.max(0, givenMs - (performance.now() - startedAt)) };
}

const NO_TIMEOUT: CallTimeout = { givenMs: undefined, leftMs: () => undefined };
