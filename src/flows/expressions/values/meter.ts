/**
 * The meter of expressions. A closed language is not a cheap one: three nested loops over 150 elements are millions of operations. Every operation takes
 * steps off the meter, and evaluation ends when they are used up. Evaluation is synchronous, so one meter for the process is enough.
 */

/** How many steps one value of a flow may take to evaluate. A step is about one operation; one pass of a loop takes as many as the loop has operations. */
export const MAX_STEPS = 300_000;

/** Thrown when the steps are used up. It passes through every operator, also through those that absorb errors. */
export class StepsUsedUp extends Error {}

/** Characters of JSON text that are handled for one step. */
const CHARACTERS_PER_STEP = 16;

let stepsLeft = MAX_STEPS;
let spent = 0;
let depth = 0;
let evaluation = 0;

/**
 * Runs `body` with a full meter, or on the meter of the evaluation around it. Errors made inside have no stack: CEL makes one for every missing key, also for
 * those that `||` absorbs, and capturing stacks made such loops six times slower.
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

/** Takes steps off the meter. Throws {@link StepsUsedUp}. */
export function charge(steps: number): void {
  stepsLeft -= steps;
  if (stepsLeft < 0) throw new StepsUsedUp("steps used up");
}

/** Takes the steps of reading or writing `length` characters or bytes off the meter. Throws {@link StepsUsedUp}. */
export function chargeText(length: number): void {
  charge(Math.floor(length / CHARACTERS_PER_STEP));
}

/** Takes the steps of a value off the meter that has `weight` characters as JSON. Throws {@link StepsUsedUp}. No shift: that would wrap above 2^32. */
export function chargeWeight(weight: number): void {
  charge(Math.floor(weight / CHARACTERS_PER_STEP));
}

/** A number for the evaluation under way: whatever is kept between calls is kept for one evaluation, so that steps do not depend on what came before. */
export function currentEvaluation(): number {
  return evaluation;
}

/** Steps that all evaluations of the process have taken so far. Only differences mean something. */
export function spentSteps(): number {
  return spent;
}
