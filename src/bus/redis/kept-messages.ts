/** Messages of other instances' shards: kept for 30 s, so that nothing is lost when their owner dies. */
import type { RedisMessage } from "./messages.ts";

/** How long messages are kept, milliseconds: longer than a lease lives after its owner has died. */
export const KEEP_MS = 30_000;

/** Most bytes that are kept, and what a message costs besides its text. */
const MAX_BYTES = 16 * 1_024 * 1_024;
const OVERHEAD_BYTES = 200;

export class KeptMessages {
  readonly #dropped: (source: string) => void;
  /** In the order of their arrival, about. */
  #messages = new Set<RedisMessage>();
  #bytes = 0;

  /** `dropped` is called for messages for which there is no room. */
  constructor(dropped: (source: string) => void) {
    this.#dropped = dropped;
  }

  get size(): number {
    return this.#messages.size;
  }

  /** Keeps a message. What is too old goes, and the oldest while there is too much. */
  add(message: RedisMessage, now: number): void {
    this.#messages.add(message);
    this.#bytes += bytesOf(message);
    this.prune(now);
    for (const oldest of this.#messages) {
      if (this.#bytes <= MAX_BYTES) break;
      this.#remove(oldest);
      this.#dropped(oldest.source);
    }
  }

  /** Forgets what is too old. */
  prune(now: number): void {
    for (const message of this.#messages) {
      if (now - message.seenAt < KEEP_MS) break;
      this.#remove(message);
    }
  }

  /** Takes all out. */
  takeAll(now: number): readonly RedisMessage[] {
    this.prune(now);
    const all = [...this.#messages];
    this.#messages = new Set();
    this.#bytes = 0;
    return all;
  }

  #remove(message: RedisMessage): void {
    if (this.#messages.delete(message)) this.#bytes -= bytesOf(message);
  }
}

function bytesOf({ value }: RedisMessage): number {
  return value.length + OVERHEAD_BYTES;
}
