/** Calls that change a run. Each resolves when the change is durable. */
import { isOrchestratorError, toError } from "../../../base/errors.ts";
import type { Json } from "../../../base/json/json.ts";
import { checkSignal } from "../../../flows/input.ts";
import type { Outcome, RequestKey, RunEvent } from "../../machine/events.ts";
import type { HoldKind } from "../../machine/records.ts";
import { limitOutcome } from "../../machine/sizes.ts";
import { isTerminalPhase, publicState, type RunState } from "../../machine/state.ts";
import { MAX_QUEUED_SIGNALS } from "../../machine/tasks/tasks.ts";
import type { Approvals } from "../../ports/approvals.ts";
import type { Caller } from "../../ports/caller.ts";
import type { RunView } from "../../ports/run-reader.ts";
import { isClean, MAX_JOURNAL_SIZE, StartOutdated, StartTaken } from "../../shard/resident.ts";
import type { RunResident } from "../run-resident.ts";
import type { Runs } from "../runs.ts";
import { isUnreadable } from "../unreadable.ts";
import { checkDecided, checkForm, findApproval } from "./decisions.ts";
import { openRunOf } from "./open-run.ts";
import type { RunViews } from "./run-views.ts";
import { terminateUnread } from "./terminate-unread.ts";
import { isTold, toBeTold } from "./told.ts";

/** How often to retry a decision that was lost with the memory of the run. */
const MAX_DECISION_TRIES = 5;

/** Events of a call, created from the time and the resident. */
type ToEvents = (at: number, resident: RunResident) => readonly RunEvent[];

/** Content of a decision. */
type Decision = Parameters<Approvals["decideApproval"]>[3];

export class RunChanges {
  readonly #runs: Runs;
  readonly #views: RunViews;

  constructor(runs: Runs, views: RunViews) {
    this.#runs = runs;
    this.#views = views;
  }

  signalRun(caller: Caller, runId: string, name: string, payload: Json, request?: RequestKey): Promise<RunView> {
    const toEvents: ToEvents = (at, { entity: { state, plan } }) => {
      // Signals are accepted under every other hold. Here, nothing else would limit how far the run grows before it is
      // released.
      if (state.holds.some((hold) => hold.kind === "limit"))
        throw toError("RUN_TOO_LARGE", { runId, limit: MAX_JOURNAL_SIZE });
      const unread = state.signals.filter((signal) => signal.name === name).length;
      if (unread >= MAX_QUEUED_SIGNALS) throw toError("SIGNAL_QUEUE_FULL", { runId, name, limit: MAX_QUEUED_SIGNALS });
      checkSignal(plan, name, payload, "data");
      return [{ type: "signal", at, name, payload, by: caller.actor, ...keyOf(request) }];
    };
    return this.#changed(caller, runId, toEvents, request);
  }

