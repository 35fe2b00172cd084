/**
 * `graph`: one attempt of a LangGraph graph in a worker thread. The graph host (`engine/graph/host.ts`) does the work;
 * this file converts its results to outcomes.
 */

import { isOrchestratorError } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { parseJson } from "../../base/json/json-parse.ts";
import { SIGNAL_NAME_PATTERN, SIGNAL_NAME_PROBLEM } from "../../base/process/signal-name.ts";
import { parseDurationMs } from "../../base/time/duration.ts";
import type { GraphAttempt, GraphHost } from "../../engine/ports/graphs.ts";
import type { Outcome, Suspension } from "../../engine/ports/tools.ts";
import type { LocalAdapter } from "../adapter.ts";
import { abortedOutcome, deferredOutcome, failedOutcome } from "../outcome.ts";

/** How long a run waits before it checks again whether its graph's module is loaded, milliseconds. */
const NOT_LOADED_DEFER_MS = 60_000;
const BUSY_DEFER_MS = 5_000;
const STORE_DEFER_MS = 2_000;

/**
 * Creates the adapter. The host has its own guards, so no breaker or bulkhead is applied to it. The owner of the host
 * closes it.
 */
export function createGraphAdapter(host: Pick<GraphHost, "run">): LocalAdapter {
  return {
    type: "graph",
    local: true,
    run: async (call, { signal }) => toOutcome(await host.run(call, signal), call.path, signal),
  };
}

function toOutcome(end: GraphAttempt, graph: string, signal: AbortSignal): Outcome {
  switch (end.kind) {
    case "not_loaded": {
      const message = `graph ${graph} is not loaded; name its module in the configuration (graphs.modules) and start the service again`;
      return deferredOutcome("GRAPH_NOT_LOADED", end.problem === "" ? message : end.problem, NOT_LOADED_DEFER_MS, true);
    }
    case "busy":
      return deferredOutcome("GRAPH_BUSY", "every worker for graphs has work", BUSY_DEFER_MS, true);
    case "never_began":
      return stoppedOutcome(signal, true);
    case "completed":
      return readEnd(end.output, (output) => ({ ok: true, output }));
    case "suspended":
      return readEnd(end.value, (value) => toSuspended(end.key, value));
    case "failed":
      return failedOutcome(end.type, end.message, { retryable: end.retryable });
    case "killed":
      return failedOutcome(end.type, `${graph}: ${end.message}`, { retryable: true });
    case "stopped":
      return stoppedOutcome(signal, false);
    case "store":
      return storeOutcome(end.error);
  }
}

/**
 * Outcome of an attempt that was stopped. If its signal did not abort, the service is closing, and the attempt is
 * repeated by the next one.
 */
function stoppedOutcome(signal: AbortSignal, noEffect: boolean): Outcome {
  if (signal.aborted) return abortedOutcome(signal, noEffect);
  return deferredOutcome("SHUTTING_DOWN", "the service is closing", 0, noEffect);
}

/** Data from a worker is as untrusted as the response of a tool. */
function readEnd(text: string, toEnd: (value: Json) => Outcome): Outcome {
  let value: Json;
  try {
    value = parseJson(text, { field: "the output of the graph" });
  } catch (error) {
    if (!isOrchestratorError(error)) throw error;
    return failedOutcome("GRAPH_STATE_INVALID", error.message, { retryable: false });
  }
  return toEnd(value);
}

/** `{type: "signal", name}` waits for that signal; everything else waits for an approval. `timeout` limits both. */
function toSuspended(key: string, asked: Json): Outcome {
  const value: JsonObject =
    typeof asked === "object" && asked !== null && !Array.isArray(asked)
      ? (asked as JsonObject)
      : typeof asked === "string"
        ? { title: asked }
        : { value: asked };
  let timeoutMs: number | null = null;
  if (value.timeout !== undefined) {
    try {
      timeoutMs = parseDurationMs(value.timeout as number | string);
    } catch {
      // parseDurationMs describes a duration in terms of requests; here the node is at fault.
      const message = `interrupt: timeout must be seconds (90) or text with units (5m), it is ${JSON.stringify(value.timeout)}`;
      return failedOutcome("GRAPH_INTERRUPT_INVALID", message, { retryable: false });
    }
  }
  if (value.type !== "signal") return suspended({ key, wait: { kind: "approval" }, value, timeoutMs });
  if (typeof value.name === "string" && SIGNAL_NAME_PATTERN.test(value.name)) {
    return suspended({ key, wait: { kind: "signal", name: value.name }, value, timeoutMs });
  }
  const name = value.name === undefined ? "missing" : JSON.stringify(value.name).slice(0, 200);
  const message = `interrupt: the name of the signal is ${name}; ${SIGNAL_NAME_PROBLEM}`;
  return failedOutcome("GRAPH_INTERRUPT_INVALID", message, { retryable: false });
}

function suspended(suspension: Suspension): Outcome {
  const { wait } = suspension;
  const message =
    wait.kind === "signal" ? `the graph waits for the signal ${wait.name}` : "the graph waits for an approval";
  return { ok: false, error: { type: "SUSPENDED", message, retryable: true }, suspended: suspension };
}

/**
 * A store failure is not the graph's fault: the attempt is repeated, without being counted, unless the error is final.
 */
function storeOutcome(error: Error & { readonly code: string; readonly retry: string }): Outcome {
  if (error.retry === "no") return failedOutcome(error.code, error.message, { retryable: false });
  return deferredOutcome(error.code, error.message, STORE_DEFER_MS, false);
}
