/**
 * A small engine and registry in memory, for tests of the protocols: runs complete at once with their input as output,
 * or stay open when their flow is `open`.
 */
import { toError } from "../../../src/base/errors.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import { applyRecord } from "../../../src/engine/machine/apply.ts";
import type { JournalRecord } from "../../../src/engine/machine/records.ts";
import type { RunState } from "../../../src/engine/machine/state.ts";
import { createState, publicState } from "../../../src/engine/machine/state.ts";
import type { ApprovalIndex } from "../../../src/engine/ports/approvals.ts";
import type { RunKeys } from "../../../src/engine/ports/bus/run-keys.ts";
import type { Caller } from "../../../src/engine/ports/caller.ts";
import type { Cluster, OtherInstance } from "../../../src/engine/ports/cluster.ts";
import type { StartRequest, StartResult } from "../../../src/engine/ports/run-control.ts";
import type { RunHeader, RunIndex } from "../../../src/engine/ports/run-index.ts";
import type { RunEventView, RunView } from "../../../src/engine/ports/run-reader.ts";
import type { RunChange, RunRelay, WatchFrame } from "../../../src/engine/ports/run-watch.ts";

/** The engine of the tests, with handles to push it. */
export interface FakeEngine extends Engine, RunIndex, ApprovalIndex, Cluster, RunRelay, Pick<RunKeys, "findRun"> {
  readonly states: Map<string, RunState>;
  /** Appends a record to a run and tells the watchers. */
  push(runId: string, record: JournalRecord): void;
  /** Where runs live that this instance does not own. */
  owner: string | null;
  /** Waits do not end on their own, nor when they are told to. */
  hang: boolean;
  /** How many frames the watches have taken. */
  pulled: number;
  /** The other instances. */
  others: OtherInstance[];
  /** Grows when a shard changes hands. */
  epochs: number;
  /** What was told of runs elsewhere. */
  readonly relayed: RunChange[];
  /** How often changed runs were read from the store. */
  rereads: number;
  /** Ends the watches that are open with an error. */
  cut(error: unknown): void;
  /** What the next call throws. */
  failWith(error: unknown): void;
  /** What every call about a run throws from now on, starts included. */
  failEach(errorOf: (runId: string) => Error): void;
  /** Signals of calls that were handed in, to see cancellation arrive. */
  readonly signals: AbortSignal[];
}

