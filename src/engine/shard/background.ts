/** Work that nobody waits for while this instance runs, and that must be over before its store closes. */
export class Background {
  readonly #running = new Set<Promise<void>>();

  /** Takes note of work that has begun and handles its own failures. */
  add(work: Promise<void>): void {
    const ended = work.finally(() => this.#running.delete(ended));
    this.#running.add(ended);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
