/**
 * Counts the tasks of this instance's runs that run, wait for a hand-over, or wait for an automatic retry.
 *
 * Those of runs in memory are counted when somebody asks. A run that only waits leaves memory, and leaves its number in
 * the sum of its shard; when it is read again, it takes the number back, since nobody else can have changed it. So
 * nothing is kept for a run. One that an earlier owner has left there is told from one of ours by the time of its last
 * change: it is not counted before it is read.
 */
import type { DatabaseClock } from "../shard/ownership/database-clock.ts";
import type { OwnedShards } from "../shard/ownership/owned-shards.ts";
import type { RunResidence, RunResident } from "./run-resident.ts";

/** Clocks of two instances differ by less, milliseconds. */
const CLOCK_SKEW_MS = 10_000;

export interface ActiveTasksParts {
  readonly residence: RunResidence;
  readonly shards: Pick<OwnedShards, "epochOf" | "onLost">;
  readonly clock: Pick<DatabaseClock, "now">;
}

interface ShardSum {
  /** Later than the last change by an earlier owner, milliseconds since the epoch. */
  readonly oursFrom: number;
  /** Active tasks of runs that have left memory. */
  resting: number;
}

/** Counts active tasks. */
export class ActiveTasks {
  readonly #parts: ActiveTasksParts;
  readonly #sums = new Map<number, ShardSum>();

  constructor(parts: ActiveTasksParts) {
    this.#parts = parts;
    parts.shards.onLost((shard) => void this.#sums.delete(shard));
  }

  get count(): number {
    let count = 0;
    for (const resident of this.#parts.residence.residents.values()) count += countOf(resident);
    for (const { resting } of this.#sums.values()) count += resting;
    return count;
  }

  /** These shards are ours. */
  taken(shards: readonly number[]): void {
    for (const shard of shards) this.#sumOf(shard);
  }

  /** The run was read. */
  opened(resident: RunResident): void {
    this.#rest(resident, -countOf(resident));
  }

  /** The run leaves memory. */
  left(resident: RunResident): void {
    this.#rest(resident, countOf(resident));
  }

  #rest({ shard, entity: { state } }: RunResident, count: number): void {
    const sum = this.#sumOf(shard);
    if (sum !== null && state.updatedAt > sum.oursFrom) sum.resting = Math.max(0, sum.resting + count);
  }

  #sumOf(shard: number): ShardSum | null {
    const { shards, clock } = this.#parts;
    const known = this.#sums.get(shard);
    if (known !== undefined || shards.epochOf(shard) === undefined) return known ?? null;
    const sum = { oursFrom: clock.now() + CLOCK_SKEW_MS, resting: 0 };
    this.#sums.set(shard, sum);
    return sum;
  }
}

function countOf({ entity: { state } }: RunResident): number {
  return state.endedAt === 0 ? state.active + state.away : 0;
}
