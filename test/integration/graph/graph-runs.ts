import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Json, JsonObject } from "../../../src/base/json/json.ts";
import { silentLog } from "../../../src/base/log.ts";
import { type GraphHostLimits, openGraphHost } from "../../../src/engine/graph/host.ts";
import type { Outcome } from "../../../src/engine/machine/events.ts";
import type { Answer } from "../../../src/engine/machine/records.ts";
import type { CheckpointStore } from "../../../src/engine/ports/checkpoints.ts";
import type { GraphHost } from "../../../src/engine/ports/graphs.ts";
import type { ToolCall } from "../../../src/engine/ports/tools.ts";
import { createGraphAdapter } from "../../../src/tools/graph/graph.ts";
import { aCall } from "../../unit/tools/a-call.ts";

/** The graphs of these tests. */
export const MODULES = [fileURLToPath(new URL("./modules.ts", import.meta.url))];

/** A host with one worker. */
export function openTestHost(
  checkpoints: CheckpointStore,
  limits: Partial<GraphHostLimits> = {},
  modules = MODULES,
  log = silentLog,
): Promise<GraphHost> {
  return openGraphHost({ modules, limits: { maxWorkers: 1, ...limits }, checkpoints, log });
}

let runs = 0;

/** A run of one graph, attempt by attempt, as the engine makes them. Nodes note what they do in a file of `folder`. */
export function startGraphRun(graph: string, host: GraphHost, folder: string) {
  runs += 1;
  const runId = `run-${process.pid}-${runs}`;
  const threadId = `${runId}/${graph}/0`;
  const file = join(folder, `${runId}.txt`);
  writeFileSync(file, "");
  let dispatches = 0;
  return {
    runId,
    threadId,
    attempt: (
      more: { answer?: Answer | null; input?: JsonObject; signal?: AbortSignal; token?: number; on?: GraphHost } = {},
    ): Promise<Outcome> => {
      dispatches += 1;
      const call: ToolCall = aCall(
        "graph",
        { input: more.input ?? { file } },
        {
          runId,
          path: graph,
          idempotencyKey: threadId,
          fencingToken: more.token ?? dispatches,
          answer: more.answer ?? null,
          timeoutMs: null,
        },
      );
      return createGraphAdapter(more.on ?? host).run(
        call,
        more.signal === undefined ? new AbortController() : { signal: more.signal },
      );
    },
    note: (line: string) => appendFileSync(file, `${line}\n`),
    notes: () =>
      readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line !== ""),
  };
}

/** What the graph asked. */
export function suspensionOf(outcome: Outcome) {
  if (outcome.ok || outcome.suspended === undefined)
    throw new Error(`expected a question, got ${JSON.stringify(outcome)}`);
  return outcome.suspended;
}

/** The channel `answers` of a finished graph. */
export function answersOf(outcome: Outcome): Json {
  if (!outcome.ok) throw new Error(`expected an output, got ${JSON.stringify(outcome)}`);
  return (outcome.output as JsonObject).answers ?? null;
}
