/**
 * Slots for concurrent calls of one target. Calls without a slot wait in a line, first come, first served. The bounds
 * can change at any time: calls under way keep their slots, also those beyond a lower bound.
 */

/** Bounds of {@link Slots}. */
export interface SlotBounds {
  /** Maximum number of concurrent calls. */
  readonly maxConcurrent: number;
  /** Maximum number of calls that wait for a slot. */
  readonly maxQueued: number;
}

/** What became of a request for a slot. */
export type Entered = "entered" | "full" | "aborted";

export class Slots {
  #bounds: SlotBounds;
  #running = 0;
  /** Calls in order of arrival; each is told that it has a slot. */
  readonly #line = new Set<() => void>();

  constructor(bounds: SlotBounds) {
    this.#bounds = bounds;
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#line.size;
  }

  resize(bounds: SlotBounds): void {
    this.#bounds = bounds;
    this.#admit();
  }

  /** Resolves with `entered` once there is a slot, which {@link leave} frees; with `aborted` when the signal aborts. */
  enter(signal: AbortSignal): Promise<Entered> | Entered {
    if (signal.aborted) return "aborted";
    if (this.#line.size === 0 && this.#running < this.#bounds.maxConcurrent) {
      this.#running += 1;
      return "entered";
    }
    if (this.#line.size >= this.#bounds.maxQueued) return "full";
    const { promise, resolve } = Promise.withResolvers<Entered>();
    const begin = (): void => {
      signal.removeEventListener("abort", onAbort);
      resolve("entered");
    };
    const onAbort = (): void => {
      this.#line.delete(begin);
      resolve("aborted");
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#line.add(begin);
    return promise;
  }

  leave(): void {
    this.#running -= 1;
    this.#admit();
  }

  #admit(): void {
    for (const begin of this.#line) {
      if (this.#running >= this.#bounds.maxConcurrent) return;
      this.#line.delete(begin);
      this.#running += 1;
      begin();
    }
  }
}
