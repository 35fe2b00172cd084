/** Callers who wait for runs that only wait themselves: a parked run is not in memory, those who wait for its end are. */
import { shardOfRun } from "../../base/ids.ts";
import type { Cell, Waiter } from "./cell.ts";

/** Waiters of parked runs, by run id. */
export class ParkedWaiters {
  readonly #shards: number;
  readonly #waiters = new Map<string, Set<Waiter>>();

  constructor(shards: number) {
    this.#shards = shards;
  }

  /** Takes the waiters of a cell that is about to leave memory. */
  take(cell: Cell): void {
    if (cell.waiters.size > 0) this.#waiters.set(cell.runId, cell.waiters);
    cell.waiters = new Set();
  }

  /** Gives them back to the cell that the run has now; those of a run that has ended meanwhile are told. */
  giveBack(cell: Cell, hasEnded: boolean): void {
    const waiters = this.#waiters.get(cell.runId);
    if (waiters === undefined) return;
    this.#waiters.delete(cell.runId);
    cell.waiters = waiters;
    if (hasEnded) for (const wake of [...waiters]) wake(cell);
  }

  /** Forgets a set of waiters when none is left in it. */
  forget(runId: string, waiters: ReadonlySet<Waiter>): void {
    if (waiters.size === 0 && this.#waiters.get(runId) === waiters) this.#waiters.delete(runId);
  }

  /** Tells the waiters of a shard's runs, or of all, that nothing will be heard of them here. */
  wake(shard?: number): void {
    for (const [runId, waiters] of this.#waiters) {
      if (shard !== undefined && shardOfRun(runId, this.#shards) !== shard) continue;
      for (const wake of [...waiters]) wake(null);
    }
  }
}
