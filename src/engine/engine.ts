/** The engine behind the ports of runs: starts, steers, reads, watches and decides on the shard runtime. */
import { isOrchestratorError, toError } from "../base/errors.ts";
import { checkSignal } from "../flows/input.ts";
import { checkDecided, checkForm, findApproval } from "./decisions.ts";
import { deleteRun, throwMissing } from "./deletion.ts";
import type { Followers } from "./followers.ts";
import { listEvents } from "./list-events.ts";
import { foldJournal } from "./machine/apply.ts";
import type { RequestKey, RunEvent } from "./machine/events.ts";
import { copyState, isTerminalPhase, publicState, type RunState } from "./machine/state.ts";
import { MAX_QUEUED_SIGNALS } from "./machine/tasks/tasks.ts";
import type { Approvals } from "./ports/approvals.ts";
import type { Caller } from "./ports/caller.ts";
import type { RunControl } from "./ports/run-control.ts";
import type { RunReader, RunView } from "./ports/run-reader.ts";
import type { RunWatch } from "./ports/run-watch.ts";
import { type Cell, hasEnded, isClean, MAX_JOURNAL_SIZE, StartTaken, shownState, type Waiter } from "./shard/cell.ts";
import type { Runtime } from "./shard/runtime.ts";
import { isUnreadable, readRun, terminateUnread, throwUnreadable } from "./shard/unreadable.ts";
import { createStart } from "./starts.ts";
import { watchRun } from "./watch.ts";

/** The ports of runs that one engine serves. Consumers ask for the ports that they need. */
export interface Engine extends RunControl, RunReader, RunWatch, Approvals {}

/** Settings of the engine. */
export interface EngineOptions {
  /** Run timeout when neither start nor flow give one, milliseconds; null: none. */
  readonly defaultRunTimeoutMs: number | null;
}

/** How often a decision is made that was lost with the memory of the run. */
const MAX_DECISION_TRIES = 5;

