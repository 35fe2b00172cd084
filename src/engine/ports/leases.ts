/** Ownership of shards. */
import type { ClusterView } from "./cluster.ts";

/** Ownership of a shard. */
export interface Lease {
  readonly shard: number;
  readonly epoch: number;
}

/** A shard that this instance has just taken. */
export interface TakenLease extends Lease {
  /** The owner before gave it back; false: it died or lost it, so its runs may be what killed it. */
  readonly clean: boolean;
}

/** Shard ownership. */
export interface Leases {
  /**
   * Takes a fair share of what is free or expired, and the shard `wanted` beyond it if that is free. Returns what was taken, all that is held now, how many of
   * those are above the fair share and should be given back, the clock of the database in milliseconds, and the lowest version of the journal's format that a
   * living instance reads.
   */
  acquire(wanted?: number): Promise<{
    readonly taken: readonly TakenLease[];
    readonly held: readonly Lease[];
    readonly surplus: number;
    readonly now: number;
    readonly reads: number;
  }>;
  /** The other instances as {@link Leases.acquire} last saw them. */
  cluster(): ClusterView;
  /** Extends the life of this instance; false when it had already expired and its shards may be gone. */
  renew(): Promise<boolean>;
  /** Raises the epoch of our own shards: waits for every statement under the old epoch to end. Returns those that are still ours. */
  raise(shards: readonly number[]): Promise<readonly Lease[]>;
  /** Where the live owner of a shard is reached, host:port; null when it has none. */
  addressOf(shard: number): Promise<string | null>;
  /** Announces that this instance stops: it counts for no share any more and takes nothing, but keeps what it has until it is released. */
  leave(): Promise<void>;
  /** Reads {@link Leases.cluster} anew. */
  look(): Promise<ClusterView>;
  /** Gives these shards back in good order. Returns those that were given; one whose row is locked stays. */
  releaseSome(shards: readonly number[]): Promise<readonly number[]>;
  /** Gives all shards back. */
  release(): Promise<void>;
  /** Calls `listener` when another instance has given shards back or has joined, until the returned function is called. A hint: some are lost. */
  listen(listener: () => void): () => Promise<void>;
}
