/** An attempt as the engine's adapter keeps it, and how scripts become outcomes. */
import type { Outcome as AttemptOutcome, RunEvent } from "../../src/engine/machine/events.ts";
import type { Json } from "../oracle/document.ts";
import type { AttemptScript } from "../oracle/world.ts";

/** An attempt, or a child run, that is under way. */
export type Attempt = {
  /** When it ends; null: never. */
  at: number | null;
  /** How: the event without its time and its random number. */
  end: AttemptEvent;
  /** Of a worker task: when it was handed over; null: it waits for a hand-over. */
  handedAt?: number | null;
};

/** What is told of an attempt next. */
export type AttemptEvent =
  | Omit<Extract<RunEvent, { type: "hand_over" }>, "at">
  | Omit<Extract<RunEvent, { type: "started" }>, "at">
  | Omit<Extract<RunEvent, { type: "returned" }>, "at" | "random">
  | Omit<Extract<RunEvent, { type: "reported" }>, "at" | "random">
  | Omit<Extract<RunEvent, { type: "child" }>, "at" | "random">;

/** The earlier of two times of which either may be missing. */
export function earliest(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}

/** What the script says of the end of an attempt. */
export function outcomeOf(script: AttemptScript, echo: Json): AttemptOutcome {
  const { end } = script;
  switch (end.kind) {
    case "error":
      return failure(end.type, end.retryable, { nextRetryDelayMs: end.nextRetryDelayMs }, end.noEffect);
    case "output":
      return { ok: true, output: end.output };
    default:
      return { ok: true, output: echo };
  }
}

/** An attempt that failed. */
export function failure(
  type: string,
  retryable: boolean,
  told: { nextRetryDelayMs?: number | undefined } = {},
  noEffect = false,
): Extract<AttemptOutcome, { ok: false }> {
  const { nextRetryDelayMs } = told;
  const error = { type, message: `${type} happened`, retryable, ...(noEffect ? { noEffect } : {}) };
  return { ok: false, error: nextRetryDelayMs === undefined ? error : { ...error, nextRetryDelayMs } };
}
