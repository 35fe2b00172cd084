/**
 * Limits on the size of values. Every value that comes from a flow or a tool is bounded before it is written; see
 * docs/semantics.md §6.
 */
import { isOrchestratorError } from "../../base/errors.ts";
import type { Json } from "../../base/json/json.ts";
import { checkJson } from "../../base/json/json-parse.ts";
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

/** Maximum bytes and levels of the details of an error, and the characters that are kept of larger ones. */
const MAX_DETAILS_BYTES = 16_384;
const MAX_DETAILS_DEPTH = 24;
const MAX_DETAILS_TEXT = 4_096;

/** Returns the outcome of an attempt, or an error when its value is too large. */
export function limitOutcome(outcome: Outcome): Outcome {
  if (outcome.ok) {
    if (!exceedsSize(outcome.output, MAX_VALUE_BYTES)) return outcome;
    return { ok: false, error: tooLarge("the output of the task", MAX_VALUE_BYTES) };
  }
  const { error, suspended } = outcome;
  if (suspended !== undefined && exceedsSize(suspended.value, MAX_VALUE_BYTES))
    return { ok: false, error: tooLarge("what the graph asks", MAX_VALUE_BYTES) };
  if (error.message.length <= MAX_MESSAGE_LENGTH && error.details === undefined) return outcome;
  return { ...outcome, error: limitError(error) };
}

function limitError({ message, details, ...error }: TaskError): TaskError {
  const shown = message.length <= MAX_MESSAGE_LENGTH ? message : `${message.slice(0, MAX_MESSAGE_LENGTH)}…`;
  return { ...error, message: shown, ...(details === undefined ? {} : { details: limitDetails(details) }) };
}

/** The details as they are, or if they are too large or cannot be stored, the beginning of their text with a mark. */
function limitDetails(details: Json): Json {
  try {
    return checkJson(details, { field: "details", maxBytes: MAX_DETAILS_BYTES, maxDepth: MAX_DETAILS_DEPTH });
  } catch (error) {
    if (!isOrchestratorError(error)) throw error;
    const text = JSON.stringify(details);
    const beginning = text.slice(0, MAX_DETAILS_TEXT).toWellFormed();
    return { truncated: true, size_bytes: Buffer.byteLength(text), text: beginning };
  }
}

/** The error for a value that is larger than `limit`. Final: the same work would produce the same value. */
export function tooLarge(what: string, limit: number): TaskError {
  return ownError("OUTPUT_TOO_LARGE", `${what} has more than ${limit} bytes`);
}
