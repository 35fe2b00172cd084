/** Owners that die: of a run that kills its readers, or of somebody who kills them from outside after a time. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Bed, Instance } from "./bed.ts";

/** A read of a run takes so long, milliseconds: most of a trial. */
export const READ_MS = 8;

/** The life of an owner that takes over from the one before. */
export interface Life {
  readonly instance: Instance;
  /** The run that killed it; null: it was killed from outside, or lived until its suspects had been tried. */
  readonly killedBy: string | null;
}

/**
 * Reads of `killers` never return, and the owner is as good as dead. Somebody else kills it after `outsideMs`. The
 * caller crashes the instance.
 */
export async function liveOnce(bed: Bed, killers: readonly string[], outsideMs: number): Promise<Life> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let dying = false;
  const instance = await bed.openInstance({
    suspectPauseMs: 50 * READ_MS,
    beforeLoad: async (runId) => {
      if (killers.includes(runId)) {
        dying = true;
        resolve(runId);
      }
      await (dying ? new Promise<never>(() => {}) : sleep(READ_MS));
    },
  });
  instance.tools.hold("a");
  const outside = Number.isFinite(outsideMs) ? [sleep(outsideMs, null)] : [];
  const killedBy = await Promise.race([promise, instance.runtime.adopted.then(() => null), ...outside]);
  return { instance, killedBy };
}