  async tellTask(
    caller: Caller,
    runId: string,
    path: string,
    outcome: Outcome,
    why: string,
    request?: RequestKey,
  ): Promise<RunView> {
    const limited = limitOutcome(outcome);
    for (let tries = 1; tries <= MAX_DECISION_TRIES; tries += 1) {
      let attempt = 0;
      const toEvents: ToEvents = (at, { entity }) => {
        const task = toBeTold(entity, path, limited);
        // What has ended in memory may not be durable yet.
        if (task === null) return [{ type: "due", at, random: 0 }];
        ({ attempt } = task);
        const random = Math.random();
        return [{ type: "tell", at, task: path, outcome: limited, by: caller.actor, why, random, ...keyOf(request) }];
      };
      const view = await this.#changed(caller, runId, toEvents, request).catch(async (error: unknown) => {
        if (!isOrchestratorError(error) || error.code !== "RUN_FINISHED") throw error;
        // This very call may have ended the run before.
        const ended = await this.#views.getRun(caller, runId);
        if (isTold(ended.state, path, limited)) return ended;
        throw error;
      });
      const task = view.state.tasks.get(path);
      // The event was decided again after the memory of the run was lost, and another attempt was there.
      const isOpen = task !== undefined && (task.state === "SCHEDULED" || task.state === "RUNNING");
      if (attempt === 0 || !isOpen || task.attempt !== attempt) return view;
    }
    throw toError("RUN_MOVED", { runId });
  }

  cancelRun(
    caller: Caller,
    runId: string,
    reason: string,
    compensate: boolean,
    request?: RequestKey,
  ): Promise<RunView> {
    const { actor: by } = caller;
    const toEvents: ToEvents = (at) => [{ type: "cancel", at, by, reason, compensate, ...keyOf(request) }];
    return this.#changed(caller, runId, toEvents, request);
  }

  async terminateRun(caller: Caller, runId: string, reason: string, request?: RequestKey): Promise<RunView> {
    const { actor: by } = caller;
    const toEvents: ToEvents = (at) => [{ type: "terminate", at, by, reason, ...keyOf(request) }];
    try {
      return await this.#changed(caller, runId, toEvents, request);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      return { state: await terminateUnread(this.#runs, caller, runId, reason) };
    }
  }

  pauseRun(caller: Caller, runId: string, why: string, request?: RequestKey): Promise<RunView> {
    const { actor: by } = caller;
    const toEvents: ToEvents = (at) => [{ type: "hold", at, hold: "operator", by, why, ...keyOf(request) }];
    return this.#changed(caller, runId, toEvents, request);
  }

  async resumeRun(
    caller: Caller,
    runId: string,
    kinds: readonly HoldKind[],
    why: string,
    request?: RequestKey,
  ): Promise<RunView> {
    const { lifecycle, probation } = this.#runs;
    const { actor: by } = caller;
    const wanted = kinds.length === 0 ? (["operator"] as const) : kinds;
    // One call is one request: the first event has its key.
    const toEvents: ToEvents = (at) =>
      wanted.map((hold, index) => ({ type: "release", at, hold, by, why, ...(index === 0 ? keyOf(request) : {}) }));
    const done = await this.#change(caller, runId, toEvents, request);
    if ("state" in done) return done;
    const orphaned = [...done.entity.state.tasks.values()].some(
      (task) => task.state === "RUNNING" && task.group === null && !done.work.attempts.has(task.path),
    );
    if (orphaned && isClean(done) && !done.gone && !lifecycle.draining) void probation.recover(done, true);
    return this.#views.viewOf(done);
  }

  async decideApproval(
    caller: Caller,
    runId: string,
    approvalId: number,
    { request, ...decision }: Decision,
  ): Promise<RunView> {
    for (let tries = 1; tries <= MAX_DECISION_TRIES; tries += 1) {
      const { state } = await this.#decideOnce(caller, runId, approvalId, { request, ...decision });
      const approval = findApproval(state, approvalId);
      // The approval only ended in memory, for example through a timer that was early: decide again.
      if (approval.state === "PENDING") continue;
      checkDecided(state, approval, decision);
      return { state };
    }
    throw toError("RUN_MOVED", { runId });
  }

  async #decideOnce(
    caller: Caller,
    runId: string,
    approvalId: number,
    { request, ...decision }: Decision,
  ): Promise<RunView> {
    const toEvents: ToEvents = (at, { entity }) => {
      const approval = findApproval(entity.state, approvalId);
      // What has ended in memory may not be durable yet. This event changes nothing, and its reply comes once it is.
      if (approval.state !== "PENDING") return [{ type: "due", at, random: 0 }];
      checkForm(approval, decision);
      return [{ type: "decided", at, approval: approvalId, by: caller.actor, ...decision, ...keyOf(request) }];
    };
    try {
      return await this.#changed(caller, runId, toEvents, request);
    } catch (error) {
      // This very decision may have ended the run.
      if (isOrchestratorError(error) && error.code === "RUN_FINISHED") return this.#views.getRun(caller, runId);
      throw error;
    }
  }

  async #changed(caller: Caller, runId: string, toEvents: ToEvents, request?: RequestKey): Promise<RunView> {
    const done = await this.#change(caller, runId, toEvents, request);
    return "state" in done ? done : this.#views.viewOf(done);
  }

  /**
   * Submits the events of a call to a run. A request key that was already applied, even to a run that has ended since,
   * returns the run as it is. Error: REQUEST_ID_REUSED if another call had the id.
   */
  async #change(
    caller: Caller,
    runId: string,
    toEvents: ToEvents,
    request?: RequestKey,
  ): Promise<RunResident | RunView> {
    const { submission, clock } = this.#runs;
    if (request !== undefined) {
      const before = await this.#views.getRun(caller, runId);
      if (isRepeated(before.state, request)) return before;
    }
    const resident = await openRunOf(this.#runs, caller, runId);
    // Memory may have what the journal lacked a moment ago. Then the first event changes nothing, and its reply comes
    // once the rest is durable.
    const isKnown = request !== undefined && isRepeated(resident.entity.state, request);
    const events = isKnown ? [{ type: "due", at: clock.now(), random: 0 } as const] : toEvents(clock.now(), resident);
    let changes: readonly boolean[];
    try {
      changes = await Promise.all(events.map((event) => submission.submit(resident, event)));
    } catch (error) {
      // The resident belonged to a start in progress whose id was taken, or which is repeated: look up the id again.
      if (!(error instanceof StartTaken || error instanceof StartOutdated)) throw error;
      return this.#change(caller, runId, toEvents, request);
    }
    const { state } = resident.entity;
    // The run has ended while the events waited, and they have changed nothing.
    const isLate = isTerminalPhase(state.phase) && !changes.includes(true) && events[0]?.type !== "due";
    if (isLate && (request === undefined || !isRepeated(state, request)))
      throw toError("RUN_FINISHED", { runId, state: publicState(state) });
    return resident;
  }
}

/** Whether the call with this key was applied to the run. Error: REQUEST_ID_REUSED if another call had the id. */
function isRepeated({ requests }: RunState, { id, hash }: RequestKey): boolean {
  const known = requests.get(id);
  if (known !== undefined && known.hash !== hash) throw toError("REQUEST_ID_REUSED", { requestId: id });
  return known !== undefined;
}

function keyOf(request: RequestKey | undefined): { readonly request?: RequestKey } {
  return request === undefined ? {} : { request };
}
