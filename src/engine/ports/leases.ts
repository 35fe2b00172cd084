/** Ownership of shards. */
import type { ClusterView } from "./cluster.ts";

/** Ownership of a shard. */
export interface Lease {
  readonly shard: number;
  readonly epoch: number;
}

/** A shard whose epoch this instance has just raised. */
export interface RaisedLease extends Lease {
  /**
   * The incarnation that owned it before. An incarnation is one life of an instance: it begins when the instance
   * registers, and again after its lease expired. Null when no owner has left one.
   */
  readonly previousOwner: string | null;
  /**
   * How long ago the life of an owner that died ended, milliseconds; null: unknown, or nobody died. Below 0: an owner
   * that died and came back under its name within its life.
   */
  readonly ownerlessMs: number | null;
}

/** A shard that this instance has just taken. */
export interface TakenLease extends RaisedLease {
  /**
   * The previous owner released it. False: it died or lost the shard, so one of the shard's runs may have killed it.
   */
  readonly clean: boolean;
}

/** What limits which versions of the journal's format may be written. */
export interface JournalVersions {
  /** The lowest version that a living instance reads. */
  readonly reads: number;
  /** The version that the database is finalized to: until it is raised, the release before can be started again. */
  readonly finalized: number;
}

/** Shard ownership. */
export interface Leases {
  /**
   * Takes a fair share of the free or expired shards, and also the shard `wanted` if that is free. Returns the shards
   * taken, all shards held now, how many of those exceed the fair share and should be released, the clock of the
   * database in milliseconds, and the versions of the journal. With `renews` it is also a {@link Leases.renew}, in the
   * same statement.
   */
  acquire(
    wanted?: number,
    options?: { readonly renews: boolean },
  ): Promise<{
    /** False: the life of this instance was to be extended, and had already expired. */
    readonly renewed: boolean;
    readonly taken: readonly TakenLease[];
    readonly held: readonly Lease[];
    readonly surplus: number;
    readonly now: number;
    readonly journal: JournalVersions;
  }>;
  /** The other instances, as of the last {@link Leases.acquire}. */
  cluster(): ClusterView;
  /** Extends the life of this instance; false when it had already expired and its shards may be lost. */
  renew(): Promise<boolean>;
  /**
   * Raises the epoch of the instance's own shards, waiting for every statement under the old epoch to end. Returns the
   * shards that it still owns; the first time, with what is known of an earlier process of its name.
   */
  raise(shards: readonly number[]): Promise<readonly RaisedLease[]>;
  /** Returns the address, host:port, of the live owner of a shard; null when it has none. */
  addressOf(shard: number): Promise<string | null>;
  /**
   * Announces that this instance is stopping: it no longer counts for a share and takes no shards, but keeps its shards
   * until they are released.
   */
  leave(): Promise<void>;
  /** Refreshes {@link Leases.cluster}. */
  look(): Promise<ClusterView>;
  /** Releases these shards cleanly. Returns those that were released; a shard whose row is locked is kept. */
  releaseSome(shards: readonly number[]): Promise<readonly number[]>;
  /** Releases all shards. */
  release(): Promise<void>;
  /**
   * Calls `listener` when another instance has released shards or joined, until the returned function is called. A
   * hint: some notifications are lost.
   */
  listen(listener: () => void): () => Promise<void>;
}
