/** The engine behind the ports of runs, built on the shard runtime. */
import type { Approvals } from "./ports/approvals.ts";
import type { RunControl } from "./ports/run-control.ts";
import type { RunReader } from "./ports/run-reader.ts";
import type { RunWatch } from "./ports/run-watch.ts";
import { claimRequest } from "./runs/calls/claim-request.ts";
import { deleteRun } from "./runs/calls/deletion.ts";
import { listEvents } from "./runs/calls/list-events.ts";
import { RunChanges } from "./runs/calls/run-changes.ts";
import { RunViews } from "./runs/calls/run-views.ts";
import { createStart } from "./runs/calls/starts.ts";
import { type WatchQueues, watchRun } from "./runs/calls/watch.ts";
import type { Followers } from "./runs/followers.ts";
import type { Runs } from "./runs/runs.ts";

/** Every port of runs. Consumers declare only the ports that they need. */
export interface Engine extends RunControl, RunReader, RunWatch, Approvals {
  /** Events, notes, and changed runs that wait for the readers of watches. */
  readonly watchBacklog: number;
}

/** Settings of the engine. */
export interface EngineOptions {
  /** Timeout of runs for which neither the start nor the flow sets one, milliseconds; null: none. */
  readonly defaultRunTimeoutMs: number | null;
  /** How many executions may be open; null or absent: any number. */
  readonly maxExecutions?: number | null;
}

const asError = (error: unknown): Error => error as Error;

/** Creates the engine over the runs of this instance. It tells `followers` what has become durable. */
export function createEngine(
  runs: Runs,
  followers: Followers,
  { defaultRunTimeoutMs, maxExecutions = null }: EngineOptions,
): Engine {
  runs.observe(followers);
  const views = new RunViews(runs);
  const changes = new RunChanges(runs, views);
  const queues: WatchQueues = new Set();
  const startRun = createStart(runs, { defaultRunTimeoutMs, maxExecutions, views, changes });
  return {
    get watchBacklog() {
      return [...queues].reduce((sum, { length }) => sum + length, followers.backlog);
    },
    startRun,
    // Neither keeps the requests in memory while their callers wait.
    startRuns: (caller, requests, waitMs, signal) =>
      Promise.all(requests.map((request) => startRun(caller, request, waitMs, signal).catch(asError))),
    claimRequest: (caller, requestId, requestHash) => claimRequest(runs.journal, caller, requestId, requestHash),
    getRun: (...call) => views.getRun(...call),
    waitRun: (...call) => views.waitRun(...call),
    signalRun: (...call) => changes.signalRun(...call),
    decideApproval: (...call) => changes.decideApproval(...call),
    tellTask: (...call) => changes.tellTask(...call),
    cancelRun: (...call) => changes.cancelRun(...call),
    terminateRun: (...call) => changes.terminateRun(...call),
    deleteRun: (caller, runId) => deleteRun(runs, caller, runId),
    pauseRun: (...call) => changes.pauseRun(...call),
    resumeRun: (...call) => changes.resumeRun(...call),
    listEvents: (caller, runId, afterSequence, limit) =>
      listEvents(runs.journal, caller.tenantId, runId, afterSequence, limit),
    watchRun: (caller, runId, afterSequence, signal, notes = false) =>
      watchRun(runs, caller.tenantId, runId, afterSequence, signal, notes, queues),
    watchRuns: (caller, signal, scope) => followers.follow(caller, signal, scope),
  };
}
