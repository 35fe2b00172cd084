/**
 * Shards above the fair share of this instance, which another one that joined should have: those without work are given
 * at once, the others as they become idle, within a minute. New entities start in other shards meanwhile.
 */
import type { Log } from "../../../base/log.ts";
import type { Leases } from "../../ports/leases.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { BusyShards } from "./busy-shards.ts";
import type { OwnedShards } from "./owned-shards.ts";

/**
 * How long shards above our share are kept because calls are under way in them, milliseconds. Then those calls are made
 * again elsewhere.
 */
export const KEEP_BUSY_MS = 60_000;

/** What giving shards away takes. */
export interface SurplusParts {
  readonly leases: Pick<Leases, "releaseSome">;
  readonly shards: OwnedShards;
  readonly busyShards: BusyShards;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
}

/** Gives shards above the fair share away. */
export class Surplus {
  readonly #parts: SurplusParts;
  #count = 0;
  #since = 0;

  constructor(parts: SurplusParts) {
    this.#parts = parts;
  }

  /** How many shards we own above our share. */
  get count(): number {
    return this.#count;
  }

  /** Takes note of how many shards we own above our share now. */
  note(count: number): void {
    if (this.#count === 0) this.#since = performance.now();
    this.#count = count;
  }

  /** Gives what can be given now. Nothing else may change the leases meanwhile. */
  async give(): Promise<void> {
    const { leases, shards, busyShards, lifecycle, log } = this.#parts;
    shards.spared = new Set();
    if (this.#count === 0 || lifecycle.draining) return;
    const keptMs = performance.now() - this.#since;
    const { now, later } = chooseSurplus(shards.owned, busyShards.count().busy, this.#count, keptMs);
    shards.spared = new Set(later);
    if (now.length === 0) return;
    for (const shard of now) shards.lose(shard);
    // One whose row is locked stays ours, and is taken again by the next look.
    this.#count -= (await leases.releaseSome(now)).length;
    if (this.#count > 0) log.info("shards are given away when their attempts have ended", { shards: this.#count });
  }
}

/**
 * The shards to give to an instance that joins: the `count` with the least work under way. Those without any go `now`,
 * the others `later`, unless they have been kept for too long.
 */
export function chooseSurplus(
  owned: readonly number[],
  busy: ReadonlyMap<number, number>,
  count: number,
  keptMs: number,
): { readonly now: readonly number[]; readonly later: readonly number[] } {
  const workIn = (shard: number): number => busy.get(shard) ?? 0;
  // The highest numbers first: new entities go to the lowest.
  const chosen = owned.toSorted((a, b) => workIn(a) - workIn(b) || b - a).slice(0, count);
  if (keptMs >= KEEP_BUSY_MS) return { now: chosen, later: [] };
  return { now: chosen.filter((shard) => !busy.has(shard)), later: chosen.filter((shard) => busy.has(shard)) };
}
