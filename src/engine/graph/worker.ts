/**
 * Code of a graph worker thread: loads the configured modules, then runs one attempt after another. See `protocol.ts`.
 */

import { flushCompileCache, registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import { invariant, toError } from "../../base/errors.ts";
import { GRAPH_NAME_PATTERN } from "../../tasks/schema/schemas.ts";
import type { StoredCheckpoint, StoredWrite } from "../ports/checkpoints.ts";
import {
  DEFAULT_GRAPH_VERSION,
  type HostMessage,
  type LoadedGraph,
  type RunGraph,
  type StoreCall,
  type WorkerMessage,
  type WorkerStart,
} from "./protocol.ts";
import { type CompiledGraph, isCompiledGraph, runGraph } from "./run.ts";
import type { SaverStore } from "./saver.ts";

invariant(parentPort !== null, "graph/worker.ts is started as a worker");
const port = parentPort;
const MAX_VERSION_LENGTH = 64;
/** Graphs by name and version. */
const graphs = new Map<string, LoadedGraph & { readonly graph: CompiledGraph }>();
const waiting = new Map<number, PromiseWithResolvers<unknown>>();
let calls = 0;
let current: { readonly attempt: number; readonly controller: AbortController } | null = null;

const say = (message: WorkerMessage): void => port.postMessage(message);

/**
 * Libraries of graphs. A module without its own copy gets the copy of the service; a module inside a project keeps the
 * project's.
 */
const LIBRARIES = /^@langchain\/(?:langgraph|core|langgraph-checkpoint)(?:\/|$)/;

registerHooks({
  resolve(specifier, context, nextResolve) {
    try {
      return nextResolve(specifier, context);
    } catch (error) {
      if (!LIBRARIES.test(specifier) || (error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
      return nextResolve(specifier, { ...context, parentURL: import.meta.url });
    }
  },
});

/** Loads every module; returns true when all of them loaded. */
async function load({ modules, compileCache }: WorkerStart): Promise<boolean> {
  for (const module of modules) {
    try {
      collect((await import(pathToFileURL(module).href)) as Record<string, unknown>);
    } catch (error) {
      say({ type: "broken", module, problem: error instanceof Error ? error.message : String(error) });
      return false;
    }
  }
  // The thread is eventually killed, which would lose the compiled code.
  if (compileCache !== null) flushCompileCache();
  say({ type: "loaded", graphs: Array.from(graphs.values(), ({ name, version }) => ({ name, version })) });
  return true;
}

/**
 * Collects the compiled graphs among the exports, and those of an exported record `graphs`, all in the exported
 * `version`.
 */
function collect(exports: Record<string, unknown>): void {
  const version = exports.version ?? DEFAULT_GRAPH_VERSION;
  if (typeof version !== "string" || version === "" || version.length > MAX_VERSION_LENGTH)
    throw new Error(`version must be text of 1 to ${MAX_VERSION_LENGTH} characters; write export const version = "2"`);
  const named = Object.entries(exports).filter(([, value]) => isCompiledGraph(value));
  const listed = Object.entries((exports.graphs ?? {}) as Record<string, unknown>);
  const found = exports.graphs === undefined || isCompiledGraph(exports.graphs) ? named : [...named, ...listed];
  if (found.length === 0) throw new Error("it exports no compiled LangGraph graph (new StateGraph(…).compile())");
  for (const [name, value] of found) {
    if (!isCompiledGraph(value)) throw new Error(`graphs.${name} is no compiled LangGraph graph; call compile()`);
    if (!GRAPH_NAME_PATTERN.test(name))
      throw new Error(
        `graphs[${JSON.stringify(name)}]: a name is a letter, _ or $, then at most 127 letters, digits, _, $ and -`,
      );
    const other = graphs.get(keyOf({ name, version }));
    if (other !== undefined && other.graph !== value)
      throw new Error(
        `the name ${name} is taken by another graph of version ${version}; export another version or name`,
      );
    if (isSet(value.interruptBefore) || isSet(value.interruptAfter)) {
      throw new Error(
        `${name} is compiled with interruptBefore or interruptAfter; call interrupt() in the node instead, so that the question is named`,
      );
    }
    graphs.set(keyOf({ name, version }), { name, version, graph: value });
  }
}

function keyOf({ name, version }: LoadedGraph): string {
  return JSON.stringify([name, version]);
}

function isSet(breakpoints: unknown): boolean {
  return breakpoints === "*" || (Array.isArray(breakpoints) && breakpoints.length > 0);
}

async function run(request: RunGraph): Promise<void> {
  const { attempt } = request;
  const controller = new AbortController();
  current = { attempt, controller };
  const found = graphs.get(keyOf({ name: request.graph, version: request.version }));
  invariant(found !== undefined, `graph ${request.graph} is loaded`);
  const end = await runGraph(found.graph, request, createBridge(request), controller.signal);
  say({ type: "ended", attempt, end });
}

/** The store as the attempt sees it: every call is a message to the host and waits for the reply. */
function createBridge({ attempt, threadId: own }: RunGraph): SaverStore {
  const ask = async <T>(threadId: string | null, request: StoreCall): Promise<T> => {
    if (threadId !== own)
      throw toError("GRAPH_STATE_INVALID", { problem: "a graph reads and writes its own thread only" });
    const call = calls++;
    const answer = Promise.withResolvers<unknown>();
    waiting.set(call, answer);
    say({ type: "store", attempt, call, request });
    return (await answer.promise) as T;
  };
  return {
    put: (threadId, checkpoint) =>
      ask(threadId, { op: "put", checkpoint: { ...checkpoint, channels: [...checkpoint.channels] } }),
    putWrites: (threadId, namespace, checkpointId, writes) =>
      ask(threadId, { op: "putWrites", namespace, checkpointId, writes: [...writes] }),
    get: (threadId, namespace, checkpointId) =>
      ask<StoredCheckpoint | null>(threadId, { op: "get", namespace, checkpointId }),
    list: ({ threadId, ...query }) => ask<readonly StoredCheckpoint[]>(threadId, { op: "list", query }),
    listWrites: (threadId, channels) =>
      ask<readonly StoredWrite[]>(threadId, { op: "listWrites", channels: [...channels] }),
    deleteThread: () => Promise.reject(toError("GRAPH_STATE_INVALID", { problem: "a graph cannot delete its thread" })),
  };
}

function take(message: HostMessage): void {
  switch (message.type) {
    case "run":
      void run(message);
      return;
    case "abort":
      if (current?.attempt === message.attempt) current.controller.abort(new Error("the attempt was told to stop"));
      return;
    case "stored": {
      const { call, value, error } = message;
      const answer = waiting.get(call);
      waiting.delete(call);
      if (error === null) answer?.resolve(value);
      else answer?.reject(Object.assign(new Error(error.message), { code: error.code }));
    }
  }
}

if (await load(workerData as WorkerStart)) port.on("message", take);
else port.close();
