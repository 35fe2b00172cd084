/** The engine behind its port: starts, steers, reads and watches runs on the shard runtime. */
import { isOrchestratorError, toError } from "../base/errors.ts";
import { isMintedRunId, mintRunId, shardOfRun } from "../base/ids.ts";
import type { Json } from "../base/json.ts";
import { checkInput } from "../flows/input.ts";
import { foldJournal } from "./apply.ts";
import { type Cell, hasEnded, isClean, StartTaken, shownState } from "./cell.ts";
import type { RunEvent } from "./events.ts";
import { toHeader } from "./headers.ts";
import type { StartConflict, StartRow } from "./journal.ts";
import type { Caller, Engine, RunHeader, RunView, StartRequest, StartResult } from "./port.ts";
import type { JournalRecord } from "./records.ts";
import { openRun, type Run } from "./run.ts";
import type { Runtime } from "./runtime.ts";
import { copyState, createState, isTerminalPhase, publicState, type RunState } from "./state.ts";
import { MAX_QUEUED_SIGNALS } from "./tasks.ts";
import { checkText } from "./texts.ts";
import { watchRun } from "./watch.ts";

/** Settings of the engine. */
export interface EngineOptions {
  /** Run timeout when neither start nor flow give one, milliseconds; null: none. */
  readonly defaultRunTimeoutMs: number | null;
}

/** How often a start that keeps colliding is tried: as many callers may replace each other's runs at once. */
const MAX_START_TRIES = 200;

