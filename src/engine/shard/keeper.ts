/**
 * The keeper: what must be done again and again for this instance to own its shards and for runs to wake.
 *
 *   every third of the lease time: renew the instance, take free shards, adopt their runs · every few seconds: look for runs that are due, park those that only wait
 *   when another instance gives shards back or joins, and when a call asks for a run of nobody: take free shards at once
 *   when another instance joins: give it the shards above our share, those without work at once and the others as they become idle, within a minute
 *   when this instance leaves: take nothing more, give shards back as they become idle
 *
 * Less than one query a second when nothing happens.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../base/log.ts";
import { failPoint } from "../../base/process/fail-points.ts";
import type { Leases, TakenLease } from "../ports/leases.ts";
import { busyShards, chooseSurplus } from "./drain.ts";
import type { Runtime } from "./runtime.ts";
import { closeShards, takeOver } from "./takeover.ts";
import { parkIdle, wakeDue } from "./wakes.ts";

/** How often the store is asked for runs that are due, milliseconds; must be less than the timer horizon. */
const WAKE_EVERY_MS = 5_000;

/** A waiting run that nobody touched for this long leaves memory. */
const PARK_AFTER_MS = 2_000;

/** How often it is looked whether shards above our share have become idle, milliseconds. */
const GIVE_EVERY_MS = 500;

/** How long is believed what was seen of other instances while this one leaves, milliseconds. */
const HEIRS_LOOK_MS = 1_000;

/** How often they are looked for. */
const PARK_EVERY_MS = 1_000;

/** Shortest time between two looks that calls or other instances ask for, milliseconds. */
const LOOK_PAUSE_MS = 100;

/** Keeps shards owned and runs awake until it is stopped. */
export interface Keeper {
  /** Announces that this instance leaves: from now on it takes no shards. Resolves when the store knows; never rejects. */
  leave(): Promise<void>;
  /** Whether another instance can take shards, by a look at the store that is at most a second old. */
  hasHeirs(): Promise<boolean>;
  /**
   * Gives back shards in which nothing is under way: their runs leave memory first. Resolves with how many are still ours in the store, because something holds
   * their rows; the next call tries those again.
   */
  give(shards: readonly number[]): Promise<number>;
  /** Ends the loops and gives the shards back. */
  stop(): Promise<void>;
  /** Resolves when the runs of the shards that were taken at the start have been adopted. */
  readonly adopted: Promise<void>;
}

/** Shards that came into our hands, and how to say that their suspects are known. */
interface Fresh {
  readonly shards: readonly TakenLease[];
  readonly opened: () => void;
}

