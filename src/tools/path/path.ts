/** The interface of the call path's steps, and how steps are composed. */
import type { Json } from "../../base/json/json.ts";
import type { Outcome, ToolCall } from "../../engine/ports/tools.ts";
import type { Target } from "../target.ts";

/** A call on its way to the adapter. */
export interface CurrentCall {
  readonly call: ToolCall;
  readonly signal: AbortSignal;
  readonly target: Target;
  /** The call changes nothing at its target. */
  readonly isSafe: boolean;
  /** Where it goes besides what its parameters say, with the names of the secrets that it gets. */
  readonly destination: () => Json;
  /** The models that may be asked, as `provider/model`; null: it asks none. */
  readonly models: readonly string[] | null;
}

/** The rest of the path. */
export type Next = (current: CurrentCall) => Promise<Outcome>;

/** A step of the path: it may refuse or defer the call, pass it on (changed or not), and inspect the outcome. */
export type Step = (current: CurrentCall, next: Next) => Promise<Outcome>;

/** Composes steps around `last`; the first step is the outermost. */
export function composePath(steps: readonly Step[], last: Next): Next {
  return steps.reduceRight<Next>((next, step) => (current) => step(current, next), last);
}
