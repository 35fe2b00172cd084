/**
 * Work that is done when somebody says that there may be some.
 *
 *   idle ──nudge──→ step ─┬─ more ────→ step at once
 *     ↑                   ├─ later ───→ step after a pause, or when nudged
 *     └───────────────────┴─ nothing, and no nudge came meanwhile
 *
 * A step that fails is repeated after growing pauses. The first failure is logged, and the success after it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../base/log.ts";

/** Pauses after failures, milliseconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** A nudge shortens a pause to no less than this, milliseconds, because every commit may nudge. */
const SHORTEST_PAUSE_MS = 50;

/** What a step leaves: more work, none, or some after a number of milliseconds. */
export type Left = "more" | "nothing" | { readonly afterMs: number };

export interface NudgedLoopParts {
  /** `stopping` is aborted when the loop is to end. */
  step(stopping: AbortSignal): Promise<Left>;
  /** What cannot be done when a step fails, for the log: `the outbox cannot be read`. */
  readonly failure: string;
  readonly log: Log;
}

/** A loop that does nothing until it is nudged. */
export interface NudgedLoop {
  /** Says that there may be something to do. */
  nudge(): void;
  /** Ends it after the step under way. */
  stop(): Promise<void>;
}

export function startNudgedLoop({ step, failure, log }: NudgedLoopParts): NudgedLoop {
  const stop = new AbortController();
  let wake = new AbortController();
  let nudged = false;
  let running: Promise<void> | null = null;
  let failures = 0;

  const pause = async (ms: number): Promise<void> => {
    // A stop ends the pause.
    await sleep(ms, undefined, { signal: stop.signal }).catch(() => {});
  };

  const pauseUntilNudged = async (ms: number): Promise<void> => {
    const shortMs = Math.min(ms, SHORTEST_PAUSE_MS);
    await pause(shortMs);
    if (nudged || ms === shortMs) return;
    wake = new AbortController();
    // A stop ends the pause, and so does a nudge.
    await sleep(ms - shortMs, undefined, { signal: AbortSignal.any([stop.signal, wake.signal]) }).catch(() => {});
  };

  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      nudged = false;
      try {
        const left = await step(stop.signal);
        if (failures > 0) log.info("it works again", { after: failure, failures });
        failures = 0;
        if (left === "more") continue;
        if (left !== "nothing") await pauseUntilNudged(left.afterMs);
        else if (!nudged) return;
      } catch (error) {
        if (failures === 0) log.warn(`${failure}; it is tried again`, { error });
        failures += 1;
        await pause(Math.min(FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 10), LONGEST_PAUSE_MS));
      }
    }
  };

  const nudge = (): void => {
    nudged = true;
    if (stop.signal.aborted) return;
    wake.abort();
    running ??= run().finally(() => {
      running = null;
      // It came after the last look.
      if (nudged) nudge();
    });
  };

  return {
    nudge,
    async stop() {
      stop.abort();
      await running;
    },
  };
}
