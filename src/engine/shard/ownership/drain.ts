/**
 * The drain: the orderly end of an instance, before its parts are closed.
 *
 *   draining (no call starts, waiting callers are answered, no shards are taken) → shards without calls are given back
 *   at once, the others when their
 *   calls have ended and the results are committed → no shard is owned, or the time is up
 *
 * Attempts that are dispatched during the drain do not start here: the next owner of the entity dispatches them again,
 * with the same attempt number and key. So the effect of every call that ends in time happens once. Other calls are
 * aborted at the close and repeated elsewhere. An instance that is alone keeps its shards until the last call has
 * ended, because no other could handle calls for their entities.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../../base/log.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Residence } from "../residence/residence.ts";
import type { BusyShards, UnderWay } from "./busy-shards.ts";
import type { LeaseRenewer } from "./lease-renewer.ts";
import type { OwnedShards } from "./owned-shards.ts";

/** Interval of checks for calls in progress, milliseconds. */
const LOOK_EVERY_MS = 20;

/** Pause after a failure to reach the store, milliseconds. */
const AGAIN_MS = 1_000;

/** Time to write the last results when no calls are left; a statement takes no longer. Milliseconds. */
const WRITE_MS = 12_000;

export interface DrainParts {
  readonly shards: OwnedShards;
  readonly residences: readonly Residence[];
  readonly busyShards: BusyShards;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
}

export class Drain {
  readonly #parts: DrainParts;
  readonly #renewer: Pick<LeaseRenewer, "leave" | "hasHeirs" | "give">;

  constructor(parts: DrainParts, renewer: Pick<LeaseRenewer, "leave" | "hasHeirs" | "give">) {
    this.#parts = parts;
    this.#renewer = renewer;
  }

  /** Resolves with the number of calls still in progress: 0 unless `graceMs` was not enough. */
  async run(graceMs: number): Promise<number> {
    const { lifecycle, residences, log } = this.#parts;
    lifecycle.draining = true;
    for (const residence of residences) residence.wakeWaiters();
    const giveUpAt = performance.now() + graceMs;
    const patience = sleep(graceMs, undefined, { ref: false });
    let work = this.#parts.busyShards.count();
    if (work.calls > 0) log.info("waiting for attempts in progress", { attempts: work.calls, graceMs });
    // A database that does not respond must not delay the stop beyond its time.
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
    if (attempts > 0) log.warn("attempts are aborted; they are repeated after the next start", { attempts });
    return attempts;
  }

  /**
   * Gives idle shards back if another instance can take them or no work is in progress. Resolves with the number of
   * remaining shards; null if the store is unreachable.
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
