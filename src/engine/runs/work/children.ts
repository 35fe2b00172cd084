/**
 * Child runs: a task of the parent starts them under a derived id, so starting one twice has no effect.
 *
 * A child follows its parent: it ends by its close policy when nothing waits for it any more, and is held while the
 * parent is. Messages between the two have no record; a new owner of their shard compares the two instead ({@link
 * Children.alignAll}).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isOrchestratorError, toError } from "../../../base/errors.ts";
import type { JsonObject } from "../../../base/json/json.ts";
import { failPoint } from "../../../base/process/fail-points.ts";
import { childTraceOf } from "../../../base/traces/run-trace.ts";
import { checkStartable, isWrittenByService } from "../../../flows/builtin/ids.ts";
import { checkInput, runTimeoutMs } from "../../../flows/input.ts";
import type { FlowRegistry } from "../../../flows/ports/registry.ts";
import { readBudget } from "../../../tasks/schema/budget.ts";
import type { ChildEnd, RunEvent } from "../../machine/events.ts";
import { budgetsOf, openRun } from "../../machine/run.ts";
import { createState, isPaused, isTerminalPhase, type RunState } from "../../machine/state.ts";
import type { Journal } from "../../ports/journal.ts";
import { isClean, replyWhenDurable, StartOutdated, StartTaken } from "../../shard/resident.ts";
import { retryUntil } from "../../shard/retry-until.ts";
import type { Trials } from "../../shard/submission/trials.ts";
import { checkCallbackUrl } from "../calls/awaited-callbacks.ts";
import { checkGraphLoaded } from "../calls/graph-loaded.ts";
import { checkLabels, checkText } from "../calls/texts.ts";
import type { RunResident } from "../run-resident.ts";
import { isUnreadable } from "../unreadable.ts";
import type { Family, FamilyParts } from "./family.ts";

export interface ChildrenParts extends FamilyParts {
  readonly family: Family;
  readonly trials: Trials;
  readonly journal: Journal;
  readonly flows: FlowRegistry;
  readonly graphs?: ReadonlySet<string>;
  readonly publicUrl: string | null;
  readonly firstSequence?: number;
}

/** Deepest nesting of child runs: stops a flow that starts itself. */
const MAX_RUN_DEPTH = 16;

/** How many children are compared with their parents at the same time. */
const READERS = 16;

/** Starts child runs and keeps them in step with their parents. */
export class Children {
  readonly #parts: ChildrenParts;

  constructor(parts: ChildrenParts) {
    this.#parts = parts;
  }