/** The engine over a runtime, which tells `followers` what becomes durable. */
export function createEngine(runtime: Runtime, followers: Followers, options: EngineOptions): Engine {
  runtime.observe(followers);

  /** Resolves with the run when it has ended, the time is up, the signal aborts or the service drains. */
  const waitFor = (cell: Cell, waitMs: number, signal?: AbortSignal): Promise<RunView> => {
    if (hasEnded(cell) || cell.gone || runtime.draining || signal?.aborted === true) return viewOf(cell);
    const { runId, waiters } = cell;
    // Nothing below holds the cell: a run that only waits leaves memory, however many wait for it.
    return new Promise<Cell | null>((resolve) => {
      const wake: Waiter = (last) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", giveUp);
        waiters.delete(wake);
        runtime.parked.forget(runId, waiters);
        resolve(last);
      };
      const giveUp = (): void => wake(runtime.cells.get(runId) ?? null);
      const timer = setTimeout(giveUp, waitMs);
      waiters.add(wake);
      signal?.addEventListener("abort", giveUp);
    }).then((last) => (last === null ? storedView(runId) : viewOf(last)));
  };

  const storedView = async (runId: string): Promise<RunView> => {
    const state = await loadState(runId);
    if (state === null) throw toError("RUN_NOT_FOUND", { runId });
    return { state };
  };

  /** The run as it is in the journal. */
  const viewOf = async (cell: Cell): Promise<RunView> => {
    const state = shownState(cell);
    if (state === null) return { state: (await loadState(cell.runId)) ?? cell.run.state };
    return { state: isTerminalPhase(state.phase) ? state : copyState(state) };
  };

  const loadState = async (runId: string): Promise<RunState | null> => {
    await runtime.untouched(runId);
    const stored = await readRun(runId, () => runtime.parts.journal.loadRun(runId));
    return stored === null ? null : readRun(runId, () => foldJournal(runId, stored.records));
  };

  const getRun = async (caller: Caller, runId: string): Promise<RunView> => {
    const cell = runtime.cells.get(runId);
    const shown = cell === undefined ? null : shownState(cell);
    const state =
      shown ?? (await loadState(runId).catch((error) => throwUnreadable(runtime, caller.tenantId, runId, error)));
    if (state === null || state.tenantId !== caller.tenantId) return throwMissing(runtime, caller.tenantId, runId);
    return { state: cell === undefined ? state : copyState(state) };
  };

  const waitRun = async (caller: Caller, runId: string, waitMs: number, signal: AbortSignal): Promise<RunView> => {
    const view = await getRun(caller, runId);
    if (isTerminalPhase(view.state.phase) || waitMs <= 0) return view;
    // Answered at once and again and again, a caller who waits in a loop would never pause.
    if (runtime.draining) throw toError("SHUTTING_DOWN");
    const cell = await openCell(caller, runId).catch((error: unknown) => {
      if (isOrchestratorError(error) && error.code === "RUN_FINISHED") return null;
      throw error;
    });
    return cell === null ? getRun(caller, runId) : waitFor(cell, waitMs, signal);
  };

  /** The cell of an open run of the caller's tenant. */
  const openCell = async (caller: Caller, runId: string): Promise<Cell> => {
    if (runtime.stopping) throw toError("SHUTTING_DOWN");
    const cell = await runtime.cellOf(runId).catch((error) => {
      if (isOrchestratorError(error) && error.code === "RUN_NOT_FOUND")
        return throwMissing(runtime, caller.tenantId, runId);
      return throwUnreadable(runtime, caller.tenantId, runId, error);
    });
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

  /**
   * Gives the events of a call to a run. A request key that was applied before, even to a run that has ended since, is answered with the run as it is.
   * Error: REQUEST_ID_REUSED when another call came with the id.
   */
  const change = async (
    caller: Caller,
    runId: string,
    toEvents: (at: number, cell: Cell) => readonly RunEvent[],
    request?: RequestKey,
  ): Promise<Cell | RunView> => {
    if (request !== undefined) {
      const before = await getRun(caller, runId);
      if (isRepeated(before.state, request)) return before;
    }
    const cell = await openCell(caller, runId);
    // Memory may hold what the journal did not a moment ago. The first event alone changes nothing then, and is answered when the rest is durable.
    const isKnown = request !== undefined && isRepeated(cell.run.state, request);
    const events = isKnown ? [{ type: "due", at: runtime.now(), random: 0 } as const] : toEvents(runtime.now(), cell);
    try {
      await Promise.all(events.map((event) => runtime.submit(cell, event)));
    } catch (error) {
      // The cell was that of a start under way whose id turned out to be taken: look again at what has the id.
      if (!(error instanceof StartTaken)) throw error;
      return change(caller, runId, toEvents, request);
    }
    return cell;
  };

  const changed = async (...call: Parameters<typeof change>): Promise<RunView> => {
    const done = await change(...call);
    return "state" in done ? done : viewOf(done);
  };

  const terminateRun: Engine["terminateRun"] = (caller, runId, reason, request) =>
    changed(
      caller,
      runId,
      (at) => [{ type: "terminate", at, by: caller.actor, reason, ...keyOf(request) }],
      request,
    ).catch(async (error: unknown) => {
      if (!isUnreadable(error)) throw error;
      return { state: await terminateUnread(runtime, caller, runId, reason) };
    });

  const decide: Engine["decideApproval"] = async (caller, runId, approvalId, { request, ...decision }) => {
    for (let tries = 1; tries <= MAX_DECISION_TRIES; tries += 1) {
      const { state } = await decideOnce(caller, runId, approvalId, { request, ...decision });
      const approval = findApproval(state, approvalId);
      // An end that was in memory only, such as that of a timer which was early, is no end: the decision is made again.
      if (approval.state === "PENDING") continue;
      checkDecided(state, approval, decision);
      return { state };
    }
    throw toError("RUN_MOVED", { runId });
  };

  const decideOnce: Engine["decideApproval"] = (caller, runId, approvalId, { request, ...decision }) =>
    changed(
      caller,
      runId,
      (at, { run }) => {
        const approval = findApproval(run.state, approvalId);
        // What has ended in memory may not be durable yet: this event changes nothing and is answered when it is.
        if (approval.state !== "PENDING") return [{ type: "due", at, random: 0 }];
        checkForm(approval, decision);
        return [{ type: "decided", at, approval: approvalId, by: caller.actor, ...decision, ...keyOf(request) }];
      },
      request,
    ).catch((error: unknown) => {
      // The run may have ended by this very decision.
      if (isOrchestratorError(error) && error.code === "RUN_FINISHED") return getRun(caller, runId);
      throw error;
    });

  const signalRun: Engine["signalRun"] = (caller, runId, name, payload, request) =>
    changed(
      caller,
      runId,
      (at, cell) => {
        // Under every other hold signals are taken. Here nothing else would bound how far the run grows before somebody lets it.
        if (cell.run.state.holds.some((hold) => hold.kind === "limit"))
          throw toError("RUN_TOO_LARGE", { runId, limit: MAX_JOURNAL_SIZE });
        const unread = cell.run.state.signals.filter((signal) => signal.name === name).length;
        if (unread >= MAX_QUEUED_SIGNALS)
          throw toError("SIGNAL_QUEUE_FULL", { runId, name, limit: MAX_QUEUED_SIGNALS });
        checkSignal(cell.run.plan, name, payload, "data");
        return [{ type: "signal", at, name, payload, by: caller.actor, ...keyOf(request) }];
      },
      request,
    );

  const { defaultRunTimeoutMs } = options;
  const startRun = createStart(runtime, {
    defaultRunTimeoutMs,
    getRun,
    waitRun,
    terminateRun,
    signalRun,
    waitFor,
    viewOf,
  });

  return {
    startRun,
    startRuns: async (caller, requests, waitMs, signal) => {
      const results = requests.map((request) =>
        startRun(caller, request, waitMs, signal).catch((error: unknown) => error as Error),
      );
      return Promise.all(results);
    },
    getRun,
    waitRun,
    signalRun,
    decideApproval: (caller, runId, approvalId, decision) => decide(caller, runId, approvalId, decision),
    cancelRun: (caller, runId, reason, compensate, request) =>
      changed(
        caller,
        runId,
        (at) => [{ type: "cancel", at, by: caller.actor, reason, compensate, ...keyOf(request) }],
        request,
      ),
    terminateRun,
    deleteRun: (caller, runId) => deleteRun(runtime, caller, runId),
    pauseRun: (caller, runId, why, request) =>
      changed(
        caller,
        runId,
        (at) => [{ type: "hold", at, hold: "operator", by: caller.actor, why, ...keyOf(request) }],
        request,
      ),
    resumeRun: async (caller, runId, kinds, why, request) => {
      const wanted = kinds.length === 0 ? (["operator"] as const) : kinds;
      const done = await change(
        caller,
        runId,
        // One call is one request: the first event carries its key.
        (at) =>
          wanted.map((hold, index) => ({
            type: "release",
            at,
            hold,
            by: caller.actor,
            why,
            ...(index === 0 ? keyOf(request) : {}),
          })),
        request,
      );
      if ("state" in done) return done;
      const orphaned = [...done.run.state.tasks.values()].some(
        (task) => task.state === "RUNNING" && task.group === null && !done.attempts.has(task.path),
      );
      if (orphaned && isClean(done) && !done.gone && !runtime.draining) void runtime.recover(done, true);
      return viewOf(done);
    },
    listEvents: (caller, runId, afterSequence, limit) =>
      listEvents(runtime.parts.journal, caller.tenantId, runId, afterSequence, limit),
    watchRun: (caller, runId, afterSequence, signal) =>
      watchRun(runtime, caller.tenantId, runId, afterSequence, signal),
    watchRuns: (caller, signal, scope) => followers.follow(caller, signal, scope),
  };
}

/** Whether the call with this key was applied to the run. Error: REQUEST_ID_REUSED when it was another call. */
function isRepeated({ requests }: RunState, { id, hash }: RequestKey): boolean {
  const known = requests.get(id);
  if (known !== undefined && known.hash !== hash) throw toError("REQUEST_ID_REUSED", { requestId: id });
  return known !== undefined;
}

function keyOf(request: RequestKey | undefined): { readonly request?: RequestKey } {
  return request === undefined ? {} : { request };
}
