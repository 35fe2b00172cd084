import type { EntityTypes } from "../kind.ts";
import type { Lifecycle } from "../lifecycle.ts";
import { hasEnded, type Resident, type Waiter } from "../resident.ts";
import type { Residence } from "./residence.ts";

/**
 * Waits until an entity has ended or left this instance, `waitMs` have passed, the signal aborts, or the service
 * drains. Resolves with its current resident, or null. The wait does not keep the entity in memory.
 */
export function waitForEnd<T extends EntityTypes>(
  residence: Residence<T>,
  lifecycle: Lifecycle,
  resident: Resident<T>,
  waitMs: number,
  signal?: AbortSignal,
): Promise<Resident<T> | null> {
  if (hasEnded(resident) || resident.gone || lifecycle.draining || signal?.aborted === true)
    return Promise.resolve(resident);
  // Nothing below references the resident: a waiting entity leaves memory regardless of its callers.
  const { id, waiters } = resident;
  return new Promise((resolve) => {
    const wake: Waiter<T> = (last) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
      waiters.delete(wake);
      residence.evicted.forget(id, waiters);
      resolve(last);
    };
    const giveUp = (): void => wake(residence.get(id) ?? null);
    const timer = setTimeout(giveUp, waitMs);
    waiters.add(wake);
    signal?.addEventListener("abort", giveUp);
  });
}
