/**
 * The lease renewer: what must be done periodically for this instance to own its shards.
 *
 *   every third of the lease time: renew the instance, take free shards, take over their entities
 *   when another instance gives shards back or joins, and when a call asks for an entity without an owner: take free shards at once
 *   when another instance joins: give it the shards above our share; see surplus.ts
 *   when this instance leaves: take nothing more, give shards back as they become idle
 *
 * Together with the looks for due entities it is less than one query a second when nothing happens.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../../base/log.ts";
import { failPoint } from "../../../base/process/fail-points.ts";
import type { Leases, TakenLease } from "../../ports/leases.ts";
import type { Background } from "../background.ts";
import type { Lifecycle } from "../lifecycle.ts";
import { type Repetition, repeat } from "../repeat.ts";
import type { DatabaseClock } from "./database-clock.ts";
import type { WritableFormat } from "./journal-format.ts";
import type { OwnedShards } from "./owned-shards.ts";
import type { Surplus } from "./surplus.ts";
import type { Takeover } from "./takeover.ts";

/** How long is believed what was seen of other instances while this one leaves, milliseconds. */
const HEIRS_LOOK_MS = 1_000;

/** Shortest time between two looks that calls or other instances ask for, milliseconds. */
const LOOK_PAUSE_MS = 100;

/** How often to look whether shards above our share have become idle, milliseconds. */
const GIVE_EVERY_MS = 500;

/** What the renewer stands on. */
export interface RenewerParts {
  readonly leases: Leases;
  readonly shards: OwnedShards;
  readonly takeover: Takeover;
  readonly surplus: Surplus;
  readonly format: WritableFormat;
  readonly clock: DatabaseClock;
  readonly lifecycle: Lifecycle;
  readonly background: Background;
  readonly log: Log;
  /** Called when shards of a dead owner were taken over: what is overdue in them should wake at once. */
  readonly onUnclean: () => void;
}

/** Shards that were just taken, and how to say that their suspects are known. */
interface Fresh {
  readonly shards: readonly TakenLease[];
  readonly opened: () => void;
}

const NOTHING: Fresh = { shards: [], opened: () => {} };

/** Keeps shards owned. */
export class LeaseRenewer {
  readonly #parts: RenewerParts;
  #isFirst = true;
  /** What changes the leases happens one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #lookedAt = Number.NEGATIVE_INFINITY;
  readonly #wanted = new Set<number>();
  #looking: Promise<void> | null = null;
  #loops: readonly Repetition[] = [];
  #unlisten: () => Promise<void> = () => Promise.resolve();
  readonly #ungiven = new Set<number>();
  #heirs = false;
  #heirsLookedAt = Number.NEGATIVE_INFINITY;
  #adopted: Promise<void> = Promise.resolve();

  constructor(parts: RenewerParts) {
    this.#parts = parts;
  }

  /** Resolves when the entities of the shards that were taken at the start have been taken over. */
  get adopted(): Promise<void> {
    return this.#adopted;
  }

