/** Work in slices: done at once, or with turns of the event loop between them. */
import { setImmediate as nextTurn } from "node:timers/promises";

/** Work that can stop between its slices. */
export type Turns<Result> = Generator<void, Result, void>;

/** Milliseconds that work may go on before the event loop gets a turn. */
const TURN_MS = 2;

/** Does the work at once. */
export function runAtOnce<Result>(work: Turns<Result>): Result {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

/** Does the work with turns of the event loop between its slices. Rejects when `signal` aborts. */
export async function runInTurns<Result>(work: Turns<Result>, signal?: AbortSignal): Promise<Result> {
  let began = performance.now();
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    if (performance.now() - began < TURN_MS) continue;
    await nextTurn();
    signal?.throwIfAborted();
    began = performance.now();
  }
}
