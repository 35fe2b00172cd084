/** Finds other instances, and the one that can handle a call which this one cannot. */

import type { Cluster, ClusterView, Place } from "../../ports/cluster.ts";
import type { Leases } from "../../ports/leases.ts";
import type { OwnedShards } from "./owned-shards.ts";

/** The cluster as seen in the leases. */
export class LeaseCluster implements Cluster {
  readonly #shards: OwnedShards;
  readonly #leases: Pick<Leases, "addressOf" | "cluster">;
  readonly #look: (wanted?: number) => Promise<void>;
  /** Questions on their way, by shard and unreachable address: many runs are asked for at once. */
  readonly #located = new Map<string, Promise<Place | null>>();

  /** `look` takes free shards now, `wanted` first. */
  constructor(
    shards: OwnedShards,
    leases: Pick<Leases, "addressOf" | "cluster">,
    look: (wanted?: number) => Promise<void>,
  ) {
    this.#shards = shards;
    this.#leases = leases;
    this.#look = look;
  }

  view(): ClusterView {
    return this.#leases.cluster();
  }

  ownerOf(id: string): Place | null {
    const shard = this.#shards.shardOf(id);
    if (this.#shards.epochOf(shard) !== undefined) return "here";
    const owner = this.#leases.cluster().others.find(({ shards }) => shards.includes(shard));
    return owner === undefined ? null : { address: owner.address };
  }

  /** Errors: those of the store. */
  locate(id: string, unreachable?: string): Promise<Place | null> {
    return id === "" ? this.#locateStarter(unreachable) : this.#locateOwner(id, unreachable);
  }

  #locateOwner(id: string, unreachable?: string): Promise<Place | null> {
    const shard = this.#shards.shardOf(id);
    const key = `${shard} ${unreachable ?? ""}`;
    const known = this.#located.get(key);
    if (known !== undefined) return known;
    const located = this.#locateShard(shard, unreachable).finally(() => this.#located.delete(key));
    this.#located.set(key, located);
    return located;
  }

  async #locateShard(shard: number, unreachable?: string): Promise<Place | null> {
    if (this.#shards.epochOf(shard) !== undefined) return "here";
    const address = await this.#leases.addressOf(shard);
    if (address !== null && address !== unreachable) return { address };
    // The shard has no owner, or one that may be dead: try to take it.
    await this.#look(shard);
    return this.#shards.epochOf(shard) === undefined ? null : "here";
  }

  async #locateStarter(unreachable?: string): Promise<Place | null> {
    const known = this.#findStarter(unreachable);
    if (known !== null) return known;
    await this.#look();
    return this.#findStarter(unreachable);
  }

  #findStarter(unreachable?: string): Place | null {
    if (this.#shards.pick() !== undefined) return "here";
    const { others } = this.#leases.cluster();
    const takers = others.filter(({ address, leaving, owns }) => owns && !leaving && address !== unreachable);
    const taker = takers[Math.floor(Math.random() * takers.length)];
    return taker === undefined ? null : { address: taker.address };
  }
}