  /** Takes shards and renews their leases from now on. Resolves when this instance owns what it could get. */
  async start(ttlMs: number): Promise<void> {
    const { leases, log } = this.#parts;
    // The lease begins here: what came up since this instance was registered (graph modules, a store that recovers) may
    // have used up its time.
    await leases.renew();
    this.#adopted = this.#adoptLater(await this.#alone(() => this.#take()));
    this.#unlisten = leases.listen(() => {
      void this.look().catch((error: unknown) => log.warn("a look for free shards failed", { error }));
    });
    const { surplus } = this.#parts;
    this.#loops = [
      repeat(() => this.#renew(), ttlMs / 3, log),
      repeat(
        async () => {
          if (surplus.count > 0) await this.#alone(() => surplus.give());
        },
        GIVE_EVERY_MS,
        log,
      ),
    ];
  }

  /** Takes free shards now, `wanted` above all. */
  look(wanted?: number): Promise<void> {
    // Before the start there is nothing to look with.
    if (this.#loops.length === 0) return Promise.resolve();
    if (wanted !== undefined) this.#wanted.add(wanted);
    if (this.#looking === null) {
      this.#looking = this.#lookSoon();
      // The caller gets the error.
      this.#parts.background.add(this.#looking.catch(() => {}));
    }
    return this.#looking;
  }

  /**
   * Announces that this instance leaves: from now on it takes no shards. Resolves when the store knows; never rejects.
   */
  leave(): Promise<void> {
    const { leases, log } = this.#parts;
    return this.#alone(() => leases.leave()).catch((error: unknown) =>
      log.warn("the other instances do not know that this one stops", { error }),
    );
  }

  /** Whether another instance can take shards, by a look into the store that is at most a second old. */
  async hasHeirs(): Promise<boolean> {
    if (performance.now() - this.#heirsLookedAt < HEIRS_LOOK_MS) return this.#heirs;
    this.#heirsLookedAt = performance.now();
    this.#heirs = (await this.#parts.leases.look()).others.some((other) => !other.leaving);
    return this.#heirs;
  }

  /**
   * Gives back shards in which nothing is under way: their entities leave memory first. Resolves with how many are
   * still ours in the store, because their rows are locked; the next call tries those again.
   */
  give(shards: readonly number[]): Promise<number> {
    const ungiven = this.#ungiven;
    return this.#alone(async () => {
      for (const shard of shards) {
        this.#parts.shards.lose(shard);
        ungiven.add(shard);
      }
      if (ungiven.size > 0)
        for (const shard of await this.#parts.leases.releaseSome([...ungiven])) ungiven.delete(shard);
      return ungiven.size;
    });
  }

  /** Renews no more; shards stay owned until the leases are released. */
  async stop(): Promise<void> {
    await this.#unlisten();
    await Promise.all(this.#loops.map((loop) => loop.stop()));
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    // The caller gets the error; the next one only waits.
    this.#last = result.catch(() => {});
    return result;
  }

  async #renew(): Promise<void> {
    failPoint("lease.renew");
    const { leases, log } = this.#parts;
    if (!(await leases.renew())) log.warn("the lease of this instance had expired; others may have taken its shards");
    const fresh = await this.#alone(() => this.#take());
    // The takeover takes as long as it takes; the next renewal must not wait for it.
    void this.#adoptLater(fresh);
  }

  async #lookSoon(): Promise<void> {
    await sleep(Math.max(0, this.#lookedAt + LOOK_PAUSE_MS - performance.now()));
    this.#looking = null;
    const shards = this.#wanted.size === 0 ? [undefined] : [...this.#wanted];
    this.#wanted.clear();
    this.#lookedAt = performance.now();
    for (const shard of shards) {
      if (shard !== undefined && this.#parts.shards.epochOf(shard) !== undefined) continue;
      void this.#adoptLater(await this.#alone(() => this.#take(shard)));
    }
  }

  async #take(wanted?: number): Promise<Fresh> {
    const { leases, shards, takeover, surplus, format, clock, lifecycle, log } = this.#parts;
    // A draining instance keeps what it has until its calls have ended, and takes nothing more.
    if (lifecycle.draining || lifecycle.stopping) return NOTHING;
    const askedAt = clock.monotonic();
    const { taken, held, now, reads, surplus: more } = await leases.acquire(wanted);
    format.version = reads;
    clock.sample(now, askedAt);
    // What is taken now had another owner a moment ago, whatever we believed.
    for (const { shard } of taken) shards.lose(shard);
    const known = new Set(taken.map((lease) => lease.shard));
    const found = held.filter(({ shard }) => !known.has(shard) && shards.epochOf(shard) === undefined);
    // Ours in the store and not here: a statement of ours may still run there, so the epoch is raised before anything
    // is read.
    const raised = found.length === 0 ? [] : await leases.raise(found.map((lease) => lease.shard));
    // At the start they were left by a process of the same name that died.
    const clean = !this.#isFirst;
    this.#isFirst = false;
    const fresh = [...taken, ...raised.map((lease) => ({ ...lease, clean }))];
    const opened = takeover.close(fresh);
    shards.setLeases([...held, ...raised]);
    if (taken.length > 0) log.info("shards taken", { shards: taken.length, held: held.length });
    surplus.note(more);
    // A shard that was taken for a call stays until the call has had it.
    if (taken.length === 0) await surplus.give();
    return { shards: fresh, opened };
  }

  #adoptLater(fresh: Fresh): Promise<void> {
    const adopted = this.#adopt(fresh);
    this.#parts.background.add(adopted);
    return adopted;
  }

  async #adopt({ shards: fresh, opened }: Fresh): Promise<void> {
    if (fresh.length === 0) return;
    const { shards, takeover, lifecycle, log, onUnclean } = this.#parts;
    failPoint("lease.taken");
    try {
      const runs = await takeover.run(fresh, opened);
      if (runs > 0) log.info("runs adopted", { runs });
      if (fresh.some((lease) => !lease.clean)) onUnclean();
    } catch (error) {
      // The next owner takes them over.
      if (lifecycle.stopping) return;
      log.error("the runs of shards could not be listed; the shards are taken anew", { error });
      for (const { shard } of fresh) shards.lose(shard);
    }
  }
}