/** The engine over a runtime. */
export function createEngine(runtime: Runtime, options: EngineOptions): Engine {
  const observer = new RunsObserver();
  runtime.observe(observer);

  const startRun = async (caller: Caller, request: StartRequest, waitMs: number): Promise<StartResult> => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await startOnce(caller, request, waitMs);
      } catch (error) {
        if (!(error instanceof StartTaken)) throw error;
        if (tries >= MAX_START_TRIES) throw toError("STORE_CONFLICT", {}, { cause: error });
        const existing = await resolveConflict(caller, request, waitMs);
        if (existing !== null) return existing;
      }
    }
  };

  const startOnce = async (caller: Caller, request: StartRequest, waitMs: number): Promise<StartResult> => {
    if (runtime.stopping) throw toError("SHUTTING_DOWN");
    const { tenantId } = caller;
    checkTexts(request);
    const plan = await runtime.parts.flows.planFor(tenantId, request.flowId, request.version);
    const vars = checkInput(plan, request.input);
    const at = runtime.now();
    const { runId, shard } = placeRun(request, at);
    if (runtime.cells.has(runId)) throw new StartTaken(runId);
    const timeoutMs = request.runTimeoutMs ?? plan.timeoutMs ?? options.defaultRunTimeoutMs;
    const event: RunEvent = {
      type: "start",
      at,
      tenantId,
      vars,
      deadlineAt: timeoutMs === null ? null : at + request.startDelayMs + timeoutMs,
      startAt: request.startDelayMs > 0 ? at + request.startDelayMs : null,
      facts: {
        userId: request.userId,
        correlationId: request.correlationId,
        labels: request.labels,
        runKey: request.runKey,
        requestId: request.requestId,
        context: request.context,
        parent: null,
      },
      signals: request.signals,
    };
    const { cell, done } = runtime.begin(runId, shard, openRun(createState(runId), plan), event, keysOf(request));
    await done;
    return { run: await (waitMs > 0 ? waitFor(cell, waitMs) : viewOf(cell)), started: true };
  };

  const placeRun = (request: StartRequest, at: number): { runId: string; shard: number } => {
    if (request.runId === "") {
      const shard = runtime.pickShard();
      if (shard === undefined)
        throw toError("OVERLOADED", { what: "this instance owns no shard yet" }, { retryAfterMs: 1_000 });
      return { runId: mintRunId(shard, at), shard };
    }
    if (isMintedRunId(request.runId)) {
      throw toError("INVALID_REQUEST", {
        problem: "run_id has the form of ids that the service mints; choose another form or leave it empty",
      });
    }
    if (request.runId.includes(":"))
      throw toError("INVALID_REQUEST", {
        problem: "run_id holds a colon, which marks ids of child runs; leave it out",
      });
    const shard = shardOfRun(request.runId, runtime.parts.shards);
    if (runtime.epochOf(shard) === undefined) throw toError("RUN_MOVED", { runId: request.runId });
    return { runId: request.runId, shard };
  };

  const resolveConflict = async (
    caller: Caller,
    request: StartRequest,
    waitMs: number,
  ): Promise<StartResult | null> => {
    const { tenantId } = caller;
    const { requestId, runId, flowId, runKey } = request;
    const conflict = await runtime.parts.journal.findConflict({ tenantId, requestId, runId, flowId, runKey });
    if (conflict === null) {
      // A run of another tenant may have the id: it does not exist for this caller, and yet the id is taken.
      return null;
    }
    return answerConflict(caller, request, conflict, waitMs);
  };

  const answerConflict = async (
    caller: Caller,
    request: StartRequest,
    conflict: StartConflict,
    waitMs: number,
  ): Promise<StartResult | null> => {
    const existing = async (): Promise<StartResult> => {
      const run = await (waitMs > 0
        ? waitRun(caller, conflict.runId, waitMs, new AbortController().signal)
        : getRun(caller, conflict.runId));
      return { run, started: false };
    };
    switch (conflict.by) {
      case "request":
        if (conflict.requestHash === request.requestHash) return existing();
        throw toError("REQUEST_ID_REUSED", { requestId: request.requestId });
      case "run":
        throw toError("RUN_ALREADY_EXISTS", { runId: request.runId });
      case "run_key":
        if (request.runKeyPolicy === "return_existing") return existing();
        if (request.runKeyPolicy === "reject")
          throw toError("RUN_KEY_OPEN", { runId: conflict.runId, runKey: request.runKey });
        await terminateRun(caller, conflict.runId, `replaced by a new run with run_key ${request.runKey}`).catch(
          (error: unknown) => {
            if (!isOrchestratorError(error) || error.code !== "RUN_FINISHED") throw error;
          },
        );
        return null;
    }
  };

  /** Resolves with the run when it has ended or the time is up. */
  const waitFor = async (cell: Cell, waitMs: number, signal?: AbortSignal): Promise<RunView> => {
    if (!hasEnded(cell) && !cell.gone) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          cell.waiters.delete(wake);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        const timer = setTimeout(wake, waitMs);
        cell.waiters.add(wake);
        signal?.addEventListener("abort", wake);
      });
    }
    return viewOf(cell);
  };

  /** The run as it is in the journal. */
  const viewOf = async (cell: Cell): Promise<RunView> => {
    const state = shownState(cell);
    if (state === null) return { state: (await loadState(cell.runId)) ?? cell.run.state };
    return { state: isTerminalPhase(state.phase) ? state : copyState(state) };
  };

  const loadState = async (runId: string): Promise<RunState | null> => {
    const stored = await runtime.parts.journal.loadRun(runId);
    return stored === null ? null : foldJournal(runId, stored.records);
  };

  const getRun = async (caller: Caller, runId: string): Promise<RunView> => {
    const cell = runtime.cells.get(runId);
    const state = (cell === undefined ? null : shownState(cell)) ?? (await loadState(runId));
    if (state === null || state.tenantId !== caller.tenantId) throw toError("RUN_NOT_FOUND", { runId });
    return { state: cell === undefined ? state : copyState(state) };
  };

  const waitRun = async (caller: Caller, runId: string, waitMs: number, signal: AbortSignal): Promise<RunView> => {
    const view = await getRun(caller, runId);
    if (isTerminalPhase(view.state.phase) || waitMs <= 0) return view;
    const cell = await openCell(caller, runId).catch((error: unknown) => {
      if (isOrchestratorError(error) && error.code === "RUN_FINISHED") return null;
      throw error;
    });
    return cell === null ? getRun(caller, runId) : waitFor(cell, waitMs, signal);
  };

  /** The cell of an open run of the caller's tenant. */
  const openCell = async (caller: Caller, runId: string): Promise<Cell> => {
    if (runtime.stopping) throw toError("SHUTTING_DOWN");
    const cell = await runtime.cellOf(runId);
    const { state } = cell.run;
    if (state.tenantId !== caller.tenantId) throw toError("RUN_NOT_FOUND", { runId });
    if (!isTerminalPhase(state.phase)) return cell;
    // Memory may be ahead: that the run has ended is said when it is durable.
    if (!isClean(cell)) {
      await runtime.submit(cell, { type: "due", at: runtime.now(), random: 0 });
      return openCell(caller, runId);
    }
    throw toError("RUN_FINISHED", { runId, state: publicState(state) });
  };

  /** Makes an event of a call. A request id that was applied before, even to a run that has ended since, is answered with the run as it is. */
  const change = async (
    caller: Caller,
    runId: string,
    toEvent: (at: number, cell: Cell) => RunEvent,
    requestId = "",
  ): Promise<RunView> => {
    if (requestId !== "") {
      const before = await getRun(caller, runId);
      if (before.state.requests.includes(requestId)) return before;
    }
    const cell = await openCell(caller, runId);
    await runtime.submit(cell, toEvent(runtime.now(), cell));
    return viewOf(cell);
  };

  const terminateRun = (caller: Caller, runId: string, reason: string): Promise<RunView> =>
    change(caller, runId, (at) => ({ type: "terminate", at, by: caller.actor, reason }));

  return {
    startRun,
    startRuns: async (caller, requests, waitMs) => {
      const results = requests.map((request) =>
        startRun(caller, request, waitMs).catch((error: unknown) => error as Error),
      );
      return Promise.all(results);
    },
    getRun,
    waitRun,
    signalRun: (caller, runId, name, payload, requestId) =>
      change(
        caller,
        runId,
        (at, cell) => {
          const unread = cell.run.state.signals.filter((signal) => signal.name === name).length;
          if (unread >= MAX_QUEUED_SIGNALS)
            throw toError("SIGNAL_QUEUE_FULL", { runId, name, limit: MAX_QUEUED_SIGNALS });
          return { type: "signal", at, name, payload, ...(requestId === "" ? {} : { request: requestId }) };
        },
        requestId,
      ),
    decideApproval: (caller, runId, task, { requestId = "", ...decision }) =>
      change(
        caller,
        runId,
        (at, cell) => {
          checkApproval(cell, runId, task);
          const request = requestId === "" ? {} : { request: requestId };
          return { type: "decided", at, task, by: caller.actor, ...decision, ...request };
        },
        requestId,
      ),
    cancelRun: (caller, runId, reason, compensate) =>
      change(caller, runId, (at) => ({ type: "cancel", at, by: caller.actor, reason, compensate })),
    terminateRun,
    pauseRun: (caller, runId, reason) =>
      change(caller, runId, (at) => ({ type: "hold", at, hold: "operator", by: caller.actor, why: reason })),
    resumeRun: async (caller, runId, kinds, reason) => {
      const cell = await openCell(caller, runId);
      const wanted = kinds.length === 0 ? (["operator"] as const) : kinds;
      await Promise.all(
        wanted.map((hold) =>
          runtime.submit(cell, { type: "release", at: runtime.now(), hold, by: caller.actor, why: reason }),
        ),
      );
      const orphaned = [...cell.run.state.tasks.values()].some(
        (task) => task.state === "RUNNING" && task.group === null && !cell.attempts.has(task.path),
      );
      if (orphaned && isClean(cell) && !cell.gone) runtime.recover(cell, true);
      return viewOf(cell);
    },
    listEvents: async (caller, runId, afterSequence, limit) => {
      const moves = await runtime.parts.journal.readEvents(caller.tenantId, runId, afterSequence, limit);
      if (moves === null) throw toError("RUN_NOT_FOUND", { runId });
      const events = moves.flatMap((move) =>
        move.records.map((record, index) => ({ runId, sequence: move.sequence + index, record })),
      );
      return events.filter((event) => event.sequence > afterSequence).slice(0, limit);
    },
    watchRun: (caller, runId, afterSequence, signal) =>
      watchRun(runtime, caller.tenantId, runId, afterSequence, signal),
    ownerOf: async (runId) => {
      const shard = shardOfRun(runId, runtime.parts.shards);
      return runtime.epochOf(shard) === undefined ? runtime.parts.leases.addressOf(shard) : null;
    },
    watchRuns: (caller, signal) => observer.watch(caller.tenantId, signal),
  };
}

