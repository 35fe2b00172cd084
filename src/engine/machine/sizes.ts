/**
 * Limits on the size of values. Every value that comes from a flow or a tool is bounded before it is written; see
 * docs/semantics.md §6.
 */
import { exceedsSize } from "../../base/json/json-size.ts";
import type { Outcome } from "./events.ts";
import type { TaskError } from "./records.ts";
import { ownError } from "./tasks/outcomes.ts";

/**
 * Maximum bytes of JSON in one value from a tool. Values from expressions are bounded by their steps, at about the same
 * size.
 */
const MAX_VALUE_BYTES = 4_194_304;

/**
 * Maximum bytes of JSON of outputs that are collected into one value: by a group from its children, by a run without a
 * mapping.
 */
export const MAX_COLLECTED_BYTES = 16_777_216;

/** Maximum length of a stored error message, in characters. */
const MAX_MESSAGE_LENGTH = 4_096;

/** Returns the outcome of an attempt, or an error when its value is too large. */
export function limitOutcome(outcome: Outcome): Outcome {
  if (outcome.ok) {
    if (!exceedsSize(outcome.output, MAX_VALUE_BYTES)) return outcome;
    return { ok: false, error: tooLarge("the output of the task", MAX_VALUE_BYTES) };
  }
  const { error, suspended } = outcome;
  if (suspended !== undefined && exceedsSize(suspended.value, MAX_VALUE_BYTES))
    return { ok: false, error: tooLarge("what the graph asks", MAX_VALUE_BYTES) };
  if (error.message.length <= MAX_MESSAGE_LENGTH) return outcome;
  return { ...outcome, error: { ...error, message: `${error.message.slice(0, MAX_MESSAGE_LENGTH)}…` } };
}

/** The error for a value that is larger than `limit`. Final: the same work would produce the same value. */
export function tooLarge(what: string, limit: number): TaskError {
  return ownError("OUTPUT_TOO_LARGE", `${what} has more than ${limit} bytes`);
}
