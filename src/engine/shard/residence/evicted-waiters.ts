/**
 * Callers who wait for entities that only wait themselves: an evicted entity is not in memory, but those who wait for
 * its end are.
 */
import type { EntityTypes } from "../kind.ts";
import type { Resident, Waiter } from "../resident.ts";

/** Waiters of evicted entities, by id. */
export class EvictedWaiters<T extends EntityTypes> {
  readonly #shardOf: (id: string) => number;
  readonly #waiters = new Map<string, Set<Waiter<T>>>();

  constructor(shardOf: (id: string) => number) {
    this.#shardOf = shardOf;
  }

  /** Takes the waiters of a resident that is about to leave memory. */
  take(resident: Resident<T>): void {
    if (resident.waiters.size > 0) this.#waiters.set(resident.id, resident.waiters);
    resident.waiters = new Set();
  }

  /**
   * Gives them back to the resident that the entity has now. Those of an entity that has ended meanwhile are answered.
   */
  giveBack(resident: Resident<T>, hasEnded: boolean): void {
    const waiters = this.#waiters.get(resident.id);
    if (waiters === undefined) return;
    this.#waiters.delete(resident.id);
    resident.waiters = waiters;
    if (hasEnded) for (const wake of [...waiters]) wake(resident);
  }

  /** Forgets a set of waiters when none is left in it. */
  forget(id: string, waiters: ReadonlySet<Waiter<T>>): void {
    if (waiters.size === 0 && this.#waiters.get(id) === waiters) this.#waiters.delete(id);
  }

  /** Answers the waiters of a shard's entities, or all of them: nothing will happen to those entities here. */
  wake(shard?: number): void {
    for (const [id, waiters] of this.#waiters) {
      if (shard !== undefined && this.#shardOf(id) !== shard) continue;
      for (const wake of [...waiters]) wake(null);
    }
  }
}
