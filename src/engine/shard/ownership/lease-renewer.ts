/**
 * The lease renewer: periodic work to own shards.
 *
 *   every third of the lease time: renew the instance, take free shards, take over their entities
 *   when another instance gives shards back or joins, and when a call needs an entity without an owner: take free
 *   shards at once
 *   when another instance joins: give it the shards above our share; see surplus.ts
 *   when this instance leaves: take no shards, give shards back as they become idle
 *
 * Together with the checks for due entities this is less than one query per second on an idle instance.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../../base/log.ts";
import { failPoint } from "../../../base/process/fail-points.ts";
import type { Leases, TakenLease } from "../../ports/leases.ts";
import type { Background } from "../background.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { RuntimeObserver } from "../observer.ts";
import { type Repetition, repeat } from "../repeat.ts";
import type { DatabaseClock } from "./database-clock.ts";
import type { WritableFormat } from "./journal-format.ts";
import type { OwnedShards } from "./owned-shards.ts";
import type { Surplus } from "./surplus.ts";
import type { Takeover } from "./takeover.ts";

/** How long a view of the other instances is reused while this one leaves, milliseconds. */
const HEIRS_LOOK_MS = 1_000;

/** Shortest time between two checks on request, milliseconds. */
const LOOK_PAUSE_MS = 100;

/** Interval of checks whether shards above our share have become idle, milliseconds. */
const GIVE_EVERY_MS = 500;

export interface RenewerParts {
  readonly leases: Leases;
  readonly shards: OwnedShards;
  readonly takeover: Takeover;
  readonly surplus: Surplus;
  readonly format: WritableFormat;
  readonly clock: DatabaseClock;
  readonly lifecycle: Lifecycle;
  readonly background: Background;
  readonly observer: RuntimeObserver;
  readonly log: Log;
  /** Called when shards were taken over: entities in them may be due, or be due before the next check. */
  readonly onAdopted: () => void;
}

/** Newly taken shards, and a function to call when their suspects are known. */
interface Fresh {
  readonly shards: readonly TakenLease[];
  readonly opened: () => void;
}

const NOTHING: Fresh = { shards: [], opened: () => {} };

export class LeaseRenewer {
  readonly #parts: RenewerParts;
  #isFirst = true;
  /** Changes of leases run one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  /** Changes that are under way or wait for their turn. */
  #changes = 0;
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

  /** Resolves when the entities of the shards taken at the start have been taken over. */
  get adopted(): Promise<void> {
    return this.#adopted;
  }

  /** Takes shards and starts renewing their leases. Resolves when this instance owns what it could get. */
  async start(ttlMs: number): Promise<void> {
    const { leases, log } = this.#parts;
    // The lease begins here: loading graph modules or a recovering store may have used up the time since the
    // registration.
    await leases.renew();
    this.#adopted = this.#adoptLater(await this.#alone(() => this.#take()));
    this.#unlisten = leases.listen(() => {
      void this.look().catch((error: unknown) => log.warn("a check for free shards failed", { error }));
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

  /** Takes free shards now, `wanted` first. */
  look(wanted?: number): Promise<void> {
    // Before the start there are no leases.
    if (this.#loops.length === 0) return Promise.resolve();
    if (wanted !== undefined) this.#wanted.add(wanted);
    if (this.#looking === null) {
      this.#looking = this.#lookSoon();
      // The caller gets the error.
      this.#parts.background.add(this.#looking.catch(() => {}));
    }
    return this.#looking;
  }

  /** Announces that this instance leaves and takes no more shards. Resolves when the store knows; never rejects. */
  leave(): Promise<void> {
    const { leases, log } = this.#parts;
    return this.#alone(() => leases.leave()).catch((error: unknown) =>
      log.warn("the other instances do not know that this one stops", { error }),
    );
  }

  /** Whether another instance can take shards, from a view that is at most a second old. */
  async hasHeirs(): Promise<boolean> {
    if (performance.now() - this.#heirsLookedAt < HEIRS_LOOK_MS) return this.#heirs;
    this.#heirsLookedAt = performance.now();
    this.#heirs = (await this.#parts.leases.look()).others.some((other) => !other.leaving);
    return this.#heirs;
  }

  /**
   * Gives idle shards back; their entities leave memory first. Resolves with the number of shards that remain ours
   * because their rows are locked; the next call retries them.
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

  /** Stops renewing; shards stay owned until the leases are released. */
  async stop(): Promise<void> {
    await this.#unlisten();
    await Promise.all(this.#loops.map((loop) => loop.stop()));
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    this.#changes += 1;
    const result = this.#last.then(work).finally(() => {
      this.#changes -= 1;
    });
    // The caller gets the error; the next change only waits.
    this.#last = result.catch(() => {});
    return result;
  }

  async #renew(): Promise<void> {
    failPoint("lease.renew");
    // A life must not wait for another change, nor end while this instance drains.
    const isApart = this.#changes > 0 || this.#takesNothing;
    if (isApart) this.#noteRenewal(await this.#parts.leases.renew());
    const fresh = await this.#alone(() => this.#take(undefined, !isApart));
    // The takeover can take long, and the next renewal must not wait for it.
    void this.#adoptLater(fresh);
  }