/** Every text of a start that becomes a column of the store. */
function checkTexts(request: StartRequest): void {
  const { flowId, version, requestId, runId, runKey, userId, correlationId, labels } = request;
  checkText("flow_id", flowId);
  checkText("version", version);
  checkText("request_id", requestId);
  checkText("run_id", runId);
  checkText("run_key", runKey);
  checkText("user_id", userId);
  checkText("correlation_id", correlationId);
  for (const key in labels) {
    checkText("labels", key);
    checkText(`labels.${key}`, labels[key] ?? "");
  }
}

function keysOf(request: StartRequest): StartRow["keys"] {
  const keys: { kind: "request" | "run"; key: string; hash: string }[] = [];
  if (request.requestId !== "") keys.push({ kind: "request", key: request.requestId, hash: request.requestHash });
  if (request.runId !== "") keys.push({ kind: "run", key: request.runId, hash: request.requestHash });
  return keys;
}

function checkApproval(cell: Cell, runId: string, taskId: string): void {
  const task = cell.run.state.tasks.get(taskId);
  if (task?.wait?.kind !== "approval") throw toError("APPROVAL_NOT_FOUND", { runId, taskId });
  if (task.state !== "WAITING")
    throw toError("APPROVAL_DECIDED", { runId, taskId, decision: decisionOf(task.output, task.state) });
}

