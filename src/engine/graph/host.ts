/**
 * Runs the graphs of the configured modules for tasks of type `graph`, in a small pool of worker threads (`process.ts`)
 * with one attempt at a time in each. Module code never runs on the event loop of the engine. Without modules there are
 * no threads; idle threads end after a while.
 */
import { isOrchestratorError } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json/json.ts";
import type { Log } from "../../base/log.ts";
import type { CheckpointStore, CheckpointThread } from "../ports/checkpoints.ts";
import type { GraphHost } from "../ports/graphs.ts";
import { createGraphPool } from "./pool.ts";
import type { GraphLimits } from "./process.ts";

/** Dependencies of {@link openGraphHost}. */
export interface GraphHostOptions {
  /** Absolute paths of modules that export compiled LangGraph graphs, by name or in a record `graphs`. */
  readonly modules: readonly string[];
  readonly limits?: Partial<GraphHostLimits>;
  readonly checkpoints: CheckpointStore;
  /** Environment of the modules; empty when absent, because the service's own environment holds secrets. */
  readonly env?: Readonly<Record<string, string>>;
  readonly log: Log;
}

/** Limits of a host. */
export interface GraphHostLimits extends GraphLimits {
  /** Maximum number of concurrent attempts. */
  readonly maxWorkers: number;
  /** Maximum number of attempts that wait for a worker; further ones are deferred. */
  readonly maxQueued: number;
  /** How long an idle worker is kept, milliseconds. */
  readonly idleMs: number;
}

/** Default limits. */
const DEFAULT_GRAPH_LIMITS: GraphHostLimits = {
  maxMemoryMb: 256,
  timeoutMs: 600_000,
  maxSteps: 1_000,
  maxStateLength: 4 * 1_024 * 1_024,
  maxWorkers: 4,
  maxQueued: 1_000,
  idleMs: 30_000,
};

/** Loads the modules. Throws GRAPH_MODULE_INVALID with the module and the reason when one fails to load. */
export async function openGraphHost(options: GraphHostOptions): Promise<GraphHost> {
  const limits = { ...DEFAULT_GRAPH_LIMITS, ...options.limits };
  const { modules, checkpoints, log, env = {} } = options;
  const pool = createGraphPool({ modules, env, limits, checkpoints, log });
  const loaded = modules.length === 0 ? [] : await pool.load();
  /** Versions by name, in module order: new runs start with the last one. */
  const versions = Map.groupBy(loaded, ({ name }) => name);
  return {
    names: () => [...versions.keys()],
    run: async (call, signal) => {
      const { path: graph, tenantId, runId, idempotencyKey: threadId, fencingToken, answer } = call;
      const known = versions.get(graph)?.map(({ version }) => version) ?? [];
      const newest = known.at(-1);
      if (newest === undefined) return { kind: "not_loaded", problem: "" };
      const worker = await pool.acquire(signal).catch(toLoadError);
      if (worker instanceof Error) return { kind: "not_loaded", problem: worker.message };
      if (worker === "full") return { kind: "busy" };
      if (worker === "aborted") return { kind: "never_began" };
      const thread: CheckpointThread = { tenantId, threadId, runId, fencingToken };
      try {
        const version = await checkpoints.claim(thread, newest);
        if (!known.includes(version)) return { kind: "not_loaded", problem: toVersionProblem(graph, version, known) };
        const { input } = call.input as JsonObject;
        return await worker.run({ graph, version, input: input ?? {}, threadId, answer }, thread, signal);
      } catch (error) {
        if (isOrchestratorError(error)) return { kind: "store", error };
        throw error;
      } finally {
        pool.release(worker);
      }
    },
    close: () => pool.close(),
  };
}

function toVersionProblem(graph: string, version: string, known: readonly string[]): string {
  return `the run began with version ${version} of the graph ${graph}, loaded is ${known.join(", ")}; name a module with version ${version} in the configuration (graphs.modules) as well`;
}

/**
 * Returns the error for a module that loaded when the service started and fails to load now; anything else is a bug.
 */
function toLoadError(error: unknown): Error {
  if (isOrchestratorError(error) && error.code === "GRAPH_MODULE_INVALID") return error;
  throw error;
}