  #noteRenewal(renewed: boolean): void {
    this.#parts.observer.renewed(renewed);
    if (!renewed) this.#parts.log.warn("the lease of this instance had expired; others may have taken its shards");
  }

  /** A draining instance keeps its shards until its calls have ended, and takes no more. */
  get #takesNothing(): boolean {
    const { lifecycle } = this.#parts;
    return lifecycle.draining || lifecycle.stopping;
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

  async #take(wanted?: number, renews = false): Promise<Fresh> {
    const { leases, shards, takeover, surplus, format, clock, observer, log } = this.#parts;
    if (this.#takesNothing) return NOTHING;
    const askedAt = clock.monotonic();
    const { renewed, taken, held, now, journal, surplus: more } = await leases.acquire(wanted, { renews });
    if (renews) this.#noteRenewal(renewed);
    format.limitTo(journal);
    clock.sample(now, askedAt);
    // What is taken now had another owner a moment ago, whatever we assumed.
    for (const { shard, clean, ownerlessMs } of taken) {
      shards.lose(shard);
      observer.taken(clean, ownerlessMs);
    }
    const known = new Set(taken.map((lease) => lease.shard));
    const found = held.filter(({ shard }) => !known.has(shard) && shards.epochOf(shard) === undefined);
    // Ours in the store but unknown here: a statement of ours may still run there, so the epoch is raised before any
    // read.
    const raised = found.length === 0 ? [] : await leases.raise(found.map((lease) => lease.shard));
    // At the start they belonged to a dead process of the same name.
    const clean = !this.#isFirst;
    this.#isFirst = false;
    for (const { ownerlessMs } of raised) if (ownerlessMs !== null) observer.taken(false, ownerlessMs);
    const fresh = [...taken, ...raised.map((lease) => ({ ...lease, clean }))];
    const opened = takeover.close(fresh);
    shards.setLeases([...held, ...raised]);
    if (taken.length > 0) log.info("shards taken", { shards: taken.length, held: held.length });
    surplus.note(more);
    // A shard taken for a call stays until the call has used it.
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
    const { shards, takeover, lifecycle, observer, log, onAdopted } = this.#parts;
    failPoint("lease.taken");
    const startedAt = performance.now();
    try {
      const runs = await takeover.run(fresh, opened);
      observer.adopted(runs, performance.now() - startedAt);
      if (runs > 0) log.info("runs adopted", { runs });
      onAdopted();
    } catch (error) {
      // The next owner takes them over.
      if (lifecycle.stopping) return;
      log.error("the runs of shards could not be listed; the shards are taken again", { error });
      for (const { shard } of fresh) shards.lose(shard);
    }
  }
}
