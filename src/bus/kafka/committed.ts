/** Which batches of a partition are not part of an aborted transaction. */

/** Marks a batch that belongs to a transaction, and one that ends transactions. */
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

/** Type of the marker of an aborted transaction; 1: committed. */
const ABORT = 0;

/** The relevant fields of a batch. */
interface Batch {
  readonly firstOffset: bigint;
  readonly lastOffsetDelta: number;
  readonly attributes: number;
  readonly producerId: bigint;
  readonly records: readonly { readonly key: Buffer | null }[];
}

/** A transaction that the broker says was aborted, with its first offset in the partition. */
interface Aborted {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/**
 * Yields the batches that count, of a fetch that reads up to the last stable offset. An aborted transaction lasts from
 * its first offset to its marker. The client library leaves such batches in when their marker comes with a later fetch,
 * and when a producer has aborted more than once in a fetch.
 */
export function* withoutAborted<B extends Batch>(batches: readonly B[], aborted: readonly Aborted[]): Generator<B> {
  const rest = aborted.toSorted((a, b) => Number(a.firstOffset - b.firstOffset));
  const open = new Set<bigint>();
  for (const batch of batches) {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    while (rest[0] !== undefined && rest[0].firstOffset <= last) open.add(rest.shift()?.producerId ?? -1n);
    if ((batch.attributes & CONTROL) !== 0) {
      if (batch.records[0]?.key?.readInt16BE(2) === ABORT) open.delete(batch.producerId);
    } else if ((batch.attributes & TRANSACTIONAL) === 0 || !open.has(batch.producerId)) {
      yield batch;
    }
  }
}
