import type { Residence } from "../residence/residence.ts";
import { isClean } from "../resident.ts";
import type { OwnedShards } from "./owned-shards.ts";

/** Work in progress on this instance. */
export interface UnderWay {
  /** External calls. */
  readonly calls: number;
  /** Amount of work by shard, for shards that have any. */
  readonly busy: ReadonlyMap<number, number>;
}

/** Counts the work in shards: external calls, and transitions that are not durable yet. */
export class BusyShards {
  readonly #shards: OwnedShards;
  readonly #residences: readonly Residence[];

  constructor(shards: OwnedShards, residences: readonly Residence[]) {
    this.#shards = shards;
    this.#residences = residences;
  }

  count(): UnderWay {
    let calls = 0;
    const busy = new Map([...this.#shards.closed.keys()].map((shard) => [shard, 1]));
    for (const { kind, residents } of this.#residences) {
      for (const resident of residents.values()) {
        const underWay = kind.outside.callsOf(resident);
        calls += underWay;
        const isWaiting = !isClean(resident) || (resident.heldBack?.events.length ?? 0) > 0;
        const work = underWay + (isWaiting ? 1 : 0);
        if (work > 0) busy.set(resident.shard, (busy.get(resident.shard) ?? 0) + work);
      }
    }
    return { calls, busy };
  }
}
