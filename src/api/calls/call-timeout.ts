/**
 * The time that a caller gives its call, from the header of its protocol. It counts from `startedAt`, monotonic
 * milliseconds: when the headers came.
 */

import { type OrchestratorError, toError } from "../../base/errors.ts";
import { fieldError } from "../requests/field-error.ts";
import { DEFAULT_DEADLINE_MS, MAX_DEADLINE_MS } from "./pipeline.ts";

/** Milliseconds of the units of `grpc-timeout`. */
const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Headers that carry milliseconds, the stronger first. */
const MILLISECOND_HEADERS = ["connect-timeout-ms", "x-timeout-ms"] as const;

/** A timeout and the moment from which it counts. */
export interface CallTimeout {
  /** Time that is left, milliseconds, at least 0; undefined when the caller gives none. */
  leftMs(): number | undefined;
  /** What the caller gave, milliseconds. */
  readonly givenMs: number | undefined;
}

/** Time of a gRPC or gRPC-Web call by `grpc-timeout`, milliseconds. 0 has passed at once. Error: INVALID_REQUEST. */
export function readGrpcTimeout(get: (name: string) => unknown, startedAt = performance.now()): CallTimeout {
  const text = get("grpc-timeout");
  if (text === undefined || text === null) return NO_TIMEOUT;
  const [, amount, unit] = /^(\d{1,8})([HMSmun])$/.exec(String(text)) ?? [];
  if (amount === undefined || unit === undefined)
    throw fieldError("grpc-timeout", "must be one to eight digits and a unit: H, M, S, m, u, or n");
  return startTimeout(Number(amount) * (UNITS[unit] as number), startedAt);
}

/**
 * Time of a Connect or REST call by `connect-timeout-ms` or `x-timeout-ms`, milliseconds. 0 has passed at once. Error:
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

/** The time in which the body of a call must arrive. */
export interface BodyTime {
  /** Milliseconds: those that the caller gives the call, within the bounds of unary calls. */
  readonly ms: number;
  /** What is wrong with a body that takes longer. The call has had no effect: the same request may be sent again. */
  late(): OrchestratorError;
}

/**
 * The time of a body for a call that is given `givenMs`. Errors: DEADLINE_EXCEEDED for the caller's own time,
 * REQUEST_INCOMPLETE for the service's.
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
