/**
 * Hands out the tasks that are done elsewhere. Each step belongs to a commit of the run:
 *
 *   before   a task has become ready and a slot is free → the hand-over goes into the same transition
 *   after    it is handed out → the task is sent
 *            it is ready and no slot is free → it waits in its queue
 *            a hand-out ended, and not by a report → its holder is asked to stop
 *
 * See ports/dispatch/hand-overs.ts.
 */

import { carrierOf } from "../../../tasks/addresses.ts";
import type { RunEvent } from "../../machine/events.ts";
import type { JournalRecord } from "../../machine/records.ts";
import { mayBegin, type Run, specOf } from "../../machine/run.ts";
import { CALLBACK } from "../../machine/tasks/callbacks.ts";
import { awaitsHandOver, isDoneThen } from "../../machine/tasks/handouts.ts";
import { timeoutsOf } from "../../machine/tasks/limits.ts";
import type { DatabaseClock } from "../../shard/ownership/database-clock.ts";
import type { Submission } from "../../shard/submission/submission.ts";
import type { RunResident } from "../run-resident.ts";
import { type CountedAttempts, NO_COST } from "../work/counted-attempts.ts";
import type { Carriers } from "./carriers.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { HandOut, HandOutTable } from "./hand-out-table.ts";
import { toHandedTask, toReadyTask } from "./ready-task.ts";
import type { ReservedSlots } from "./reserved-slots.ts";

const NONE: readonly RunEvent[] = [];

export interface HandOutsParts {
  readonly takers: Carriers;
  readonly table: HandOutTable;
  readonly checkpoints: Checkpoints;
  readonly reserved: ReservedSlots;
  readonly counted: CountedAttempts;
  readonly submission: Submission;
  readonly clock: DatabaseClock;
}

/** Hands tasks out and takes them back. */
export class HandOuts {
  readonly #parts: HandOutsParts;

  constructor(parts: HandOutsParts) {
    this.#parts = parts;
  }

  /** Hand-overs for the transition of `records`: those of tasks that find a slot as soon as they are ready. */
  takeAtOnce({ id, entity: run }: RunResident, records: readonly JournalRecord[]): readonly RunEvent[] {
    const { takers, reserved, counted } = this.#parts;
    let events: RunEvent[] | undefined;
    for (const record of records) {
      if (record.type !== "task.scheduled" && record.type !== "task.returned") continue;
      const { task: path, at } = record;
      const task = run.state.tasks.get(path);
      if (!awaitsHandOver(task) || !mayBegin(run)) continue;
      // One whose budget is asked first waits in its queue meanwhile.
      if (counted.find(run, task) !== null && !isDoneThen(specOf(run, path))) continue;
      // After a lost batch the transition is decided again, and the slot is reserved already.
      const slot = reserved.get(id, path) ?? takers.reserve(toReadyTask(run, task));
      if (slot === null) continue;
      // A task that is done with its hand-over needs no slot.
      if (!isDoneThen(specOf(run, path))) reserved.set(id, path, slot);
      (events ??= []).push({ type: "hand_over", at, task: path, to: slot.to, queued: false });
    }
    return events ?? NONE;
  }

  /** The hand-over is durable: sends the task. */
  send(resident: RunResident, path: string, fence: number): void {
    const { id, entity: run } = resident;
    const slot = this.#parts.reserved.take(id, path) ?? null;
    const task = run.state.tasks.get(path);
    if (task === undefined || task.handedTo === null || task.token !== fence) {
      // A later transition has ended the hand-over.
      slot?.release();
      return;
    }
    const handOut = createHandOut(run, path, fence, slot);
    this.#parts.table.add(handOut);
    // A message for a topic was written with the hand-over.
    if (handOut.carrier !== "topics") slot?.send(toHandedTask(resident, task, fence));
  }

  /** The task waits in its queue, durably, unless a later transition has changed that. */
  wait({ entity: run }: RunResident, path: string): void {
    const task = run.state.tasks.get(path);
    if (awaitsHandOver(task) && mayBegin(run)) this.#parts.takers.waits(toReadyTask(run, task));
  }