/** Builds it. Time is counted in steps of a second from `startAt`. */
export function createFakeEngine(startAt = 1_700_000_000_000): FakeEngine {
  const states = new Map<string, RunState>();
  const journals = new Map<string, JournalRecord[]>();
  const watchers = new Set<() => void>();
  const requests = new Map<string, { readonly hash: string; readonly runId: string }>();
  const signals: AbortSignal[] = [];
  const relayed: RunChange[] = [];
  let now = startAt;
  let failure: unknown;
  let failureOf: ((runId: string) => Error) | undefined;
  let broken: unknown;

  const push = (runId: string, record: JournalRecord): void => {
    const state = states.get(runId);
    if (state === undefined) throw new Error(`no run ${runId}`);
    applyRecord(state, record);
    journals.get(runId)?.push(record);
    for (const watcher of [...watchers]) watcher();
  };
  const find = (caller: Caller, runId: string): RunState => {
    if (failure !== undefined) {
      const thrown = failure;
      failure = undefined;
      throw thrown;
    }
    if (failureOf !== undefined) throw failureOf(runId);
    const state = states.get(runId);
    if (state === undefined || state.tenantId !== caller.tenantId) throw toError("RUN_NOT_FOUND", { runId });
    return state;
  };
  const openRun = (caller: Caller, runId: string): RunState => {
    const state = find(caller, runId);
    if (state.endedAt !== 0) throw toError("RUN_FINISHED", { runId, state: state.phase });
    return state;
  };
  const view = (state: RunState): RunView => ({ state });
  const start = (caller: Caller, request: StartRequest): StartResult => {
    if (failure !== undefined) {
      const thrown = failure;
      failure = undefined;
      throw thrown;
    }
    if (failureOf !== undefined) throw failureOf(request.runId);
    if (request.flowId === "missing") throw toError("FLOW_NOT_FOUND", { flowId: request.flowId, hint: "" });
    const before = requests.get(request.requestId);
    if (request.requestId !== "" && before !== undefined) {
      if (before.hash !== request.requestHash) throw toError("REQUEST_ID_REUSED", { requestId: request.requestId });
      return { run: view(find(caller, before.runId)), started: true };
    }
    const runId = request.runId === "" ? `run-${states.size + 1}` : request.runId;
    if (states.has(runId)) throw toError("RUN_ALREADY_EXISTS", { runId });
    if (request.requestId !== "") requests.set(request.requestId, { hash: request.requestHash, runId });
    states.set(runId, createState(runId));
    journals.set(runId, []);
    now += 1_000;
    push(runId, {
      type: "run.started",
      at: now,
      flowId: request.flowId,
      version: request.version || "1",
      hash: "a".repeat(64),
      tenantId: caller.tenantId,
      vars: request.input,
      ...(request.runTimeoutMs === null ? {} : { deadlineAt: now + request.runTimeoutMs }),
      // Nobody gives out slots: such a run stays queued.
      ...(request.limit === undefined ? {} : { startAt: now, limit: request.limit }),
      facts: {
        userId: request.userId,
        correlationId: request.correlationId,
        labels: request.labels,
        runKey: request.runKey,
        requestId: request.requestId,
        context: request.context,
        parent: null,
      },
    });
    if (request.flowId !== "open" && request.limit === undefined)
      push(runId, { type: "run.completed", at: now, output: request.input });
    return { run: view(find(caller, runId)), started: true };
  };
  const header = (state: RunState): RunHeader => ({
    runId: state.runId,
    tenantId: state.tenantId,
    flowId: state.flowId,
    version: state.version,
    flowHash: state.hash,
    state: publicState(state),
    sequence: state.sequence,
    labels: state.facts.labels,
    userId: state.facts.userId,
    correlationId: state.facts.correlationId,
    runKey: state.facts.runKey,
    parentRunId: "",
    createdAt: state.createdAt,
    updatedAt: state.updatedAt,
    endedAt: state.endedAt === 0 ? null : state.endedAt,
    deadlineAt: state.deadlineAt,
  });
  const change = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        watchers.delete(done);
        resolve();
      };
      watchers.add(done);
      signal.addEventListener("abort", done, { once: true });
    });

  return {
    states,
    signals,
    owner: null,
    hang: false,
    pulled: 0,
    watchBacklog: 0,
    async locate() {
      return this.owner === null ? null : { address: this.owner };
    },
    ownerOf: () => null,
    push,
    cut: (error) => {
      broken = error;
      for (const watcher of [...watchers]) watcher();
      queueMicrotask(() => {
        broken = undefined;
      });
    },
    failWith: (error) => {
      failure = error;
    },
    failEach: (errorOf) => {
      failureOf = errorOf;
    },
    startRun: async (caller, request) => start(caller, request),
    startRuns: async (caller, all) =>
      all.map((request) => {
        try {
          return start(caller, request);
        } catch (error) {
          return error as Error;
        }
      }),
    getRun: async (caller, runId) => view(find(caller, runId)),
    async waitRun(caller, runId, waitMs, signal) {
      signals.push(signal);
      const state = find(caller, runId);
      const over = this.hang ? new AbortController().signal : AbortSignal.any([signal, AbortSignal.timeout(waitMs)]);
      while (state.endedAt === 0 && !over.aborted) await change(over);
      return view(state);
    },
    async signalRun(caller, runId, name, payload) {
      const state = openRun(caller, runId);
      push(runId, { type: "signal.received", at: now, id: state.signalCount + 1, name, payload });
      return view(state);
    },
    async decideApproval(caller, runId, approvalId) {
      openRun(caller, runId);
      throw toError("APPROVAL_NOT_FOUND", { runId, approvalId });
    },
    async tellTask(caller, runId, task, outcome, why) {
      const state = openRun(caller, runId);
      const told = { by: caller.actor, why };
      if (outcome.ok) push(runId, { type: "task.completed", at: now, task, output: outcome.output, told });
      else push(runId, { type: "task.failed", at: now, task, error: outcome.error, told });
      return view(state);
    },
    async cancelRun(caller, runId, reason) {
      const state = openRun(caller, runId);
      push(runId, {
        type: "run.ending",
        at: now,
        cause: { end: "canceled", compensate: false, reason, by: caller.actor, error: null },
        boundAt: now + 30_000,
      });
      push(runId, { type: "run.canceled", at: now });
      return view(state);
    },
    findRun: async (_tenantId, requestId) => requests.get(requestId)?.runId ?? null,
    async claimRequest(_caller, requestId, hash) {
      const before = requests.get(requestId);
      if (before !== undefined && before.hash !== hash) throw toError("REQUEST_ID_REUSED", { requestId });
      requests.set(requestId, { hash, runId: "" });
    },
    async terminateRun(caller, runId, reason) {
      push(runId, { type: "run.terminated", at: now, reason, by: openRun(caller, runId) && caller.actor });
      return view(find(caller, runId));
    },
    async deleteRun(caller, runId) {
      const state = find(caller, runId);
      if (state.endedAt === 0) throw toError("RUN_STATE_INVALID", { runId, state: state.phase, action: "a deletion" });
      states.delete(runId);
      return now;
    },
    async pauseRun(caller, runId, why) {
      openRun(caller, runId);
      push(runId, { type: "run.held", at: now, hold: "operator", by: caller.actor, why });
      return view(find(caller, runId));
    },
    async resumeRun(caller, runId, kinds, why) {
      openRun(caller, runId);
      for (const hold of kinds.length === 0 ? (["operator"] as const) : kinds)
        push(runId, { type: "run.released", at: now, hold, by: caller.actor, why });
      return view(find(caller, runId));
    },
    async listEvents(caller, runId, afterSequence, limit) {
      find(caller, runId);
      const records = journals.get(runId) ?? [];
      const events = records
        .slice(afterSequence, afterSequence + limit)
        .map((record, at): RunEventView => ({ runId, sequence: afterSequence + at + 1, record }));
      return { events, more: records.length > afterSequence + limit };
    },
    async *watchRun(caller, runId, afterSequence, signal): AsyncIterable<WatchFrame> {
      signals.push(signal);
      const state = find(caller, runId);
      const records = journals.get(runId) ?? [];
      let at = afterSequence ?? state.sequence;
      if (afterSequence === null) yield { type: "snapshot", state };
      while (!signal.aborted) {
        for (; at < records.length; at += 1) {
          const record = records[at] as JournalRecord;
          this.pulled += 1;
          yield { type: "event", event: { runId, sequence: at + 1, record } };
        }
        if (state.endedAt !== 0) {
          yield { type: "end", state };
          return;
        }
        await change(signal);
        if (broken !== undefined) throw broken;
      }
    },
    async *watchRuns(_caller, signal): AsyncIterable<RunChange> {
      const seen = new Map<string, number>([...states.values()].map((state) => [state.runId, state.sequence]));
      while (!signal.aborted) {
        const changed = [...states.values()].filter((state) => seen.get(state.runId) !== state.sequence);
        if (changed.length === 0) await change(signal);
        for (const state of changed) {
          seen.set(state.runId, state.sequence);
          yield { type: "changed", headers: [header(state)] };
        }
      }
    },
    relay: (_tenantId, change) => void relayed.push(change),
    relayed,
    others: [],
    epochs: 1,
    view() {
      return { others: this.others, epochs: this.epochs };
    },
    async listChanged() {
      this.rereads += 1;
      return [...states.values()].map(header);
    },
    rereads: 0,
    async listRuns(caller, _filter, after, limit) {
      return [...states.values()]
        .filter((state) => state.tenantId === caller.tenantId)
        .map(header)
        .sort((a, b) => b.createdAt - a.createdAt || (a.runId < b.runId ? 1 : -1))
        .filter(
          (one) =>
            after === null ||
            one.createdAt < after.createdAt ||
            (one.createdAt === after.createdAt && one.runId < after.runId),
        )
        .slice(0, limit);
    },
    async countRuns(caller) {
      const counts = new Map<RunHeader["state"], number>();
      for (const state of states.values()) {
        if (state.tenantId === caller.tenantId)
          counts.set(publicState(state), (counts.get(publicState(state)) ?? 0) + 1);
      }
      return [...counts].map(([state, count]) => ({ state, count }));
    },
    listApprovals: async () => [],
  };
}
