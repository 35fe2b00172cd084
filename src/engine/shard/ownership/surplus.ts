/**
 * Shards above the fair share of this instance, for another one that joined. Idle ones are given away at once, the
 * others as they become idle, within a minute. New entities start in other shards.
 */
import type { Log } from "../../../base/log.ts";
import type { Leases } from "../../ports/leases.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { BusyShards } from "./busy-shards.ts";
import type { OwnedShards } from "./owned-shards.ts";

/** How long busy shards above our share are kept, milliseconds. After that their calls are repeated elsewhere. */
export const KEEP_BUSY_MS = 60_000;

export interface SurplusParts {
  readonly leases: Pick<Leases, "releaseSome">;
  readonly shards: OwnedShards;
  readonly busyShards: BusyShards;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
}

/** Gives away shards above the fair share. */
export class Surplus {
  readonly #parts: SurplusParts;
  #count = 0;
  #since = 0;

  constructor(parts: SurplusParts) {
    this.#parts = parts;
  }

  /** Number of shards above our share. */
  get count(): number {
    return this.#count;
  }

  /** Sets the number of shards above our share. */
  note(count: number): void {
    if (this.#count === 0) this.#since = performance.now();
    this.#count = count;
  }

  /** Gives away what is possible now. Nothing else may change the leases at the same time. */
  async give(): Promise<void> {
    const { leases, shards, busyShards, lifecycle, log } = this.#parts;
    shards.spared = new Set();
    if (this.#count === 0 || lifecycle.draining) return;
    const keptMs = performance.now() - this.#since;
    const { now, later } = chooseSurplus(shards.owned, busyShards.count().busy, this.#count, keptMs);
    shards.spared = new Set(later);
    if (now.length === 0) return;
    for (const shard of now) shards.lose(shard);
    // A shard whose row is locked stays ours; the next check takes it again.
    this.#count -= (await leases.releaseSome(now)).length;
    if (this.#count > 0) log.info("shards are given away when their attempts have ended", { shards: this.#count });
  }
}

/**
 * Chooses the `count` shards with the least work. Idle ones go `now`, the others `later` unless they have been kept too
 * long.
 */
export function chooseSurplus(
  owned: readonly number[],
  busy: ReadonlyMap<number, number>,
  count: number,
  keptMs: number,
): { readonly now: readonly number[]; readonly later: readonly number[] } {
  const workIn = (shard: number): number => busy.get(shard) ?? 0;
  // Highest numbers first, because new entities go to the lowest.
  const chosen = owned.toSorted((a, b) => workIn(a) - workIn(b) || b - a).slice(0, count);
  if (keptMs >= KEEP_BUSY_MS) return { now: chosen, later: [] };
  return { now: chosen.filter((shard) => !busy.has(shard)), later: chosen.filter((shard) => busy.has(shard)) };
}
