/** A number of slots that work waits for, in the order in which it asked. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];
  #next = 0;

  constructor(count: number) {
    this.#free = count;
  }

  /** Does `work` as soon as a slot is free, and frees the slot when it has ended. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      this.#pass();
    }
  }

  /** Gives a slot to the next that waits. */
  #pass(): void {
    const next = this.#waiting[this.#next];
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#next += 1;
    // An array that loses its first element one by one would be copied each time.
    if (this.#next >= this.#waiting.length) this.#waiting.length = this.#next = 0;
    next();
  }
}
