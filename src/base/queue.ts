/** A queue between a producer that calls and a consumer that awaits. */
export interface Queue<T> {
  push(value: T): void;
  /** The next value; undefined if the signal has aborted or no value arrives within `timeoutMs`. */
  take(timeoutMs?: number): Promise<T | undefined>;
  readonly size: number;
}

/** A queue that ends when `signal` aborts. It has one consumer and no limit: the producer watches `size`. */
export function createQueue<T>(signal: AbortSignal): Queue<T> {
  const values: T[] = [];
  let wake: (() => void) | null = null;
  const wakeUp = (): void => {
    wake?.();
    wake = null;
  };
  signal.addEventListener("abort", wakeUp, { once: true });
  return {
    push(value) {
      values.push(value);
      wakeUp();
    },
    async take(timeoutMs) {
      if (values.length === 0 && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      return signal.aborted ? undefined : values.shift();
    },
    get size() {
      return values.length;
    },
  };
}
