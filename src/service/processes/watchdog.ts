/**
 * Starts the thread that ends the process when the event loop is blocked, and maintains the heartbeat that it monitors.
 * See watchdog-thread.ts.
 */
import { url as debuggerUrl } from "node:inspector";
import { Worker } from "node:worker_threads";
import type { Log } from "../../base/log.ts";
import { beatLoop, loopMemory } from "../../base/process/current-run.ts";
import { LOOKS, type WatchdogStart } from "./watchdog-thread.ts";

/** Options of the watchdog. */
export interface WatchdogOptions extends Omit<WatchdogStart, "memory"> {
  readonly log: Log;
}

/** Starts the watchdog. Call the returned function to stop it. */
export function startWatchdog({ log, ...start }: WatchdogOptions): () => Promise<void> {
  const beat = (): void => beatLoop(debuggerUrl() !== undefined);
  beat();
  const heart = setInterval(beat, start.limitMs / LOOKS).unref();
  const entry = new URL(
    import.meta.url.endsWith(".ts") ? "./watchdog-thread.ts" : "./watchdog-thread.js",
    import.meta.url,
  );
  const worker = new Worker(entry, {
    name: "watchdog",
    workerData: { ...start, memory: loopMemory } satisfies WatchdogStart,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 },
  });
  worker.unref();
  worker.on("error", (error) => log.error("the watchdog of the event loop has ended", { error }));
  return async () => {
    clearInterval(heart);
    await worker.terminate();
  };
}