function decisionOf(output: Json | undefined, state: string): string {
  if (output !== null && typeof output === "object" && "approved" in output)
    return output.approved === true ? "approved" : "rejected";
  return state.toLowerCase();
}

/** Followers of all runs of a tenant. A follower that falls behind loses the oldest lines: each line is the whole header, so the newest is enough. */
class RunsObserver {
  readonly #followers = new Set<{ tenantId: string; queue: Map<string, RunHeader>; wake: (() => void) | null }>();

  /** Hears of commits. While the state is ahead of the journal nobody sees it: the next commit tells. */
  committed({ state }: Run, records: readonly JournalRecord[], firstSequence: number): void {
    if (this.#followers.size === 0 || state.sequence >= firstSequence + records.length) return;
    const header = toHeader(state);
    for (const follower of this.#followers) {
      if (follower.tenantId !== state.tenantId) continue;
      follower.queue.delete(header.runId);
      follower.queue.set(header.runId, header);
      if (follower.queue.size > 10_000) follower.queue.delete(follower.queue.keys().next().value ?? "");
      follower.wake?.();
    }
  }

  /** Nothing to do: a lost shard is followed by its new owner. */
  fenced(): void {}

  /** Headers as they change. */
  async *watch(tenantId: string, signal: AbortSignal): AsyncGenerator<RunHeader> {
    const follower = { tenantId, queue: new Map<string, RunHeader>(), wake: null as (() => void) | null };
    this.#followers.add(follower);
    const onAbort = (): void => follower.wake?.();
    signal.addEventListener("abort", onAbort);
    try {
      while (!signal.aborted) {
        const [next] = follower.queue;
        if (next === undefined) {
          await new Promise<void>((resolve) => {
            follower.wake = resolve;
          });
          follower.wake = null;
          continue;
        }
        follower.queue.delete(next[0]);
        yield next[1];
      }
    } finally {
      this.#followers.delete(follower);
      signal.removeEventListener("abort", onAbort);
    }
  }
}
