/** The shape that every part of the call path has, and how parts are joined. */
import type { Outcome, ToolCall } from "../../engine/ports/tools.ts";
import type { Target } from "../target.ts";

/** A call on its way to the adapter. */
export interface CallInHand {
  readonly call: ToolCall;
  readonly signal: AbortSignal;
  readonly target: Target;
}

/** The rest of the path. */
export type Next = (inHand: CallInHand) => Promise<Outcome>;

/** A part of the path: may refuse the call, put it off, hand it on (changed or not) and look at what comes back. */
export type Step = (inHand: CallInHand, next: Next) => Promise<Outcome>;

/** Joins steps, the first outermost, around `last`. */
export function composePath(steps: readonly Step[], last: Next): Next {
  return steps.reduceRight<Next>((next, step) => (inHand) => step(inHand, next), last);
}
