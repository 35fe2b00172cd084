/** Outcomes of calls, as the call path and the adapters make them. */
import { isOrchestratorError } from "../base/errors.ts";
import type { Outcome, TaskError } from "../engine/ports/tools.ts";

/** An attempt that failed, or (with `deferMs`) was deferred, or (with `suspended`) waits for an answer. */
export type FailedOutcome = Extract<Outcome, { readonly ok: false }>;

/** Longest time for which a tool may ask to be left alone, milliseconds: a slip in a header must not park a run for years. */
export const MAX_ASKED_DELAY_MS = 3_600_000;

/** What else is known about a failure. */
export interface FailureFacts {
  readonly retryable: boolean;
  /** It is proven that the tool did nothing. */
  readonly noEffect?: boolean;
  /** When the tool wants to be asked again, milliseconds; at most {@link MAX_ASKED_DELAY_MS} is heeded. */
  readonly nextRetryDelayMs?: number | undefined;
}

/** A failed attempt. `type` is upper case with underscores and stable: flows match it. */
export function failedOutcome(type: string, message: string, facts: FailureFacts): FailedOutcome {
  const { retryable, noEffect, nextRetryDelayMs } = facts;
  const error: TaskError = {
    type,
    message,
    retryable,
    ...(noEffect === true && { noEffect }),
    ...(nextRetryDelayMs !== undefined && { nextRetryDelayMs: Math.min(nextRetryDelayMs, MAX_ASKED_DELAY_MS) }),
  };
  return { ok: false, error };
}

/** A call that is made again after `deferMs` and uses up no attempt. `noEffect` says whether it is proven that the tool did nothing. */
export function deferredOutcome(type: string, message: string, deferMs: number, noEffect: boolean): FailedOutcome {
  return { ...failedOutcome(type, message, { retryable: true, noEffect, nextRetryDelayMs: deferMs }), deferMs };
}

/** The outcome of a call whose signal aborted: TIMEOUT (retryable) when a deadline did it, else CANCELED. */
export function abortedOutcome(signal: AbortSignal, noEffect = false): FailedOutcome {
  if (isTimeout(signal.reason)) {
    return failedOutcome("TIMEOUT", "the attempt did not end in time", { retryable: true, noEffect });
  }
  return failedOutcome("CANCELED", "the attempt was told to stop", { retryable: false, noEffect });
}

/** The engine and the path say by their reason that time was up. */
function isTimeout(reason: unknown): boolean {
  return isOrchestratorError(reason)
    ? reason.code === "DEADLINE_EXCEEDED"
    : reason instanceof Error && reason.name === "TimeoutError";
}
