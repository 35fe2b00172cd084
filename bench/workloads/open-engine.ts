/** Our engine in process: composed as in the service, without the API. */

import { loadConfig } from "../../src/config/config.ts";
import type { Caller } from "../../src/engine/ports/caller.ts";
import type { StartRequest } from "../../src/engine/ports/run-control.ts";
import type { RunView } from "../../src/engine/ports/run-reader.ts";
import type { RunObserver } from "../../src/engine/runs/observer.ts";
import { type ComposeOptions, composeCore } from "../../src/service/compose.ts";

const CALLER: Caller = { tenantId: "default", actor: "" };
const silent = (): void => {};
/** Shows what is wrong, and nothing else. */
export const benchLog = { debug: silent, info: silent, warn: console.error, error: console.error };

export interface BenchEngine {
  readonly commitConnections: number;
  /** Registers a flow: YAML or JSON text. */
  readonly register: (text: string) => Promise<void>;
  /** Starts a run; resolves when it has ended or `waitMs` have passed. */
  readonly start: (flowId: string, input: StartRequest["input"], waitMs: number) => Promise<RunView>;
  /**
   * Starts many runs without input; resolves when all have ended or `waitMs` have passed, rejects if one is refused.
   */
  readonly startMany: (flowId: string, count: number, waitMs: number) => Promise<void>;
  /** Tasks that have started to wait since the engine was opened. */
  readonly countWaits: () => number;
  readonly close: () => Promise<void>;
}

/** Opens the engine on a database, with additional observers of its runs. */
export async function openBenchEngine(
  databaseUrl: string,
  { observers = [], ...parts }: Partial<ComposeOptions> = {},
): Promise<BenchEngine> {
  const { config } = await loadConfig({ env: { DATABASE_URL: databaseUrl } });
  let waits = 0;
  const observer: RunObserver = {
    committed: (_run, records) => {
      for (const record of records) if (record.type === "task.waiting") waits++;
    },
  };
  const core = await composeCore(config, benchLog, {
    address: "127.0.0.1:0",
    ...parts,
    observers: [observer, ...observers],
  });
  return {
    commitConnections: config.engine.commitConnections,
    register: async (text) => {
      await core.flows.registerFlow(CALLER.tenantId, { text }, false);
    },
    start: async (flowId, input, waitMs) =>
      (await core.runControl.startRun(CALLER, toRequest(flowId, input), waitMs)).run,
    startMany: async (flowId, count, waitMs) => {
      // No variable: this function waits too, and would keep the requests.
      const results = await core.runControl.startRuns(
        CALLER,
        Array.from({ length: count }, () => toRequest(flowId, {})),
        waitMs,
      );
      for (const result of results) if (result instanceof Error) throw result;
    },
    countWaits: () => waits,
    close: () => core.close(),
  };
}

function toRequest(flowId: string, input: StartRequest["input"]): StartRequest {
  return {
    flowId,
    version: "",
    input,
    requestId: "",
    requestHash: "",
    runId: "",
    fromMessage: false,
    refusal: null,
    runKey: "",
    runKeyPolicy: "reject",
    labels: {},
    userId: "",
    correlationId: "",
    context: null,
    runTimeoutMs: null,
    startDelayMs: 0,
    signals: [],
  };
}
