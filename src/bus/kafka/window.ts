/**
 * The messages of a partition between the last one that was fetched and the first one that is not done. Messages end in
 * any order; the position of the partition is the first one that has not.
 */

import type { Suspicion } from "./trials.ts";

/** Messages of a partition under way, at most; then nothing more is fetched from it. */
export const MOST_MESSAGES = 10_000;
const MOST_BYTES = 16 * 1_024 * 1_024;

/** A partition that is being read. */
export class Window {
  /** The offset to fetch next. */
  next: bigint;
  /** Messages that are tried one after the other; null: there are none. */
  suspicion: Suspicion | null;
  /** Messages that were fetched are still tried. */
  isOnTrial = false;
  /** Offsets under way, ascending, with their sizes; those that are done have no size any more. */
  readonly #open = new Map<bigint, number>();
  #bytes = 0;

  constructor(position: bigint, suspicion: Suspicion | null = null) {
    this.next = position;
    this.suspicion = suspicion;
  }

  /** Everything before it is done. */
  get position(): bigint {
    for (const offset of this.#open.keys()) return offset;
    return this.next;
  }

  get isFull(): boolean {
    return this.isOnTrial || this.#open.size >= MOST_MESSAGES || this.#bytes >= MOST_BYTES;
  }

  get size(): number {
    return this.#open.size;
  }

  /** A message is under way. */
  begin(offset: bigint, bytes: number): void {
    this.#open.set(offset, bytes);
    this.#bytes += bytes;
    this.next = offset + 1n;
  }

  /** A message is applied or rejected. */
  end(offset: bigint): void {
    this.#bytes -= this.#open.get(offset) ?? 0;
    this.#open.delete(offset);
  }

  /** There is nothing to fetch before this offset. */
  skipTo(offset: bigint): void {
    if (offset > this.next) this.next = offset;
  }
}