/** Takes shards and begins the loops. Resolves when this instance owns what it could get. */
export async function startKeeper(runtime: Runtime, leases: Leases, ttlMs: number, log: Log): Promise<Keeper> {
  let isFirst = true;
  /** What changes the leases happens one after the other. */
  let turn: Promise<unknown> = Promise.resolve();
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work);
    // Whoever asked hears of the error; the next one only waits.
    turn = result.catch(() => {});
    return result;
  };
  /** How many shards we own above our share, and since when. */
  let surplus = 0;
  let surplusSince = 0;
  const giveSurplus = async (): Promise<void> => {
    runtime.picker.spared = new Set();
    if (surplus === 0 || runtime.draining) return;
    const keptMs = performance.now() - surplusSince;
    const { now, later } = chooseSurplus(runtime.owned, busyShards(runtime), surplus, keptMs);
    runtime.picker.spared = new Set(later);
    if (now.length === 0) return;
    for (const shard of now) runtime.loseShard(shard);
    // One whose row is locked stays ours, and the next turn takes it in hand again.
    surplus -= (await leases.releaseSome(now)).length;
    if (surplus > 0) log.info("shards are given away when their attempts have ended", { shards: surplus });
  };
  const take = async (wanted?: number): Promise<Fresh> => {
    // Who drains keeps what it has until its attempts have ended, and takes nothing more.
    if (runtime.draining) return { shards: [], opened: () => {} };
    const askedAt = runtime.monotonic();
    const { taken, held, now, reads, surplus: more } = await leases.acquire(wanted);
    runtime.writes = reads;
    runtime.sampleClock(now, askedAt);
    // What is taken now was somebody else's a moment ago, whatever we believed.
    for (const { shard } of taken) runtime.loseShard(shard);
    const known = new Set(taken.map((lease) => lease.shard));
    const found = held.filter(({ shard }) => !known.has(shard) && runtime.epochOf(shard) === undefined);
    // Ours in the store and not in hand: a statement of ours may still run there, so the epoch is raised before anything is read.
    const raised = found.length === 0 ? [] : await leases.raise(found.map((lease) => lease.shard));
    // At the start they were left by a process of the same name that died.
    const clean = !isFirst;
    isFirst = false;
    const shards = [...taken, ...raised.map((lease) => ({ ...lease, clean }))];
    const opened = closeShards(runtime, shards);
    runtime.setLeases([...held, ...raised]);
    if (taken.length > 0) log.info("shards taken", { shards: taken.length, held: held.length });
    if (surplus === 0) surplusSince = performance.now();
    surplus = more;
    // A shard that was taken for a call stays until the call has had it.
    if (taken.length === 0) await giveSurplus();
    return { shards, opened };
  };
  const lookForDue = (): void => {
    void wakeDue(runtime).catch((error: unknown) => log.warn("a look for due runs failed", { error }));
  };
  const adopt = async ({ shards: fresh, opened }: Fresh): Promise<void> => {
    if (fresh.length === 0) return;
    failPoint("lease.taken");
    try {
      const runs = await takeOver(runtime, fresh, opened);
      if (runs > 0) log.info("runs adopted", { runs });
      if (fresh.some((lease) => !lease.clean)) lookForDue();
    } catch (error) {
      log.error("the runs of shards could not be listed; the shards are taken anew", { error });
      for (const { shard } of fresh) runtime.loseShard(shard);
    }
  };
  const renew = async (): Promise<void> => {
    failPoint("lease.renew");
    if (!(await leases.renew())) log.warn("the lease of this instance had expired; others may have taken its shards");
    const fresh = await alone(() => take());
    // The adoption takes as long as it takes; the next renewal must not wait for it.
    void adopt(fresh);
  };
  let lookedAt = Number.NEGATIVE_INFINITY;
  const wantedShards = new Set<number>();
  let looking: Promise<void> | null = null;
  const look = (wanted?: number): Promise<void> => {
    if (wanted !== undefined) wantedShards.add(wanted);
    looking ??= (async () => {
      await sleep(Math.max(0, lookedAt + LOOK_PAUSE_MS - performance.now()));
      looking = null;
      const shards = wantedShards.size === 0 ? [undefined] : [...wantedShards];
      wantedShards.clear();
      lookedAt = performance.now();
      for (const shard of shards) {
        if (shard !== undefined && runtime.epochOf(shard) !== undefined) continue;
        void adopt(await alone(() => take(shard)));
      }
    })();
    return looking;
  };
  runtime.look = look;
  // The lease begins here: whatever came up since this instance was registered (graph modules, a store that recovers) may have used up its time.
  await leases.renew();
  const adopted = adopt(await alone(() => take()));
  const unlisten = leases.listen(() => {
    void look().catch((error: unknown) => log.warn("a look for free shards failed", { error }));
  });
  const ungiven = new Set<number>();
  let heirs = false;
  let heirsLookedAt = Number.NEGATIVE_INFINITY;
  const loops = [
    repeat(renew, ttlMs / 3, log),
    repeat(() => wakeDue(runtime), WAKE_EVERY_MS, log),
    repeat(async () => void parkIdle(runtime, PARK_AFTER_MS), PARK_EVERY_MS, log),
    repeat(() => (surplus === 0 ? Promise.resolve() : alone(giveSurplus)), GIVE_EVERY_MS, log),
  ];
  lookForDue();
  return {
    adopted,
    leave: () =>
      alone(() => leases.leave()).catch((error: unknown) =>
        log.warn("the other instances do not know that this one stops", { error }),
      ),
    hasHeirs: async () => {
      if (performance.now() - heirsLookedAt < HEIRS_LOOK_MS) return heirs;
      heirsLookedAt = performance.now();
      heirs = (await leases.look()).others.some((other) => !other.leaving);
      return heirs;
    },
    give: (shards) =>
      alone(async () => {
        for (const shard of shards) {
          runtime.loseShard(shard);
          ungiven.add(shard);
        }
        if (ungiven.size > 0) for (const shard of await leases.releaseSome([...ungiven])) ungiven.delete(shard);
        return ungiven.size;
      }),
    stop: async () => {
      await unlisten();
      await Promise.all(loops.map((stop) => stop()));
      await runtime.close();
      failPoint("close.drained");
      await leases.release();
    },
  };
}

/** Does `work` again and again until the returned function is called, which resolves when the last turn is over. */
function repeat(work: () => Promise<void>, everyMs: number, log: Log): () => Promise<void> {
  let stopped = false;
  let running = Promise.resolve();
  let timer = setTimeout(turn, everyMs);
  function turn(): void {
    running = work()
      .catch((error: unknown) => log.warn("a periodic task failed; it is tried again", { error }))
      .then(() => {
        if (!stopped) timer = setTimeout(turn, everyMs);
      });
  }
  return () => {
    stopped = true;
    clearTimeout(timer);
    return running;
  };
}
