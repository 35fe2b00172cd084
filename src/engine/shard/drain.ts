/**
 * The end of an instance in good order, before its parts are taken down:
 *
 *   draining (no attempt begins, callers who wait are answered) → attempts under way end, their results are committed → nothing under way, or the time is up
 *
 * What is dispatched meanwhile is not begun here: the next owner of the run dispatches it again, with the same attempt number and key. So an effect happens once
 * for every attempt that ends in time. Those that do not are given up by the close that follows, and made again elsewhere.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Runtime } from "./runtime.ts";

/** How often the attempts under way are counted, milliseconds. */
const LOOK_EVERY_MS = 20;

/** Drains. Resolves with how many attempts are still under way: 0, unless `graceMs` were not enough. */
export async function drainRuntime(runtime: Runtime, graceMs: number): Promise<number> {
  runtime.draining = true;
  for (const cell of runtime.cells.values()) for (const wake of [...cell.waiters]) wake(cell);
  runtime.parked.wake();
  const giveUpAt = performance.now() + graceMs;
  let open = countAttempts(runtime);
  if (open > 0) runtime.parts.log.info("waiting for the attempts under way", { attempts: open, graceMs });
  for (; open > 0 && performance.now() < giveUpAt; open = countAttempts(runtime)) await sleep(LOOK_EVERY_MS);
  if (open > 0)
    runtime.parts.log.warn("attempts are given up: they are made again after the next start", { attempts: open });
  return open;
}

function countAttempts({ cells }: Runtime): number {
  let open = 0;
  for (const cell of cells.values()) open += cell.attempts.size;
  return open;
}
