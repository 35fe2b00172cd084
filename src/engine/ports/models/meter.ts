/**
 * The port of the meter: every single call to a provider of models passes it, those of fallbacks and repairs included.
 *
 *   reserve → refused or deferred: the call is not made
 *           → reserved → the call → settle with what it used
 *
 * A process that dies in between settles nothing: a budget then charges the whole reserve.
 */
import type { RunBudget } from "../../../flows/plan.ts";
import type { Outcome } from "../../machine/events.ts";

/** A call that is about to be made. */
export interface MeteredCall {
  readonly tenantId: string;
  readonly runId: string;
  readonly flowId: string;
  /** The user for whom the run was started; empty: none is known. */
  readonly userId: string;
  /** The budgets of the run and of those above it. */
  readonly budgets: readonly RunBudget[];
  /** Path of the task. */
  readonly path: string;
  /** From 1. A retry is a new call with the same key; a call that is repeated after a crash has the same attempt. */
  readonly attempt: number;
  /** Idempotency key of the task and the number of the call in its attempt: `run_id/path/generation/call 1`. */
  readonly callKey: string;
  /** From 1. Later calls of an attempt are repairs and fallbacks: to defer one would pay for the first one again. */
  readonly number: number;
  readonly provider: string;
  readonly model: string;
  /** Tokens of the input, estimated. */
  readonly inputTokens: number;
  /** Most tokens that the provider is told to write. */
  readonly maxOutputTokens: number;
  /** Price of a million tokens in millionths of a dollar; null: the configuration has none. */
  readonly inputPriceMicros: number | null;
  readonly outputPriceMicros: number | null;
  /** Most tokens of input and output that calls of the model may use together in a minute; null: any number. */
  readonly tokensPerMinute: number | null;
}

/** What a call used. */
export interface ModelUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Cost in millionths of a dollar; null: the model has no price. */
  readonly costMicros: number | null;
  /**
   * `reported`: by the provider, or it refused the call. `estimated`: from the text, or the whole reserve where the
   * provider reported nothing. `unknown`: the whole reserve, because nobody knows whether the call was made.
   */
  readonly basis: "reported" | "estimated" | "unknown";
}

/** Leave to make a call, or the outcome of the attempt instead. */
export type Reserved =
  | {
      readonly ok: true;
      /** Called once, when the call has ended in any way. */
      settle(usage: ModelUsage): Promise<void>;
    }
  | {
      readonly ok: false;
      /** Refused for good, or deferred (`deferMs`). */
      readonly outcome: Extract<Outcome, { readonly ok: false }>;
    };

/** Meters calls. */
export interface ModelMeter {
  /** Asks for leave. Rejects if `signal` aborts. */
  reserve(call: MeteredCall, signal: AbortSignal): Promise<Reserved>;
}
