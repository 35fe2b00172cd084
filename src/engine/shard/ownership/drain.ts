/**
 * The orderly end of an instance, before its parts are taken down:
 *
 *   draining (no call begins, callers who wait are answered, nothing is taken) → shards without a call under way are given back at once, the others as their calls
 *   end and the results are committed → nothing is owned, or the time is up
 *
 * What is dispatched meanwhile is not begun here: the next owner of the entity dispatches it again, with the same
 * attempt number and key. So an effect happens once for every call that ends in time. Those that do not are given up by
 * the close that follows, and made again elsewhere. An instance that is alone keeps its shards until the last call has
 * ended, because nobody else could take the calls for their entities.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../../base/log.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Residence } from "../residence/residence.ts";
import type { BusyShards, UnderWay } from "./busy-shards.ts";
import type { LeaseRenewer } from "./lease-renewer.ts";
import type { OwnedShards } from "./owned-shards.ts";

/** How often the calls under way are counted, milliseconds. */
const LOOK_EVERY_MS = 20;

/** Pause after the store could not be reached, milliseconds. */
const AGAIN_MS = 1_000;

/** Without calls, time for the last results to be written; a statement takes no longer. Milliseconds. */
const WRITE_MS = 12_000;

/** What a drain stands on. */
export interface DrainParts {
  readonly shards: OwnedShards;
  readonly residences: readonly Residence[];
  readonly busyShards: BusyShards;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
}

/** Drains this instance. */
export class Drain {
  readonly #parts: DrainParts;
  readonly #renewer: Pick<LeaseRenewer, "leave" | "hasHeirs" | "give">;

  constructor(parts: DrainParts, renewer: Pick<LeaseRenewer, "leave" | "hasHeirs" | "give">) {
    this.#parts = parts;
    this.#renewer = renewer;
  }

  /** Resolves with how many calls are still under way: 0, unless `graceMs` were not enough. */
  async run(graceMs: number): Promise<number> {
    const { lifecycle, residences, log } = this.#parts;
    lifecycle.draining = true;
    for (const residence of residences) residence.wakeWaiters();
    const giveUpAt = performance.now() + graceMs;
    const patience = sleep(graceMs, undefined, { ref: false });
    let work = this.#parts.busyShards.count();
    if (work.calls > 0) log.info("waiting for the attempts under way", { attempts: work.calls, graceMs });
    // A database that does not answer must not hold the stop for longer than its time.
    await Promise.race([this.#renewer.leave(), patience]);
    let writesUntil = Number.POSITIVE_INFINITY;
    for (;;) {
      work = this.#parts.busyShards.count();
      if (work.calls === 0) writesUntil = Math.min(writesUntil, performance.now() + WRITE_MS);
      const left = await Promise.race([this.#giveIdle(work), patience.then(() => null)]);
      if (work.calls === 0 && (left === null || left === 0)) break;
      const rest = Math.min(giveUpAt, writesUntil) - performance.now();
      if (rest <= 0) break;
      await sleep(Math.min(rest, left === null ? AGAIN_MS : LOOK_EVERY_MS));
    }
    const { calls: attempts } = this.#parts.busyShards.count();
    if (attempts > 0) log.warn("attempts are given up: they are made again after the next start", { attempts });
    return attempts;
  }

  /**
   * Gives idle shards back, if another instance can take them or nothing is under way any more. Resolves with how many
   * shards are left; null when the store cannot be reached.
   */
  async #giveIdle({ calls, busy }: UnderWay): Promise<number | null> {
    const { shards, lifecycle, log } = this.#parts;
    try {
      if (calls > 0 && !(await this.#renewer.hasHeirs())) return shards.owned.length;
      lifecycle.leaving = true;
      const idle = shards.owned.filter((shard) => !busy.has(shard));
      const left = await this.#renewer.give(idle);
      return shards.owned.length + left;
    } catch (error) {
      log.warn("shards could not be given back", { error });
      return null;
    }
  }
}
