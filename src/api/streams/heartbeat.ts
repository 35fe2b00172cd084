/** Streams with heartbeats that end on request. */
import type { OrchestratorError } from "../../base/errors.ts";

/** Time without a message after which a heartbeat is sent, milliseconds. */
export const HEARTBEAT_MS = 15_000;

/** How long a stream with a constantly busy source continues during a drain, milliseconds. */
const DRAIN_MS = 1_000;

export interface LiveStream<T, M> {
  /** Opens the source, which must end when the signal aborts. */
  open(signal: AbortSignal): AsyncIterable<T>;
  /** Ends the stream with its reason: the signal of the call. */
  readonly signal: AbortSignal;
  /** The service drains: the stream ends with {@link LiveStream.drained}. */
  readonly draining: AbortSignal;
  drained(): OrchestratorError;
  toMessage(value: T): M | null;
  heartbeat(): M;
}

/**
 * Messages of the source with heartbeats in between. Silence is measured at the reader: a source whose values all map
 * to no message is silent. Ending the iteration ends the source.
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
        // Available values are still sent, but a source that is never silent does not keep the stream open for long.
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

/** Waits for one promise at a time, with a timeout, or until it is woken; a pending promise is awaited again. */
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

  /** The value that arrived; null if none did. Throws if the promise rejected. */
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
