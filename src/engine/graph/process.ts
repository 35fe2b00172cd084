/**
 * A worker thread for graphs, as seen from the service. It runs one attempt at a time, so a crash costs only that
 * attempt.
 *
 *   starting → idle ⇄ busy → gone          any state → gone
 *
 * starting: the modules are loading; ends with their names or with GRAPH_MODULE_INVALID. busy: one attempt runs; ends
 * with its outcome. The thread is killed and the attempt fails when it takes too long (GRAPH_TIMEOUT), uses too much
 * memory (GRAPH_MEMORY: heap limit of the thread, and a check of memory outside the heap every 200 ms), does not stop
 * within a second of a stop request, sends an invalid message, or exits on its own (GRAPH_CRASHED). After a stop the
 * thread is always killed: nodes that ignore the signal may still be running.
 */
import { getCompileCacheDir } from "node:module";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import { isOrchestratorError, type OrchestratorError, toError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { CheckpointStore, CheckpointThread } from "../ports/checkpoints.ts";
import {
  type GraphEnd,
  type HostMessage,
  type LoadedGraph,
  type RunGraph,
  readWorkerMessage,
  type StoreCall,
  type WorkerStart,
} from "./protocol.ts";
import { performStoreCall } from "./store-call.ts";

/** Limits of a worker and of the attempts in it. */
export interface GraphLimits {
  /** Limit on the heap of a worker, and separately on its memory outside the heap (buffers), megabytes. */
  readonly maxMemoryMb: number;
  /** Longest attempt, milliseconds. */
  readonly timeoutMs: number;
  /** Maximum number of steps of a graph in one attempt. */
  readonly maxSteps: number;
  /** Largest checkpoint or write that is stored, characters. */
  readonly maxStateLength: number;
}

/** How an attempt ended: as reported by the worker, or killed. */
export type AttemptEnd =
  | GraphEnd
  | {
      readonly kind: "killed";
      readonly type: "GRAPH_TIMEOUT" | "GRAPH_MEMORY" | "GRAPH_CRASHED";
      readonly message: string;
    }
  | { readonly kind: "stopped" }
  /** The store failed during the attempt: the graph is not at fault. */
  | { readonly kind: "store"; readonly error: OrchestratorError };

/** A worker thread. */
export interface GraphProcess {
  /** The graphs in its modules, in the order of the modules. Rejects with GRAPH_MODULE_INVALID. */
  readonly loaded: Promise<readonly LoadedGraph[]>;
  /** False once the thread is gone. */
  readonly alive: boolean;
  /** Runs an attempt, one at a time. Never rejects. */
  run(
    request: Omit<RunGraph, "type" | "attempt" | "maxSteps">,
    thread: CheckpointThread,
    signal: AbortSignal,
  ): Promise<AttemptEnd>;
  /** Kills the thread; its attempt ends as stopped. */
  kill(): Promise<void>;
}

/** Dependencies of {@link startGraphProcess}. */
export interface GraphProcessOptions {
  readonly modules: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly limits: GraphLimits;
  readonly checkpoints: CheckpointStore;
  readonly log: Log;
}

/** How long an attempt may take to stop after a stop request, milliseconds. */
const STOP_MS = 1_000;
/**
 * Interval between checks of memory outside the heap, milliseconds: one buffer per millisecond adds up to a few hundred
 * megabytes in this time.
 */
const MEMORY_CHECK_MS = 200;
/** How long modules may take to load, milliseconds. */
const LOAD_MS = 60_000;
/** Maximum output of an attempt that is logged, characters. */
const MAX_SAID = 4_000;
const MB = 1_024 * 1_024;

interface Attempt {
  readonly number: number;
  readonly thread: CheckpointThread;
  readonly ended: PromiseWithResolvers<AttemptEnd>;
  /** The first store error of the attempt. */
  storeError: OrchestratorError | null;
  /** Set when a stop was requested: how the attempt ends then. */
  stopping: AttemptEnd | null;
}

/** Folder of the process's compile cache in the form that Node expects: without the version suffix, which Node adds. */
function compileCacheFolder(): string | null {
  const folder = getCompileCacheDir();
  return folder === undefined ? null : dirname(folder);
}

/** Starts a thread and loads the modules in it. */
export function startGraphProcess(options: GraphProcessOptions): GraphProcess {
  const { modules, env, limits, checkpoints, log } = options;
  const entry = new URL(import.meta.url.endsWith(".ts") ? "./thread.ts" : "./thread.js", import.meta.url);
  const worker = new Worker(entry, {
    name: "graph",
    workerData: { modules, compileCache: compileCacheFolder() } satisfies WorkerStart,
    env: { ...env },
    execArgv: [],
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: limits.maxMemoryMb, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 },
  });
  const loaded = Promise.withResolvers<readonly LoadedGraph[]>();
  // There may be no waiter when a thread fails to load for the second time.
  loaded.promise.catch(() => {});
  let alive = true;
  let attempts = 0;
  let current: Attempt | null = null;

  const say = (message: HostMessage): void => worker.postMessage(message);
  const fall = (end: AttemptEnd): void => {
    alive = false;
    const problem = "message" in end ? end.message : "the thread was stopped";
    loaded.reject(toError("GRAPH_MODULE_INVALID", { module: modules.join(", "), problem }));
    current?.ended.resolve(end);
    void worker.terminate();
  };
  const loadTimer = setTimeout(
    () =>
      fall({
        kind: "killed",
        type: "GRAPH_TIMEOUT",
        message: `its modules took more than ${LOAD_MS / 1_000} s to load`,
      }),
    LOAD_MS,
  );

  const store = async (attempt: Attempt, call: number, request: StoreCall): Promise<void> => {
    let answer: HostMessage;
    try {
      const value = await performStoreCall(checkpoints, attempt.thread, request, limits.maxStateLength);
      answer = { type: "stored", attempt: attempt.number, call, value, error: null };
    } catch (error) {
      const known = isOrchestratorError(error) ? error : toError("INTERNAL", { errorId: "" }, { cause: error });
      if (known.code === "INTERNAL")
        log.error("a checkpoint could not be stored", { runId: attempt.thread.runId, error });
      if (known.code !== "GRAPH_STATE_INVALID") attempt.storeError ??= known;
      answer = {
        type: "stored",
        attempt: attempt.number,
        call,
        value: null,
        error: { code: known.code, message: known.message },
      };
    }
    if (alive && current === attempt) say(answer);
  };

  worker.on("message", (received: unknown) => {
    const message = readWorkerMessage(received);
    switch (message?.type) {
      case "loaded":
        clearTimeout(loadTimer);
        loaded.resolve(message.graphs);
        return;
      case "broken":
        clearTimeout(loadTimer);
        loaded.reject(toError("GRAPH_MODULE_INVALID", { module: message.module, problem: message.problem }));
        fall({
          kind: "killed",
          type: "GRAPH_CRASHED",
          message: `module ${message.module} cannot be loaded any more: ${message.problem}`,
        });
        return;
      case "store":
        if (current?.number === message.attempt) void store(current, message.call, message.request);
        return;
      case "ended":
        if (current?.number === message.attempt) current.ended.resolve(toEnd(current, message.end));
        return;
      default:
        fall({
          kind: "killed",
          type: "GRAPH_CRASHED",
          message: "the thread of the graph said something that cannot be understood",
        });
    }
  });
  worker.on("messageerror", () =>
    fall({ kind: "killed", type: "GRAPH_CRASHED", message: "the thread of the graph sent what cannot be read" }),
  );
  worker.on("error", (error: unknown) => {
    const { code, message } = error as { code?: string; message?: string };
    if (code === "ERR_WORKER_OUT_OF_MEMORY") fall(memoryEnd(limits));
    else
      fall({
        kind: "killed",
        type: "GRAPH_CRASHED",
        message: `the thread of the graph ended: ${message ?? String(error)}`.slice(0, 2_000),
      });
  });
  worker.on("exit", (code) => {
    clearTimeout(loadTimer);
    fall({ kind: "killed", type: "GRAPH_CRASHED", message: `the thread of the graph ended with exit code ${code}` });
  });
  for (const stream of [worker.stdout, worker.stderr]) {
    let said = 0;
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      if (said < MAX_SAID)
        log.info("a graph says", { text: chunk.slice(0, MAX_SAID - said).trimEnd(), runId: current?.thread.runId });
      said = current === null ? 0 : said + chunk.length;
    });
  }

  return {
    loaded: loaded.promise,
    get alive() {
      return alive;
    },
    run: async (request, thread, signal) => {
      attempts += 1;
      const attempt: Attempt = {
        number: attempts,
        thread,
        ended: Promise.withResolvers(),
        storeError: null,
        stopping: null,
      };
      current = attempt;
      let stopTimer: NodeJS.Timeout | undefined;
      /** Asks the graph to stop, and kills the thread when it does not. */
      const stop = (end: AttemptEnd): void => {
        if (attempt.stopping !== null) return;
        attempt.stopping = end;
        say({ type: "abort", attempt: attempt.number });
        stopTimer = setTimeout(() => fall(end), STOP_MS);
      };
      const onAbort = () => stop({ kind: "stopped" });
      const { timeoutMs, maxSteps } = limits;
      const late = `the attempt took more than ${timeoutMs / 1_000} s`;
      const limit = setTimeout(() => stop({ kind: "killed", type: "GRAPH_TIMEOUT", message: late }), timeoutMs);
      const watch = setInterval(() => void watchMemory(worker, limits, fall), MEMORY_CHECK_MS);
      signal.addEventListener("abort", onAbort, { once: true });
      say({ type: "run", attempt: attempt.number, maxSteps, ...request });
      if (signal.aborted) onAbort();
      try {
        if (!alive) return { kind: "killed", type: "GRAPH_CRASHED", message: "the thread of the graph is gone" };
        const end = await attempt.ended.promise;
        return attempt.stopping ?? end;
      } finally {
        current = null;
        clearTimeout(limit);
        clearTimeout(stopTimer);
        clearInterval(watch);
        signal.removeEventListener("abort", onAbort);
        if (attempt.stopping !== null) fall({ kind: "stopped" });
      }
    },
    kill: async () => {
      clearTimeout(loadTimer);
      fall({ kind: "stopped" });
      await worker.terminate();
    },
  };
}

async function watchMemory(worker: Worker, limits: GraphLimits, fall: (end: AttemptEnd) => void): Promise<void> {
  const statistics = await worker.getHeapStatistics().catch(() => null); // just ended: its exit event reports it
  if (statistics !== null && statistics.external_memory > limits.maxMemoryMb * MB) fall(memoryEnd(limits));
}

function memoryEnd({ maxMemoryMb }: GraphLimits): AttemptEnd {
  return { kind: "killed", type: "GRAPH_MEMORY", message: `the graph needed more than ${maxMemoryMb} MB` };
}

/** A store error explains an end better than what the graph made of it. */
function toEnd(attempt: Attempt, end: GraphEnd): AttemptEnd {
  return end.kind === "failed" && attempt.storeError !== null ? { kind: "store", error: attempt.storeError } : end;
}
