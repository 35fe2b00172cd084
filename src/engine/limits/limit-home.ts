/**
 * Gives out slots of the limits whose home this instance owns. It keeps no counts, only which limits have changed; the
 * rows say the rest.
 *
 *   changed ──→ next statement ──→ told to the owners of the runs
 *                    │  │
 *                    │  └──rate or pause──→ changed again when its time has come
 *                    └──failed──→ once the statement can have no effect any more: changed again
 */
import { setTimeout as sleep } from "node:timers/promises";
import { hashKey } from "../../base/ids.ts";
import type { Log } from "../../base/log.ts";
import { type LongTimer, startLongTimer } from "../../base/time/long-timer.ts";
import type { GrantRound, LimitKey, LimitSlotStore } from "../ports/dispatch/limits.ts";
import type { Lease } from "../ports/leases.ts";
import type { DatabaseClock } from "../shard/ownership/database-clock.ts";
import type { OwnedShards } from "../shard/ownership/owned-shards.ts";

/** Most limits of one statement. */
const MAX_LIMITS = 500;

/** A statement that has not started after this time has no effect, milliseconds. */
const STATEMENT_LIFE_MS = 3_000;

/** Pause before a failed statement for a limit is repeated, milliseconds. */
const AGAIN_MS = 200;

export interface LimitHomeParts {
  readonly store: Pick<LimitSlotStore, "grant" | "settle">;
  readonly shards: Pick<OwnedShards, "count" | "epochOf">;
  readonly clock: Pick<DatabaseClock, "now">;
  readonly log: Log;
  /** Notifies the owners of the runs. */
  readonly tell: (granted: GrantRound["granted"]) => void;
}

/** Key of a limit in maps. */
export function textOf({ tenantId, name, key }: LimitKey): string {
  return JSON.stringify([tenantId, name, key]);
}

/** Gives out slots. */
export class LimitHome {
  readonly #parts: LimitHomeParts;
  readonly #changed = new Map<string, LimitKey>();
  readonly #later = new Map<string, LongTimer>();
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;

  constructor(parts: LimitHomeParts) {
    this.#parts = parts;
  }

  /** The shard of a limit. */
  homeOf({ tenantId, name, key }: LimitKey): number {
    return hashKey([tenantId, name, key]) % this.#parts.shards.count;
  }

  /** Somebody waits for a limit of ours, or a slot of it is free. */
  changed(limit: LimitKey): void {
    if (this.#stop.signal.aborted) return;
    const text = textOf(limit);
    this.#changed.set(text, limit);
    this.#later.get(text)?.stop();
    this.#later.delete(text);
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    for (const timer of this.#later.values()) timer.stop();
    this.#later.clear();
    await this.#running;
  }

  async #run(): Promise<void> {
    // Changes of one turn of the event loop go into one statement.
    await new Promise(setImmediate);
    while (this.#changed.size > 0 && !this.#stop.signal.aborted) {
      const limits = this.#take();
      const leases = this.#leasesOf(limits);
      const ours = limits.filter((limit) => leases.some(({ shard }) => shard === this.homeOf(limit)));
      if (ours.length > 0) await this.#grant(leases, ours);
    }
    this.#running = null;
  }

  #take(): readonly LimitKey[] {
    const taken: LimitKey[] = [];
    for (const [text, limit] of this.#changed) {
      if (taken.length === MAX_LIMITS) break;
      this.#changed.delete(text);
      taken.push(limit);
    }
    return taken;
  }

  #leasesOf(limits: readonly LimitKey[]): readonly Lease[] {
    const { shards } = this.#parts;
    return [...new Set(limits.map((limit) => this.homeOf(limit)))]
      .sort((a, b) => a - b)
      .flatMap((shard) => {
        const epoch = shards.epochOf(shard);
        return epoch === undefined ? [] : [{ shard, epoch }];
      });
  }

  async #grant(leases: readonly Lease[], limits: readonly LimitKey[]): Promise<void> {
    const { store, clock, tell, log } = this.#parts;
    const until = clock.now() + STATEMENT_LIFE_MS;
    try {
      const { granted, later } = await store.grant(leases, limits, until);
      tell(granted);
      for (const { limit, inMs } of later) this.#lookIn(limit, inMs);
    } catch (error) {
      log.warn("slots of limits could not be granted; trying again", { limits: limits.length, error });
      await this.#settle(leases, until);
      for (const limit of limits) this.#changed.set(textOf(limit), limit);
    }
  }

  /** Whatever became of a statement that failed, it is over when this resolves: two at once would count wrong. */
  async #settle(leases: readonly Lease[], until: number): Promise<void> {
    const { store, clock, log } = this.#parts;
    const { signal } = this.#stop;
    for (let waitMs = Math.max(AGAIN_MS, until - clock.now()); ; waitMs = AGAIN_MS) {
      // Rejects when it is stopped.
      await sleep(waitMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      try {
        await store.settle(leases);
        return;
      } catch (error) {
        log.warn("the leases of limits could not be read", { error });
      }
    }
  }

  #lookIn(limit: LimitKey, inMs: number): void {
    const text = textOf(limit);
    if (inMs === 0) {
      this.#changed.set(text, limit);
      return;
    }
    this.#later.get(text)?.stop();
    const look = (): void => this.changed(limit);
    this.#later.set(text, startLongTimer(inMs, look));
  }
}
