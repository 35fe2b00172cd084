/**
 * `applyRecord(state, record)` is the only place where the state of a run changes. It uses no clock, no randomness, no
 * I/O, and no plan, so a journal folds to the same state on every build. It throws (a bug, or a corrupt journal) when a
 * record is not a legal transition.
 */

import { invariant } from "../../base/errors.ts";
import { withCurrentRun } from "../../base/process/current-run.ts";
import { isSilent } from "../../tasks/addresses.ts";
import type { JournalRecord } from "./records.ts";
import { rememberRequest } from "./requests.ts";
import {
  createFsmPosition,
  createState,
  isTerminalPhase,
  PHASE_TRANSITIONS,
  type Phase,
  type RunState,
} from "./state.ts";
import { endApproval, noteConsent, openApproval } from "./tasks/approvals.ts";
import { endTask, moveTask, noteFailure, proveNoEffect, setDue, touchTask } from "./tasks/change-task.ts";
import { takeSlot, withdrawSlot } from "./tasks/limit-slots.ts";
import { withPlace } from "./tasks/places.ts";

/** Folds the records of a run into its state. */
export function foldJournal(runId: string, records: Iterable<JournalRecord>): RunState {
  const state = createState(runId);
  return withCurrentRun(runId, () => {
    for (const record of records) applyRecord(state, record);
    return state;
  });
}

/** The sequence of a record whose turn is `next`. Only what a restored database writes skips some. */
export function sequenceOf(record: JournalRecord, next: number): number {
  const { sequence = next } = record.type === "run.started" || record.type === "run.restored" ? record : {};
  invariant(sequence >= next, `${record.type} has sequence ${sequence}, and ${next} is next`);
  return sequence;
}