  /**
   * The hand-out of a task is over. Its holder is asked to stop, unless it has reported the end. `tookMs`: how long it
   * says that the work took.
   */
  end(resident: RunResident, path: string, reason: string, tookMs?: number): void {
    const { table, checkpoints } = this.#parts;
    const handOut = table.get(resident.id, path);
    if (handOut === undefined) return;
    table.delete(resident.id, path);
    this.#count(resident, handOut, tookMs);
    // The next attempt needs it if this one ran out of time.
    checkpoints.flush(resident, handOut);
    if (handOut.reported) return;
    handOut.slot?.cancel(reason);
    // Without an acknowledgement nobody works on it.
    if (!handOut.acknowledged) handOut.slot?.release();
  }

  /** What nobody acknowledged took nothing, unless it waited in a topic: an executor may have done it. */
  #count({ entity: run }: RunResident, { path, attempt, ...handOut }: HandOut, tookMs: number | undefined): void {
    const { counted, clock } = this.#parts;
    const task = run.state.tasks.get(path);
    if (task === undefined) return;
    const begun = counted.findBegun(run, { path, generation: task.generation, attempt });
    if (begun === null) return;
    const isDone = handOut.acknowledged || handOut.reported || handOut.carrier === "topics";
    const timeMs = tookMs ?? Math.max(0, clock.now() - task.startedAt);
    counted.end(begun, isDone ? { steps: 1, timeMs } : NO_COST);
  }

  /** Every hand-out of a run is over. */
  endAll(resident: RunResident, reason: string): void {
    for (const { path } of this.#parts.table.ofRun(resident.id)) this.end(resident, path, reason);
  }

  /** Asks all holders of tasks of a run to stop. Their reports still count. */
  cancelAll({ id }: RunResident, reason: string): void {
    for (const handOut of this.#parts.table.ofRun(id)) {
      handOut.canceled = true;
      handOut.slot?.cancel(reason);
    }
  }

  /** The run is held: takes back the tasks that nobody has acknowledged. */
  withdraw(resident: RunResident): void {
    const { submission, clock, table } = this.#parts;
    for (const { path, fence, acknowledged, carrier } of table.ofRun(resident.id)) {
      if (acknowledged || carrier === "topics") continue;
      const at = clock.now();
      submission.post(resident, {
        type: "returned",
        at,
        task: path,
        token: fence,
        reason: "WITHDRAWN",
        random: Math.random(),
      });
    }
  }

  /** The hold is released: ready tasks wait for a hand-over again. */
  waitAll(resident: RunResident): void {
    const { state } = resident.entity;
    if (state.away === state.handedOut) return;
    for (const path of state.tasks.keys()) this.wait(resident, path);
  }

  /** The run was read: adds its handed-out tasks, with their last sign of life at `heardAt`. */
  opened({ id, entity: run }: RunResident, heardAt: number): void {
    if (run.state.away === 0) return;
    for (const { path, token, handedTo, state, detached } of run.state.tasks.values()) {
      if (handedTo === null || handedTo === CALLBACK || this.#parts.table.get(id, path)?.fence === token) continue;
      const slot = this.#parts.takers.slotOf(handedTo, { runId: id, fence: token });
      const handOut = createHandOut(run, path, token, slot);
      this.#parts.table.add({ ...handOut, acknowledged: state === "RUNNING", detached, heardAt });
    }
  }

  /** The run leaves this instance: its reserved slots are free again, and its hand-outs are forgotten. */
  leave({ id }: RunResident): void {
    this.#parts.reserved.release(id);
    this.#parts.table.forget(id);
  }
}

function createHandOut(run: Run, path: string, fence: number, slot: HandOut["slot"]): HandOut {
  const task = run.state.tasks.get(path);
  const { heartbeatMs } = timeoutsOf(specOf(run, path), task?.limits ?? null);
  const { runId } = run.state;
  return {
    runId,
    fence,
    path,
    attempt: task?.attempt ?? 0,
    heartbeatMs,
    carrier: carrierOf(task?.handedTo ?? ""),
    slot,
    acknowledged: false,
    reported: false,
    detached: false,
    canceled: false,
    heardAt: performance.now(),
    checkpointedAt: Number.NEGATIVE_INFINITY,
  };
}
