/** The instances on one database. */

/** Another instance on the database. */
export interface OtherInstance {
  readonly id: string;
  /** Where it is reached, host:port. */
  readonly address: string;
  /** It is about to stop: it takes no new runs. */
  readonly leaving: boolean;
  /** Whether it owns shards. */
  readonly owns: boolean;
}

/** Where a call can be made: at this instance, or at another one, by its address. */
export type Place = "here" | { readonly address: string };

/** What a look at the instances and their shards has found. */
export interface ClusterView {
  /** The other instances that live or own shards. */
  readonly others: readonly OtherInstance[];
  /** Sum of the epochs of all shards: it grows whenever one of them changes hands. */
  readonly epochs: number;
}

/** Finds the other instances. */
export interface Cluster {
  /** The other instances, as of the last look: a few seconds ago. */
  view(): ClusterView;
  /**
   * Finds who can take a call for a run; with an empty id, who takes starts of new runs. `here` is this instance, which takes over a run of nobody for that
   * purpose. Null: nobody for now. `unreachable` is an address where nothing answered.
   */
  locate(runId: string, unreachable?: string): Promise<Place | null>;
}