  /** Starts the child run that a task waits for. If it exists, records its end. */
  start(parent: RunResident, path: string, childId: string): void {
    parent.work.startingChildren += 1;
    void this.#startOrFind(parent, path, childId).finally(() => {
      parent.work.startingChildren -= 1;
    });
  }

  /** After a takeover: starts or finds all children that the run waits for. */
  findAll(parent: RunResident): void {
    const { trials } = this.#parts;
    for (const { state, wait, path } of parent.entity.state.tasks.values()) {
      if (state !== "WAITING" || wait?.kind !== "run") continue;
      const { runId } = wait;
      // A suspected child exists. Its parent checks it after its trial, and the trial of the parent does not wait for
      // that.
      if (!trials.isTakingOver(runId)) this.start(parent, path, runId);
      else void trials.recovered(runId).then(() => this.start(parent, path, runId));
    }
  }

  /**
   * Resolves when the children that the run is starting exist, or after a limit: a child may wait for its own trial.
   */
  async started({ work }: RunResident): Promise<void> {
    for (let looks = 0; work.startingChildren > 0 && looks < 100; looks += 1) await sleep(5);
  }

  /** After a takeover: compares the children of these shards with their parents. */
  async alignAll(shards: readonly number[]): Promise<void> {
    const { journal, lifecycle, log } = this.#parts;
    const isOver = (): boolean => lifecycle.stopping;
    const children = await retryUntil(log, () => journal.listChildren(shards), isOver);
    let next = 0;
    const reader = async (): Promise<void> => {
      for (let one = children[next++]; one !== undefined; one = children[next++])
        await this.#alignStored(one.runId, one.parentRunId);
    };
    await Promise.all(Array.from({ length: Math.min(READERS, children.length) }, reader));
  }

  async #alignStored(runId: string, parentRunId: string): Promise<void> {
    const { residence, shards, lifecycle, log } = this.#parts;
    const isOver = (): boolean => lifecycle.stopping || shards.epochOf(shards.shardOf(runId)) === undefined;
    try {
      const child = await retryUntil(log, () => residence.open(runId), isOver);
      if (isOver()) return;
      const parent = await retryUntil(
        log,
        () => this.#findState(parentRunId),
        () => lifecycle.stopping,
      );
      if (!child.gone) this.#align(parent, child);
    } catch (error) {
      // An unreadable run is quarantined, which is in the log.
      if (!isOver() && !isUnreadable(error)) log.error("a run could not be taken over", { runId, error });
    }
  }

  /**
   * An invalid flow or input ends the wait with an error. Resolves when the child exists or the parent knows why not;
   * retries while the store is away.
   */
  async #startOrFind(parent: RunResident, path: string, childId: string): Promise<void> {
    const { residence } = this.#parts;
    if (parent.gone) return;
    try {
      const existing = await this.#findState(childId);
      if (existing !== null && isTerminalPhase(existing.phase)) return this.#reportEnd(parent, path, childId, existing);
      if (existing === null) await this.#begin(parent, path, childId);
      const child = existing === null ? residence.get(childId) : await residence.open(childId);
      await this.#settled(parent);
      if (child !== undefined && !parent.gone) this.#follow(parent, path, child);
    } catch (error) {
      if (error instanceof StartOutdated) {
        const { tenantId, tasks } = parent.entity.state;
        const { flow_id: flowId, version = "" } = (tasks.get(path)?.input ?? {}) as JsonObject;
        this.#parts.flows.forget(tenantId, String(flowId), String(version));
        return this.#startOrFind(parent, path, childId);
      }
      if (error instanceof StartTaken && (await this.#isFree(parent, path, childId)))
        return this.#startOrFind(parent, path, childId);
      if (isOrchestratorError(error) && error.retry !== "no") {
        // The store is away: the parent asks again when it is back.
        await sleep(1_000, undefined, { ref: false });
        return this.#startOrFind(parent, path, childId);
      }
      this.#fail(parent, path, childId, error);
    }
  }

  /** Whether a rejected start of a child can be retried; an open run key ends it. */
  async #isFree(parent: RunResident, path: string, childId: string): Promise<boolean> {
    const { tenantId, tasks } = parent.entity.state;
    const { flow_id: flowId, run_key: runKey = "" } = (tasks.get(path)?.input ?? {}) as JsonObject;
    const lookup = { tenantId, requestId: "", runId: childId, flowId: String(flowId), runKey: String(runKey) };
    // If the store cannot be read, the next attempt to start the child finds out.
    const conflict = await this.#parts.journal.findConflict(lookup).catch(() => null);
    if (conflict?.by !== "run_key") return true;
    this.#fail(parent, path, childId, toError("RUN_KEY_OPEN", { runId: conflict.runId, runKey: String(runKey) }));
    return false;
  }

  #fail(parent: RunResident, path: string, childId: string, error: unknown): void {
    const type = isOrchestratorError(error) ? error.code : "INTERNAL";
    const message = error instanceof Error ? error.message : String(error);
    this.#report(parent, path, childId, { phase: "FAILED", output: null, error: { type, message, task: null } });
  }

  /** Sends an existing child what its parent sent, or would have sent, before the child could be reached. */
  #follow(parent: RunResident, path: string, child: RunResident): void {
    const { state } = parent.entity;
    if (isEnding(state)) this.#parts.family.closeChild(parent, state.tasks.get(path));
    else this.#align(state, child);
  }

  /**
   * Makes a child follow its parent: it ends if the parent no longer waits for it, and is held and released with the
   * parent.
   */
  #align(parent: RunState | null, child: RunResident): void {
    const { submission, clock } = this.#parts;
    const { state } = child.entity;
    const link = state.facts.parent;
    if (link === null || isTerminalPhase(state.phase)) return;
    const send = (event: RunEvent): void => submission.post(child, event);
    const at = clock.now();
    const by = "orchestrator";
    const task = parent?.tasks.get(link.task);
    const isAwaited = task?.state === "WAITING" && task.wait?.kind === "run" && task.wait.runId === child.id;
    if (parent === null || isTerminalPhase(parent.phase) || isEnding(parent) || !isAwaited) {
      const reason = `the run ${link.runId} that started this one no longer waits for it`;
      if (link.closePolicy === "terminate") send({ type: "terminate", at, by, reason });
      if (link.closePolicy === "cancel")
        send({ type: "cancel", at, by, reason, compensate: parent?.cause?.compensate ?? false });
      return;
    }
    if (isPaused(parent)) send({ type: "hold", at, hold: "parent", by, why: `the run ${link.runId} is paused` });
    else send({ type: "release", at, hold: "parent", by, why: "" });
  }

  async #findState(runId: string): Promise<RunState | null> {
    const { residence } = this.#parts;
    const resident = residence.get(runId);
    if (resident !== undefined) {
      await this.#settled(resident);
      if (!resident.gone) return resident.entity.state;
    }
    await residence.recovered(runId);
    const stored = await residence.kind.store.load(runId);
    return stored === null ? null : (await residence.kind.store.open(stored)).state;
  }

  /**
   * Resolves when nothing in memory of the run could be undone by a crash. What one run does because of another must
   * not be durable first, and transitions of two runs have no order. Errors: SHUTTING_DOWN.
   */
  async #settled(resident: RunResident): Promise<void> {
    while (!isClean(resident) && !resident.gone) {
      if (this.#parts.lifecycle.stopping) throw toError("SHUTTING_DOWN");
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      replyWhenDurable(resident, { resolve, reject });
      // Its transition waits for the store or was decided again.
      await promise.catch(() => {});
    }
  }

  async #begin(parent: RunResident, path: string, childId: string): Promise<void> {
    const { residence, submission, clock, flows } = this.#parts;
    const { state } = parent.entity;
    const task = state.tasks.get(path);
    if (task === undefined || task.state !== "WAITING") return;
    if (isEnding(state)) return this.#giveUp(parent, path, childId);
    const input = task.input as JsonObject;
    const {
      flow_id: flowId,
      version,
      input: given,
      close_policy: policy,
      run_key: runKey = "",
      labels,
      budget,
    } = input;
    checkText("run_key", String(runKey));
    const allLabels = checkLabels({ ...state.facts.labels, ...((labels ?? {}) as JsonObject) });
    const depth = (state.facts.parent?.depth ?? 0) + 1;
    if (depth > MAX_RUN_DEPTH)
      throw toError("LIMIT_EXCEEDED", { what: "the nesting depth of child runs", size: depth, limit: MAX_RUN_DEPTH });
    // Flows of the service itself may be made of others.
    if (!isWrittenByService(state.flowId)) checkStartable(String(flowId));
    const plan = await flows.planFor(state.tenantId, String(flowId), typeof version === "string" ? version : "");
    const vars = checkInput(plan, (given ?? {}) as JsonObject, clock.now());
    checkGraphLoaded(plan, this.#parts.graphs);
    checkCallbackUrl(plan, this.#parts.publicUrl);
    // The state may have changed in the meantime.
    if (residence.residents.has(childId) || parent.gone || task.state !== "WAITING") return;
    if (isEnding(state)) return this.#giveUp(parent, path, childId);
    const at = clock.now();
    const timeoutMs = runTimeoutMs(plan, vars, at);
    const budgets = budgetsOf(parent.entity);
    // The one of the parent is among those above.
    const { budget: _, trace, ...facts } = state.facts;
    const childTrace = childTraceOf({ ...state, trace }, task);
    failPoint("child.start");
    const child = residence.begin(childId, parent.shard, at, openRun(createState(childId), plan));
    child.work.keys = [{ kind: "run", key: childId, hash: "" }];
    await submission.submit(child, {
      type: "start",
      at,
      tenantId: state.tenantId,
      vars,
      deadlineAt: timeoutMs === null ? null : at + timeoutMs,
      startAt: null,
      sequence: this.#parts.firstSequence ?? 1,
      facts: {
        ...facts,
        ...(budget === undefined ? {} : { budget: readBudget(budget as JsonObject) }),
        ...(childTrace === undefined ? {} : { trace: childTrace }),
        labels: allLabels,
        runKey: String(runKey),
        requestId: "",
        parent: {
          ...{ runId: state.runId, task: path, closePolicy: (policy ?? "cancel") as "cancel", depth },
          ...(budgets.length === 0 ? {} : { budgets }),
        },
      },
      signals: [],
    });
  }

  /** Reports a child that never started because its parent is being canceled. */
  #giveUp(parent: RunResident, path: string, childId: string): void {
    this.#report(parent, path, childId, { phase: "CANCELED", output: null, error: null });
  }

  #reportEnd(parent: RunResident, path: string, childId: string, child: RunState): void {
    const { phase, output = null, error } = child;
    this.#report(parent, path, childId, { phase: phase as "COMPLETED", output, error });
  }

  #report(parent: RunResident, task: string, runId: string, end: ChildEnd): void {
    const { submission, clock } = this.#parts;
    submission.post(parent, { type: "child", at: clock.now(), task, runId, end, random: Math.random() });
  }
}

function isEnding(state: RunState): boolean {
  return state.phase === "CANCELING";
}
