/**
 * The meter of expressions. A closed language is not a cheap one: three nested loops over 150 elements are millions of
 * operations. Every operation charges steps, and evaluation ends when they are used up. Evaluation is synchronous, so
 * one meter for the process is enough.
 */

/**
 * Maximum number of steps to evaluate one value of a flow. A step is about one operation; a loop iteration takes as
 * many as it has operations.
 */
export const MAX_STEPS = 300_000;

/** Thrown when the steps are used up. It passes through every operator, even those that absorb errors. */
export class StepsUsedUp extends Error {}

/** Number of characters of JSON text that cost one step. */
const CHARACTERS_PER_STEP = 16;

let stepsLeft = MAX_STEPS;
let spent = 0;
let depth = 0;
let evaluation = 0;

/**
 * Runs `body` with a full meter, or on the meter of the enclosing evaluation. Errors created inside have no stack: CEL
 * creates one for every missing key, even if `||` absorbs it, and capturing stacks made such loops six times slower.
 */
export function withMeter<T>(body: () => T): T {
  if (depth > 0) return body();
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  stepsLeft = MAX_STEPS;
  depth++;
  evaluation++;
  try {
    return body();
  } finally {
    depth--;
    spent += MAX_STEPS - Math.max(0, stepsLeft);
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Charges steps. Throws {@link StepsUsedUp}. */
export function charge(steps: number): void {
  stepsLeft -= steps;
  if (stepsLeft < 0) throw new StepsUsedUp("steps used up");
}

/** Charges the steps of reading or writing `length` characters or bytes. Throws {@link StepsUsedUp}. */
export function chargeText(length: number): void {
  charge(Math.floor(length / CHARACTERS_PER_STEP));
}

/**
 * Charges the steps of a value with `weight` characters as JSON. Throws {@link StepsUsedUp}. No shift: that would wrap
 * above 2^32.
 */
export function chargeWeight(weight: number): void {
  charge(Math.floor(weight / CHARACTERS_PER_STEP));
}

/**
 * A number that identifies the current evaluation. Caches are valid for one evaluation only, so that steps do not
 * depend on earlier ones.
 */
export function currentEvaluation(): number {
  return evaluation;
}

/** Steps that all evaluations of the process have taken so far. Only differences are meaningful. */
export function spentSteps(): number {
  return spent;
}
