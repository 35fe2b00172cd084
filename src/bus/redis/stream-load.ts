/** What the Streams of a reader have under way together, so that it is bounded. */

/** Most entries of a read, and about how many bytes. */
const MAX_COUNT = 500;
const READ_BYTES = 4 * 1_024 * 1_024;
/** Nothing is read while so many entries or bytes are under way. */
const MAX_UNDER_WAY = 2_000;
const MAX_UNDER_WAY_BYTES = 16 * 1_024 * 1_024;

export class StreamLoad {
  #entries = 0;
  #bytes = 0;
  #averageBytes = 1_024;
  #less = Promise.withResolvers<void>();
  readonly #suspects = new Set<string>();

  get isEmpty(): boolean {
    return this.#entries === 0;
  }

  get isFull(): boolean {
    return this.#entries >= MAX_UNDER_WAY || this.#bytes >= MAX_UNDER_WAY_BYTES;
  }

  /** How many entries may be read now, at least one. */
  get room(): number {
    const bytes = Math.min(READ_BYTES, MAX_UNDER_WAY_BYTES - this.#bytes);
    const entries = Math.min(MAX_COUNT, MAX_UNDER_WAY - this.#entries, Math.floor(bytes / this.#averageBytes));
    return Math.max(1, entries);
  }

  /** Resolves when there is less. */
  get less(): Promise<void> {
    return this.#less.promise;
  }

  /** Entries under way with which an owner has died: this instance may be next, whatever else it tries. */
  get hasSuspects(): boolean {
    return this.#suspects.size > 0;
  }

  suspect(entry: string): void {
    this.#suspects.add(entry);
  }

  clear(entry: string): void {
    this.#suspects.delete(entry);
  }

  add(bytes: number): void {
    this.#entries += 1;
    this.#bytes += bytes;
    this.#averageBytes = Math.max(256, 0.9 * this.#averageBytes + 0.1 * bytes, bytes / 16);
  }

  remove(bytes: number): void {
    this.#entries -= 1;
    this.#bytes -= bytes;
    this.#less.resolve();
    this.#less = Promise.withResolvers();
  }
}
