/** Callers that wait for the end of evicted entities: the entity is not in memory, but its waiters are. */
import type { EntityTypes } from "../kind.ts";
import type { Resident, Waiter } from "../resident.ts";

/** Waiters of evicted entities, by id. */
export class EvictedWaiters<T extends EntityTypes> {
  readonly #shardOf: (id: string) => number;
  readonly #waiters = new Map<string, Set<Waiter<T>>>();

  constructor(shardOf: (id: string) => number) {
    this.#shardOf = shardOf;
  }

  /** Takes the waiters of a resident before its eviction. */
  take(resident: Resident<T>): void {
    if (resident.waiters.size > 0) this.#waiters.set(resident.id, resident.waiters);
    resident.waiters = new Set();
  }

  /** Returns them to the current resident of the entity. If the entity has ended, they are answered. */
  giveBack(resident: Resident<T>, hasEnded: boolean): void {
    const waiters = this.#waiters.get(resident.id);
    if (waiters === undefined) return;
    this.#waiters.delete(resident.id);
    resident.waiters = waiters;
    if (hasEnded) for (const wake of [...waiters]) wake(resident);
  }

  /** Removes a set of waiters once it is empty. */
  forget(id: string, waiters: ReadonlySet<Waiter<T>>): void {
    if (waiters.size === 0 && this.#waiters.get(id) === waiters) this.#waiters.delete(id);
  }

  /** Answers the waiters of a shard, or all of them, because nothing will happen to their entities here. */
  wake(shard?: number): void {
    for (const [id, waiters] of this.#waiters) {
      if (shard !== undefined && this.#shardOf(id) !== shard) continue;
      for (const wake of [...waiters]) wake(null);
    }
  }
}
