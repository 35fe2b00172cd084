/**
 * The end of an instance in good order, before its parts are taken down:
 *
 *   draining (no attempt begins, callers who wait are answered, nothing is taken) → shards without an attempt under way are given back at once, the others as their
 *   attempts end and the results are committed → nothing is owned, or the time is up
 *
 * What is dispatched meanwhile is not begun here: the next owner of the run dispatches it again, with the same attempt number and key. So an effect happens once
 * for every attempt that ends in time. Those that do not are given up by the close that follows, and made again elsewhere. An instance that is alone keeps its
 * shards until the last attempt has ended, because nobody else could take the calls for their runs.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isClean } from "./cell.ts";
import type { Keeper } from "./keeper.ts";
import type { Runtime } from "./runtime.ts";

/** How often the attempts under way are counted, milliseconds. */
const LOOK_EVERY_MS = 20;

/** Pause after the store could not be reached, milliseconds. */
const AGAIN_MS = 1_000;

/** Without attempts, time for the last results to be written; a statement takes no longer. Milliseconds. */
const WRITE_MS = 12_000;

/** Drains. Resolves with how many attempts are still under way: 0, unless `graceMs` were not enough. */
export async function drainRuntime(
  runtime: Runtime,
  keeper: Pick<Keeper, "leave" | "hasHeirs" | "give">,
  graceMs: number,
): Promise<number> {
  const { log } = runtime.parts;
  runtime.draining = true;
  for (const cell of runtime.cells.values()) for (const wake of [...cell.waiters]) wake(cell);
  runtime.parked.wake();
  const giveUpAt = performance.now() + graceMs;
  const patience = sleep(graceMs, undefined, { ref: false });
  let work = lookAt(runtime);
  if (work.attempts > 0) log.info("waiting for the attempts under way", { attempts: work.attempts, graceMs });
  // A database that does not answer must not hold the stop for longer than its time.
  await Promise.race([keeper.leave(), patience]);
  let writesUntil = Number.POSITIVE_INFINITY;
  for (;;) {
    work = lookAt(runtime);
    if (work.attempts === 0) writesUntil = Math.min(writesUntil, performance.now() + WRITE_MS);
    const left = await Promise.race([giveIdle(runtime, keeper, work), patience.then(() => null)]);
    if (work.attempts === 0 && (left === null || left === 0)) break;
    const rest = Math.min(giveUpAt, writesUntil) - performance.now();
    if (rest <= 0) break;
    await sleep(Math.min(rest, left === null ? AGAIN_MS : LOOK_EVERY_MS));
  }
  const { attempts } = lookAt(runtime);
  if (attempts > 0) log.warn("attempts are given up: they are made again after the next start", { attempts });
  return attempts;
}

interface Work {
  readonly attempts: number;
  /** Shards in which something is under way, and how much. */
  readonly busy: ReadonlyMap<number, number>;
}

function lookAt({ cells, adopting }: Runtime): Work {
  let attempts = 0;
  const busy = new Map([...adopting.keys()].map((shard) => [shard, 1]));
  for (const cell of cells.values()) {
    attempts += cell.attempts.size;
    const work = cell.attempts.size + (isClean(cell) ? 0 : 1);
    if (work > 0) busy.set(cell.shard, (busy.get(cell.shard) ?? 0) + work);
  }
  return { attempts, busy };
}

/** How long shards above our share are kept because attempts are under way in them. Milliseconds; then those attempts are made again elsewhere. */
export const KEEP_BUSY_MS = 60_000;

/** How much is under way in the shards in which something is. */
export function busyShards(runtime: Runtime): ReadonlyMap<number, number> {
  return lookAt(runtime).busy;
}

/**
 * The shards to give to an instance that joins: the `count` with the least work under way. Those without any go `now`; the others `later`, unless they were kept
 * for too long already. New runs start elsewhere meanwhile.
 */
export function chooseSurplus(
  owned: readonly number[],
  busy: ReadonlyMap<number, number>,
  count: number,
  keptMs: number,
): { readonly now: readonly number[]; readonly later: readonly number[] } {
  const workIn = (shard: number): number => busy.get(shard) ?? 0;
  // The highest numbers first: new runs go to the lowest.
  const chosen = owned.toSorted((a, b) => workIn(a) - workIn(b) || b - a).slice(0, count);
  if (keptMs >= KEEP_BUSY_MS) return { now: chosen, later: [] };
  return { now: chosen.filter((shard) => !busy.has(shard)), later: chosen.filter((shard) => busy.has(shard)) };
}

/**
 * Gives idle shards back, if somebody can take them or nothing is under way any more. Resolves with how many shards are left; null when the store cannot be
 * reached.
 */
async function giveIdle(
  runtime: Runtime,
  keeper: Pick<Keeper, "hasHeirs" | "give">,
  { attempts, busy }: Work,
): Promise<number | null> {
  try {
    if (attempts > 0 && !(await keeper.hasHeirs())) return runtime.owned.length;
    runtime.leaving = true;
    const idle = runtime.owned.filter((shard) => !busy.has(shard));
    const left = await keeper.give(idle);
    return runtime.owned.length + left;
  } catch (error) {
    runtime.parts.log.warn("shards could not be given back", { error });
    return null;
  }
}
