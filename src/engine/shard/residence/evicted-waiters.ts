/** Callers that wait for the end of evicted entities: the entity is not in memory, but its waiters are. */
import type { EntityTypes } from "../kind.ts";
import type { Resident } from "../resident.ts";
import { Waits } from "./waits.ts";

/** Waiters of evicted entities, by id. */
export class EvictedWaiters<T extends EntityTypes> {
  readonly #shardOf: (id: string) => number;
  readonly #waits = new Map<string, Waits<T>>();

  constructor(shardOf: (id: string) => number) {
    this.#shardOf = shardOf;
  }

  /** Takes the waiters of a resident before its eviction. */
  take(resident: Resident<T>): void {
    if (resident.waits.size === 0) return;
    this.#waits.set(resident.id, resident.waits);
    resident.waits = new Waits();
  }

  /** Returns them to the current resident of the entity. If the entity has ended, they are answered. */
  giveBack(resident: Resident<T>, hasEnded: boolean): void {
    const waits = this.#waits.get(resident.id);
    if (waits === undefined) return;
    this.#waits.delete(resident.id);
    resident.waits = waits;
    if (hasEnded) waits.wake(resident);
  }

  /** Removes a list of waiters once it is empty. */
  forget(id: string, waits: Waits<T>): void {
    if (waits.size === 0 && this.#waits.get(id) === waits) this.#waits.delete(id);
  }

  /** Answers the waiters of a shard, or all of them, because nothing will happen to their entities here. */
  wake(shard?: number): void {
    for (const [id, waits] of this.#waits) if (shard === undefined || this.#shardOf(id) === shard) waits.wake(null);
  }
}
