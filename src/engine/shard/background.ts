/** Background work that must finish before the store closes. */
export class Background {
  readonly #running = new Set<Promise<void>>();

  /** Adds work that has begun and that handles its own failures. */
  add(work: Promise<void>): void {
    const ended = work.finally(() => this.#running.delete(ended));
    this.#running.add(ended);
  }

  /** Resolves when no work is in progress. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
