/** Streams that show that they are alive and that can be ended from outside. */
import type { OrchestratorError } from "../../base/errors.ts";

/** Time without a message after which a heartbeat is sent, milliseconds. */
export const HEARTBEAT_MS = 15_000;

/** How long a stream whose source never rests goes on while the service drains, milliseconds. */
const DRAIN_MS = 1_000;

/** How a stream of messages is kept alive and ended. */
export interface LiveStream<T, M> {
  /** Opens the source; it must end when the signal aborts. */
  open(signal: AbortSignal): AsyncIterable<T>;
  /** Ends the stream with its reason: the call's signal. */
  readonly signal: AbortSignal;
  /** The service drains: the stream ends with {@link LiveStream.drained}. */
  readonly draining: AbortSignal;
  drained(): OrchestratorError;
  toMessage(value: T): M | null;
  heartbeat(): M;
}

/**
 * Messages of the source with heartbeats between them. What counts is what the reader gets: a source whose values all
 * become no message is silent. Leaving the iteration ends the source.
 */
export async function* withHeartbeats<T, M>(stream: LiveStream<T, M>, heartbeatMs: number): AsyncGenerator<M> {
  const source = new AbortController();
  const stop = (): void => source.abort();
  const iterator = stream.open(source.signal)[Symbol.asyncIterator]();
  const ear = new Ear<IteratorResult<T>>();
  const wake = (): void => ear.wake();
  stream.signal.addEventListener("abort", wake);
  stream.draining.addEventListener("abort", wake);
  let pending = false;
  let spokeAt = performance.now();
  let drainsAt = Number.POSITIVE_INFINITY;
  const leftMs = (): number => Math.max(0, spokeAt + heartbeatMs - performance.now());
  try {
    for (;;) {
      if (!pending) {
        pending = true;
        ear.listen(iterator.next());
      }
      await ear.wait(stream.signal.aborted || stream.draining.aborted ? 0 : leftMs());
      if (stream.signal.aborted) throw stream.signal.reason;
      const heard = ear.take();
      if (heard !== null) {
        pending = false;
        if (heard.done === true) return;
        const message = stream.toMessage(heard.value);
        if (message !== null) {
          yield message;
          spokeAt = performance.now();
        }
      } else if (stream.draining.aborted) throw stream.drained();
      if (stream.draining.aborted) {
        // What is there already is still sent; a source that is never silent does not hold the stream for long.
        drainsAt = Math.min(drainsAt, performance.now() + DRAIN_MS);
        if (performance.now() >= drainsAt) throw stream.drained();
      }
      if (leftMs() > 0) continue;
      yield stream.heartbeat();
      spokeAt = performance.now();
    }
  } finally {
    stream.signal.removeEventListener("abort", wake);
    stream.draining.removeEventListener("abort", wake);
    stop();
    // Not awaited: it returns once the source has noticed the abort.
    void iterator.return?.(undefined).catch(() => undefined);
  }
}

/**
 * Waits for one promise at a time, or for a while, or to be woken; a promise that is still open is waited for again.
 */
class Ear<T> {
  #result: { readonly value: T } | { readonly error: unknown } | null = null;
  #wake: (() => void) | null = null;

  listen(promise: Promise<T>): void {
    promise.then(
      (value) => this.#settle({ value }),
      (error: unknown) => this.#settle({ error }),
    );
  }

  wake(): void {
    this.#wake?.();
  }

  async wait(ms: number): Promise<void> {
    if (this.#result !== null) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }

  /** What was heard; null when nothing was yet. Throws what the promise was rejected with. */
  take(): T | null {
    const result = this.#result;
    this.#result = null;
    if (result === null) return null;
    if ("error" in result) throw result.error;
    return result.value;
  }

  #settle(result: { readonly value: T } | { readonly error: unknown }): void {
    this.#result = result;
    this.#wake?.();
  }
}
