/**
 * A bounded pool of worker threads for graphs. Threads start on demand and end after being idle for a while; a dead
 * thread is replaced when another one is needed.
 */

import { type GraphProcess, type GraphProcessOptions, startGraphProcess } from "./process.ts";
import type { LoadedGraph } from "./protocol.ts";

/** Limits of the pool itself. */
export interface GraphPoolLimits {
  readonly maxWorkers: number;
  readonly maxQueued: number;
  readonly idleMs: number;
}

/** The pool. */
export interface GraphPool {
  /** Starts a worker and returns its graphs. Rejects with GRAPH_MODULE_INVALID. */
  load(): Promise<readonly LoadedGraph[]>;
  /**
   * Returns an exclusive worker with its modules loaded, in request order; `full` when too many callers wait, `aborted`
   * when the signal came first or the pool closes. Rejects with GRAPH_MODULE_INVALID when the modules loaded at startup
   * but no longer do.
   */
  acquire(signal: AbortSignal): Promise<GraphProcess | "full" | "aborted">;
  /** Returns a worker to the pool, alive or dead. */
  release(process: GraphProcess): void;
  /** Ends all workers. */
  close(): Promise<void>;
}

/** Creates the pool. No thread is started yet. */
export function createGraphPool(options: GraphProcessOptions & { readonly limits: GraphPoolLimits }): GraphPool {
  const { maxWorkers, maxQueued, idleMs } = options.limits;
  const idle: { readonly process: GraphProcess; readonly timer: NodeJS.Timeout }[] = [];
  const waiting: ((process: GraphProcess | "aborted") => void)[] = [];
  const running = new Set<GraphProcess>();
  let closed = false;

  const start = (): GraphProcess => {
    const process = startGraphProcess(options);
    running.add(process);
    return process;
  };

  const rest = (process: GraphProcess): void => {
    const timer = setTimeout(() => {
      idle.splice(idle.indexOf(entry), 1);
      running.delete(process);
      void process.kill();
    }, idleMs);
    timer.unref();
    const entry = { process, timer };
    idle.push(entry);
  };

  /** Returns the newest idle worker that is still alive, or a new one if the limit allows it. */
  const find = (): GraphProcess | null => {
    for (let entry = idle.pop(); entry !== undefined; entry = idle.pop()) {
      clearTimeout(entry.timer);
      if (entry.process.alive) return entry.process;
      running.delete(entry.process);
    }
    return running.size < maxWorkers ? start() : null;
  };

  const release = (process: GraphProcess): void => {
    if (!process.alive) running.delete(process);
    else if (!closed) rest(process);
    const next = waiting[0];
    const found = next === undefined || closed ? null : find();
    if (found === null) return;
    waiting.shift();
    next?.(found);
  };

  const wait = async (aborted: Promise<"aborted">): Promise<GraphProcess | "aborted"> => {
    const turn = Promise.withResolvers<GraphProcess | "aborted">();
    waiting.push(turn.resolve);
    void aborted.then(() => {
      const place = waiting.indexOf(turn.resolve);
      if (place >= 0) waiting.splice(place, 1);
      turn.resolve("aborted");
    });
    return turn.promise;
  };

  return {
    load: async () => {
      const process = start();
      try {
        const graphs = await process.loaded;
        rest(process);
        return graphs;
      } catch (error) {
        running.delete(process);
        await process.kill();
        throw error;
      }
    },
    acquire: async (signal) => {
      if (closed || signal.aborted) return "aborted";
      const aborted = Promise.withResolvers<"aborted">();
      const onAbort = () => aborted.resolve("aborted");
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        const found = find();
        if (found === null && waiting.length >= maxQueued) return "full";
        const process = found ?? (await wait(aborted.promise));
        if (process === "aborted") return process;
        try {
          if ((await Promise.race([process.loaded, aborted.promise])) !== "aborted") return process;
        } catch (error) {
          release(process);
          throw error;
        }
        release(process);
        return "aborted";
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
    },
    release,
    close: async () => {
      closed = true;
      for (const resolve of waiting.splice(0)) resolve("aborted");
      for (const { timer } of idle.splice(0)) clearTimeout(timer);
      await Promise.all(Array.from(running, (process) => process.kill()));
      running.clear();
    },
  };
}
