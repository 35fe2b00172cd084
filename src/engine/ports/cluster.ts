/** The instances on one database. */

/** Another instance on the database. */
export interface OtherInstance {
  readonly id: string;
  /** Its address, host:port. */
  readonly address: string;
  /** It is about to stop and takes no new runs. */
  readonly leaving: boolean;
  /** Whether it owns shards. */
  readonly owns: boolean;
  /** The shards that it owns. */
  readonly shards: readonly number[];
}

/** Where a call can be made: at this instance, or at another one, by address. */
export type Place = "here" | { readonly address: string };

/** A snapshot of the instances and their shards. */
export interface ClusterView {
  /** The other instances that are alive or own shards. */
  readonly others: readonly OtherInstance[];
  /** Sum of the epochs of all shards: it increases whenever a shard changes owner. */
  readonly epochs: number;
}

/** Finds the other instances. */
export interface Cluster {
  /** The other instances, as of the last refresh a few seconds ago; the same object until the next one. */
  view(): ClusterView;
  /**
   * Where the run is, as of the last refresh: a guess that {@link Cluster.locate} corrects. Null: its shard had no
   * owner.
   */
  ownerOf(runId: string): Place | null;
  /**
   * Finds the instance that can take a call for a run, or, with an empty id, the instance that accepts starts of new
   * runs. `here` is this instance, which takes over a run without an owner for that purpose. Null: no instance for now.
   * `unreachable` is an address where nothing answered.
   */
  locate(runId: string, unreachable?: string): Promise<Place | null>;
}
