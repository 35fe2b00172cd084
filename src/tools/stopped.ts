/** Calls that an operator has stopped. */
import { formatRfc3339 } from "../base/time/rfc3339.ts";
import type { ToolOverride } from "../engine/ports/routing/tool-overrides.ts";
import { deferredOutcome, type FailedOutcome } from "./outcome.ts";

/**
 * Shortest and longest time for which an attempt that is stopped is deferred, milliseconds. An attempt that has waited
 * for long looks less often, since each look is written to the journal of its run.
 */
const FIRST_LOOK_MS = 1_000;
const LAST_LOOK_MS = 15_000;

/** Defers the attempt that would make the call, and says who has stopped it; `what`: the calls. */
export function stoppedOutcome(what: string, override: ToolOverride, waitedMs: number, now: number): FailedOutcome {
  const { by, why, until } = override;
  const lookMs = Math.min(Math.max(waitedMs / 2, FIRST_LOOK_MS), LAST_LOOK_MS);
  const leftMs = spread(until === null ? lookMs : Math.min(lookMs, Math.max(until - now, 1)));
  const who = by === "" ? "somebody" : by;
  const reason = why === "" ? "" : `: ${why}`;
  const end = until === null ? "it is lifted" : formatRfc3339(until);
  const sentence = `${who} has stopped ${what} until ${end}${reason}; the next look is`;
  return deferredOutcome("BREAKER_FORCED_OPEN", inSeconds(sentence, leftMs), leftMs, true);
}

/** The sentence with the time of the next call. */
export function inSeconds(sentence: string, ms: number): string {
  return `${sentence} in ${Math.ceil(ms / 100) / 10} s`;
}

/** Adds up to a quarter, so that calls that were deferred together do not come back at once. */
export function spread(ms: number): number {
  return Math.ceil(ms * (1 + Math.random() / 4));
}
