import { z } from "zod";
import type { Json } from "../../base/json/json.ts";
import { LABEL_KEY, labelProblem, MAX_LABEL_LENGTH, MAX_LABELS } from "../../base/labels.ts";
import {
  DURATION_FORM,
  DURATION_PATTERN,
  isZeroDuration,
  parseDurationMs,
  unitsProblem,
  ZERO_TIMEOUT,
} from "../../base/time/duration.ts";
import { parseInstantMs, TIME_FORM } from "../../base/time/rfc3339.ts";
import { describeValue } from "./describe-issue.ts";

/** Pattern of ids in flows: of flows, tasks, and states. */
export const ID_PATTERN = /^[a-z][a-z0-9_-]*$/;

/** Most characters of an id in a flow. */
export const MAX_ID_LENGTH = 64;

/** Ids that no task can have, because libraries treat them as properties of every object. */
export const RESERVED_IDS: ReadonlySet<string> = new Set(["constructor"]);

/** Message for a value that does not match {@link ID_PATTERN}. */
export const ID_PROBLEM = "expected an id: a lowercase letter, then lowercase letters, digits, _ and -";

/**
 * Pattern of LangGraph graph names. A name is the path of the graph's task, so it contains neither `.` nor `~`, which
 * are path separators.
 */
export const GRAPH_NAME_PATTERN = /^[A-Za-z_$][A-Za-z0-9_$-]{0,127}$/;

/** Text that is stored in a column: no control characters. */
export const PLAIN_TEXT = /^[^\u0000-\u001f\u007f]*$/;

/** Message for a value that does not match {@link PLAIN_TEXT}. */
export const PLAIN_TEXT_PROBLEM = "expected text without control characters";

/** The version of a flow. It appears unescaped in the path of a URL; in a query, `+` is written `%2B`. */
export const versionText = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._+-]*$/, {
    error: "expected a version: a letter or a digit, then letters, digits, ., _, + and -",
  });

/**
 * Any JSON value. Documents and evaluated parameters are JSON already. Checking them again took 1.6 s for 2 MB of small
 * objects, on the event loop that serves everybody.
 */
export const anyJson: z.ZodType<Json> = z
  .unknown()
  .refine((value) => value !== undefined, { error: "is missing; expected a value" }) as unknown as z.ZodType<Json>;

interface Given {
  readonly input?: unknown;
}

/** Message for a value that is not a duration. */
const durationError = {
  error: ({ input }: Given) => unitsProblem(input) ?? `expected a duration: ${DURATION_FORM}${got(input)}`,
};

function got(input: unknown): string {
  return input === undefined ? "" : `; got ${describeValue(input as Json)}`;
}
const EXPRESSION_PATTERN = /\$\{/;
const withinRange = (value: number | string): boolean => {
  try {
    parseDurationMs(value);
    return true;
  } catch {
    return false; // INVALID_REQUEST; the sentence of the schema says what is wanted
  }
};

/** A duration: seconds as a number, or text with units. */
export const duration = z
  .union([z.number().min(0, durationError), z.string().regex(DURATION_PATTERN, durationError)], durationError)
  .refine(withinRange, durationError);

/** A duration, or an expression that evaluates to one. */
export const durationOrExpression = z
  .union(
    [
      z.number().min(0, durationError),
      z.string().regex(DURATION_PATTERN, durationError),
      z.string().regex(EXPRESSION_PATTERN, durationError),
    ],
    durationError,
  )
  .refine(
    (value) => (typeof value === "string" && EXPRESSION_PATTERN.test(value)) || withinRange(value),
    durationError,
  );

/**
 * A timeout, or an expression that evaluates to one. A timeout of 0 could never be met, so it is refused; delays may be
 * 0.
 */
export const timeoutOrExpression = durationOrExpression.refine(
  (value) => (typeof value === "string" && EXPRESSION_PATTERN.test(value)) || !isZeroDuration(value),
  { error: ZERO_TIMEOUT },
);

/** A point in time with its time zone. */
export const instant = z
  .string()
  .refine((text) => parseInstantMs(text) !== undefined, {
    error: ({ input }: Given) => `expected ${TIME_FORM}${got(input)}`,
  })
  .meta({ format: "date-time" });

/** An object without unknown keys. The message for an unknown key lists the known ones. */
export function keyed<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? `known: ${Object.keys(shape).join(", ")}` : undefined),
  });
}

/** Labels of a run, with the rules that starts use. */
export const labelMap = z
  .record(
    z
      .string()
      .regex(LABEL_KEY, { error: "keys have 1 to 63 letters, digits and ._/- and begin with a letter or digit" }),
    z
      .string({ error: "expected text; write a number or a boolean in quotes, or as string(…) in an expression" })
      .refine((value) => labelProblem(value) === null, {
        error: `expected at most ${MAX_LABEL_LENGTH} characters without U+0000 and U+0001`,
      }),
  )
  .refine((labels) => Object.keys(labels).length <= MAX_LABELS, { error: `expected at most ${MAX_LABELS} labels` });

/** A small map of text, for headers. */
export const textMap = z.record(z.string().min(1).max(256), z.union([z.string().max(8_192), z.number(), z.boolean()]));
