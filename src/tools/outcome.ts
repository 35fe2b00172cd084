/** Outcomes of calls, created by the call path and the adapters. */
import { isOrchestratorError } from "../base/errors.ts";
import type { Json } from "../base/json/json.ts";
import type { Outcome, TaskError } from "../engine/ports/tools.ts";

/** An attempt that failed, was deferred (with `deferMs`), or waits for an answer (with `suspended`). */
export type FailedOutcome = Extract<Outcome, { readonly ok: false }>;

/** Longest delay that a tool may request, milliseconds: a wrong header must not suspend a run for years. */
const MAX_ASKED_DELAY_MS = 3_600_000;

/** Additional facts about a failure. */
export interface FailureFacts {
  readonly retryable: boolean;
  /** It is proven that the tool had no effect. */
  readonly noEffect?: boolean;
  /** Delay that the tool requests before the next attempt, milliseconds; capped at {@link MAX_ASKED_DELAY_MS}. */
  readonly nextRetryDelayMs?: number | undefined;
  /** What else the tool said, for flows. */
  readonly details?: Json | undefined;
}

/** A failed attempt. `type` is upper case with underscores, and stable: flows match it. */
export function failedOutcome(type: string, message: string, facts: FailureFacts): FailedOutcome {
  const { retryable, noEffect, nextRetryDelayMs, details } = facts;
  const error: TaskError = {
    type,
    message,
    retryable,
    ...(noEffect === true && { noEffect }),
    ...(nextRetryDelayMs !== undefined && { nextRetryDelayMs: Math.min(nextRetryDelayMs, MAX_ASKED_DELAY_MS) }),
    ...(details !== undefined && details !== null && { details }),
  };
  return { ok: false, error };
}

/**
 * A call that is repeated after `deferMs` and uses up no attempt. `noEffect` says whether it is proven that the tool
 * had no effect.
 */
export function deferredOutcome(type: string, message: string, deferMs: number, noEffect: boolean): FailedOutcome {
  return { ...failedOutcome(type, message, { retryable: true, noEffect, nextRetryDelayMs: deferMs }), deferMs };
}

/** The outcome of a call whose signal aborted: TIMEOUT (retryable) if a deadline caused it, otherwise CANCELED. */
export function abortedOutcome(signal: AbortSignal, noEffect = false): FailedOutcome {
  if (isTimeout(signal.reason)) {
    return failedOutcome("TIMEOUT", "the attempt did not end in time", { retryable: true, noEffect });
  }
  return failedOutcome("CANCELED", "the attempt was told to stop", { retryable: false, noEffect });
}

/** The engine and the call path report a timeout in the abort reason. */
function isTimeout(reason: unknown): boolean {
  return isOrchestratorError(reason)
    ? reason.code === "DEADLINE_EXCEEDED"
    : reason instanceof Error && reason.name === "TimeoutError";
}
