/** How large values may become. Nothing that a flow or a tool gives is written without a bound; see docs/semantics.md §6. */
import { exceedsSize } from "../../base/json/json-size.ts";
import type { Outcome } from "./events.ts";
import { ownError } from "./tasks/outcomes.ts";
import type { TaskError } from "./records.ts";

/** Most bytes of JSON of one value that a tool gives. What expressions give is bounded by their steps, at about the same size. */
const MAX_VALUE_BYTES = 4_194_304;

/** Most bytes of JSON of outputs that are collected into one value: by a group of its children, by a run without a mapping. */
export const MAX_COLLECTED_BYTES = 16_777_216;

/** Longest message of an error that is kept, characters. */
const MAX_MESSAGE_LENGTH = 4_096;

/** The outcome of an attempt, or the error that its value is too large. */
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

/** The error of a value that is larger than `limit`. Final: the same work would give the same value. */
export function tooLarge(what: string, limit: number): TaskError {
  return ownError("OUTPUT_TOO_LARGE", `${what} has more than ${limit} bytes`);
}