/** Applies one record to `state`. */
export function applyRecord(state: RunState, record: JournalRecord): void {
  invariant(!isTerminalPhase(state.phase), `${record.type} after the end of run ${state.runId}`);
  const next = state.sequence + 1;
  invariant((record.type === "run.started") === (next === 1), "a journal begins with run.started, once");
  state.sequence = sequenceOf(record, next);
  state.updatedAt = record.at;
  switch (record.type) {
    case "run.started":
      state.flowId = record.flowId;
      state.version = record.version;
      state.hash = record.hash;
      state.tenantId = record.tenantId;
      state.vars = record.vars;
      state.deadlineAt = record.deadlineAt ?? null;
      state.facts = { ...state.facts, ...record.facts };
      state.createdAt = record.at;
      state.startAt = record.startAt ?? null;
      state.limit = record.limit ?? null;
      if (record.startAt === undefined) movePhase(state, "RUNNING");
      return;
    case "run.limited": {
      invariant(state.limit !== null && state.phase === "QUEUED", `run ${state.runId} has no limit to wait for`);
      const { name, key } = state.limit;
      state.limitSlot = { name, key, state: "waiting", asked: state.sequence };
      return;
    }
    case "run.opened":
      movePhase(state, "RUNNING");
      if (state.limitSlot !== null) {
        state.limitSlot = { ...state.limitSlot, state: "taken" };
        state.startAt = record.at;
      }
      return;
    case "run.completed":
      state.output = record.output;
      endRun(state, "COMPLETED", record.at);
      return;
    case "run.failed":
      state.error = record.error;
      endRun(state, "FAILED", record.at);
      return;
    case "run.canceled":
      if (state.cause === null) state.causeAt = record.at;
      state.cause ??= {
        end: "canceled",
        compensate: false,
        reason: record.reason ?? "",
        by: record.by ?? "",
        error: null,
      };
      endRun(state, "CANCELED", record.at);
      return;
    case "run.timed_out":
      state.error = { type: "RUN_TIMEOUT", message: "the run did not end before its deadline", task: null };
      endRun(state, "TIMED_OUT", record.at);
      return;
    case "run.terminated":
      state.error = { type: "TERMINATED", message: record.reason, task: null };
      state.causeAt = record.at;
      state.cause = { end: "terminated", compensate: false, reason: record.reason, by: record.by, error: null };
      endRun(state, "TERMINATED", record.at);
      return;
    case "run.ending":
      state.cause = record.cause;
      state.causeAt = record.at;
      state.boundAt = record.boundAt;
      movePhase(state, "CANCELING");
      return;
    case "run.compensating":
      if (state.cause === null) state.causeAt = record.at;
      state.cause = record.cause;
      state.compensation = { order: record.order, done: 0 };
      movePhase(state, "COMPENSATING");
      return;
    case "run.held":
      state.holds = [
        ...state.holds.filter((hold) => hold.kind !== record.hold),
        { kind: record.hold, by: record.by, why: record.why, since: record.at },
      ];
      if (state.limitSlot?.state === "waiting") state.limitSlot = { ...state.limitSlot, state: "withdrawn" };
      return;
    case "run.released":
      state.holds = state.holds.filter((hold) => hold.kind !== record.hold);
      if (record.hold === "quarantine") state.recoveries = 0;
      if (state.limitSlot?.state === "withdrawn" && state.holds.length === 0)
        state.limitSlot = { ...state.limitSlot, state: "waiting", asked: state.sequence };
      return;
    case "run.recovered":
      state.recoveries += 1;
      return;
    case "run.restored":
    case "run.budget_warned":
      return;
    case "task.limited": {
      const task = touchTask(state, record.task, record.at);
      moveTask(state, task, "SCHEDULED");
      if (task.attempt !== record.attempt) task.losses = 0;
      task.attempt = record.attempt;
      const { name, key } = record;
      task.limitSlot = { name, key, state: "waiting", asked: state.sequence };
      if (record.input !== undefined) task.input = record.input;
      if (record.first !== undefined) task.first = record.first;
      if (record.limits !== undefined) task.limits = record.limits;
      if (record.dueAt !== undefined) setDue(state, task, record.dueAt);
      return;
    }
    case "task.scheduled": {
      const task = touchTask(state, record.task, record.at);
      moveTask(state, task, "SCHEDULED");
      takeSlot(task, record.at);
      if (task.attempt !== record.attempt) task.losses = 0;
      task.attempt = record.attempt;
      if (record.input !== undefined) task.input = record.input;
      if (record.first !== undefined) task.first = record.first;
      if (record.limits !== undefined) task.limits = record.limits;
      if (record.dueAt !== undefined) setDue(state, task, record.dueAt);
      return;
    }
    case "task.started": {
      const task = touchTask(state, record.task, record.at);
      moveTask(state, task, "RUNNING", record.to ?? task.handedTo);
      task.startedAt = record.at;
      if (record.dueAt !== undefined) setDue(state, task, record.dueAt);
      return;
    }
    case "task.returned": {
      const task = touchTask(state, record.task, record.at);
      moveTask(state, task, "SCHEDULED");
      withdrawSlot(task);
      if (record.reason === "UNACKNOWLEDGED" || record.reason === "WORKER_LOST") task.losses += 1;
      if (record.dueAt !== undefined) setDue(state, task, record.dueAt);
      return;
    }
    case "task.checkpointed": {
      const task = touchTask(state, record.task, record.at);
      task.checkpoint = record.checkpoint;
      state.checkpointSize += record.checkpoint.length;
      return;
    }
    case "task.detached":
      touchTask(state, record.task, record.at).detached = true;
      return;
    case "task.dispatched": {
      const task = touchTask(state, record.task, record.at);
      const { dueAt } = task;
      moveTask(state, task, record.to === undefined ? "RUNNING" : "SCHEDULED", record.to);
      takeSlot(task, record.at);
      // Until somebody acknowledges the task, its schedule-to-start timeout runs; on a topic, the time for its answer.
      if (record.to !== undefined) setDue(state, task, isSilent(record.to) ? (record.dueAt ?? null) : dueAt);
      task.attempt = record.attempt;
      task.token = state.sequence;
      if (task.callAttempt !== record.attempt) {
        task.callAttempt = record.attempt;
        task.callToken = state.sequence;
      }
      task.effect = task.effect === "none" ? "open" : "possible";
      if (task.dispatchedAtSequence === 0) task.dispatchedAtSequence = state.sequence;
      if (record.input !== undefined) task.input = record.input;
      if (record.first !== undefined) task.first = record.first;
      if (record.limits !== undefined) task.limits = record.limits;
      if (record.answer !== undefined) task.answer = record.answer;
      task.suspension = null;
      task.wait = null;
      task.startedAt = record.at;
      return;
    }
    case "task.suspended": {
      const task = touchTask(state, record.task, record.at);
      const gate = record.gate === true;
      const repeats = gate && task.token !== task.callToken;
      if (gate) proveNoEffect(task);
      // Nobody has begun the attempt, so its next dispatch is the first.
      if (gate && !repeats) task.callAttempt = 0;
      moveTask(state, task, "WAITING");
      task.wait = record.wait;
      task.suspension = { key: record.key, value: record.value, gate, repeats };
      if (!gate) {
        task.answer = null;
        task.effect = "possible";
      }
      task.token = state.sequence;
      setDue(state, task, record.dueAt);
      if (record.wait.kind === "approval") openApproval(state, record, record.value);
      state.recoveries = 0;
      return;
    }
    case "task.waiting": {
      const task = touchTask(state, record.task, record.at);
      moveTask(state, task, "WAITING");
      task.wait = record.wait;
      if (record.wait.kind === "run") state.childRuns += 1;
      task.input = record.input;
      task.attempt += 1;
      task.effect = "possible";
      task.token = state.sequence;
      if (task.dispatchedAtSequence === 0) task.dispatchedAtSequence = state.sequence;
      if (record.first !== undefined) task.first = record.first;
      if (record.limits !== undefined) task.limits = record.limits;
      task.startedAt = record.at;
      setDue(state, task, record.dueAt);
      if (record.wait.kind === "approval") openApproval(state, record, record.input);
      return;
    }
    case "task.expanded": {
      const { items = null, count } = record;
      invariant(
        items === null || items.length === count,
        `${record.task} has ${items?.length} items for ${count} children`,
      );
      const task = touchTask(state, record.task, record.at);
      if (task.dispatchedAtSequence === 0) task.dispatchedAtSequence = state.sequence;
      task.effect = "possible";
      task.group = { count, items, next: 0, open: 0, failed: -1 };
      moveTask(state, task, "RUNNING");
      if (record.first !== undefined) task.first = record.first;
      if (record.limits !== undefined) task.limits = record.limits;
      task.startedAt = record.at;
      if (record.dueAt !== undefined) setDue(state, task, record.dueAt);
      return;
    }
    case "task.completed": {
      const task = touchTask(state, record.task, record.at);
      task.output = record.output;
      task.error = null;
      task.effect = "possible";
      if (task.dispatchedAtSequence === 0) task.dispatchedAtSequence = state.sequence;
      if (record.input !== undefined) task.input = record.input;
      if (record.first !== undefined) task.first = record.first;
      endTask(state, task, "COMPLETED", record.at);
      state.recoveries = 0;
      return;
    }
    case "task.retrying": {
      const task = touchTask(state, record.task, record.at);
      if (record.error.noEffect) proveNoEffect(task);
      task.error = record.error;
      if (record.deferred) task.attempt -= 1;
      else noteFailure(task, record.error, record.at);
      if (record.answer !== undefined) task.answer = record.answer;
      moveTask(state, task, "RETRYING");
      setDue(state, task, record.dueAt);
      if (!record.deferred) task.readyAt = record.dueAt;
      task.places = withPlace(task.places, record.place);
      if (record.error.type !== "ATTEMPT_LOST") state.recoveries = 0;
      return;
    }
    case "task.failed": {
      const task = touchTask(state, record.task, record.at);
      if (record.error.noEffect) proveNoEffect(task);
      task.error = record.error;
      noteFailure(task, record.error, record.at);
      task.handled = record.handled === true;
      task.deadLetter = record.deadLetter ?? null;
      task.places = withPlace(task.places, record.place);
      if (record.first !== undefined) task.first = record.first;
      endTask(state, task, record.timedOut ? "TIMED_OUT" : "FAILED", record.at);
      state.recoveries = 0;
      return;
    }
    case "task.skipped": {
      const task = touchTask(state, record.task, record.at);
      task.reason = record.reason;
      endTask(state, task, "SKIPPED", record.at);
      return;
    }
    case "task.canceled": {
      const task = touchTask(state, record.task, record.at);
      if (record.noEffect) proveNoEffect(task);
      endTask(state, task, "CANCELED", record.at);
      return;
    }
    case "task.compensated": {
      const task = state.tasks.get(record.task);
      invariant(task !== undefined && state.compensation !== null, `${record.task} is not being compensated`);
      moveTask(state, task, "COMPENSATED");
      state.compensation.done += 1;
      return;
    }
    case "approval.ended":
      endApproval(state, record);
      noteConsent(state, record);
      return;
    case "signal.received":
      state.signals.push({ id: record.id, name: record.name, payload: record.payload, at: record.at });
      state.signalCount = record.id;
      if (record.request !== undefined) rememberRequest(state, record.at, record.request, record.requestHash);
      return;
    case "request.applied":
      rememberRequest(state, record.at, record.request, record.requestHash);
      return;
    case "signal.consumed":
      state.signals = state.signals.filter((signal) => signal.id !== record.id);
      state.guardFailures.delete(record.id);
      return;
    case "signal.guard_failed": {
      const states = state.guardFailures.get(record.id)?.states ?? [];
      state.guardFailures.set(record.id, { states: [...states, record.state], error: record.error });
      return;
    }
    case "state.entered": {
      const fsm = (state.fsm ??= createFsmPosition());
      fsm.state = record.state;
      fsm.visit = record.visit;
      fsm.visits.set(record.state, record.visit);
      fsm.path.push(record.state);
      fsm.transitions += 1;
      fsm.armed = false;
      fsm.after = [];
      fsm.settled = false;
      return;
    }
    case "state.armed":
      invariant(state.fsm !== null, "state.armed before state.entered");
      state.fsm.armed = true;
      state.fsm.after = record.after;
      return;
    case "state.settled":
      invariant(state.fsm !== null, "state.settled before state.entered");
      state.fsm.settled = true;
      return;
    default:
      // Written by a newer build: the run cannot be read here.
      throw new Error(`unknown record ${JSON.stringify(record satisfies never)}`);
  }
}

function movePhase(state: RunState, to: Phase): void {
  invariant(PHASE_TRANSITIONS[state.phase].includes(to), `run ${state.runId} cannot move from ${state.phase} to ${to}`);
  state.phase = to;
}

function endRun(state: RunState, to: Phase, at: number): void {
  movePhase(state, to);
  state.endedAt = at;
  state.timers.clear();
  if (state.limitSlot !== null) state.limitSlot = { ...state.limitSlot, state: "none" };
  state.boundAt = null;
}
