import type { EntityTypes } from "../kind.ts";
import type { Lifecycle } from "../lifecycle.ts";
import { hasEnded, type Resident } from "../resident.ts";
import type { Residence } from "./residence.ts";
import { WaitingCaller } from "./waits.ts";

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
  const { promise, resolve } = Promise.withResolvers<Resident<T> | null>();
  new WaitingCaller(residence, resident, resolve, waitMs, signal);
  return promise;
}
