/**
 * Effects of durable records: attempts start or are aborted, children start or close, parents are notified of ended
 * children.
 */
import type { JournalRecord } from "../../machine/records.ts";
import { mayBegin } from "../../machine/run.ts";
import { isPaused, isTerminalPhase, type TaskState } from "../../machine/state.ts";
import type { Lifecycle } from "../../shard/lifecycle.ts";
import type { HandOuts } from "../dispatch/hand-outs.ts";
import type { RunResident } from "../run-resident.ts";
import type { Attempts } from "./attempts.ts";
import type { Children } from "./children.ts";
import type { Family } from "./family.ts";
import type { LimitedTasks } from "./limited-tasks.ts";

export interface EffectsParts {
  readonly attempts: Attempts;
  readonly handOuts: HandOuts;
  readonly children: Children;
  readonly family: Family;
  readonly limitedTasks: LimitedTasks;
  readonly lifecycle: Lifecycle;
}

/** Performs effects. */
export class Effects {
  readonly #attempts: Attempts;
  readonly #handOuts: HandOuts;
  readonly #children: Children;
  readonly #family: Family;
  readonly #limitedTasks: LimitedTasks;
  readonly #lifecycle: Lifecycle;

  constructor({ attempts, handOuts, children, family, limitedTasks, lifecycle }: EffectsParts) {
    this.#attempts = attempts;
    this.#handOuts = handOuts;
    this.#children = children;
    this.#family = family;
    this.#limitedTasks = limitedTasks;
    this.#lifecycle = lifecycle;
  }

  /** Performs the effects of `records`. Called once per commit, in order. */
  perform(resident: RunResident, records: readonly JournalRecord[], firstSequence: number): void {
    const { state } = resident.entity;
    const { work } = resident;
    if (work.keys.length > 0) work.keys = [];
    for (let index = 0; index < records.length; index += 1) {
      const record = records[index];
      if (record === undefined) continue;
      switch (record.type) {
        case "run.limited":
          this.#limitedTasks.wait(resident, "");
          break;
        case "task.limited":
          this.#limitedTasks.wait(resident, record.task);
          break;
        case "task.scheduled":
          this.#handOuts.wait(resident, record.task);
          break;
        case "task.returned":
          this.#handOuts.end(resident, record.task, "the task goes to another worker");
          this.#handOuts.wait(resident, record.task);
          this.#limitedTasks.end(resident, record.task);
          break;
        case "task.completed":
          // A callback may come before the answer to its call.
          this.#attempts.abort(resident, record.task);
          this.#handOuts.end(resident, record.task, "the task has ended", record.tookMs);
          this.#limitedTasks.end(resident, record.task);
          break;
        case "task.dispatched":
          if (record.to !== undefined) {
            this.#handOuts.send(resident, record.task, firstSequence + index);
            break;
          }
          // If this instance drains, the next owner makes the attempt.
          if (!this.#lifecycle.draining)
            this.#attempts.begin(resident, record.task, firstSequence + index, record.again);
          break;
        case "task.suspended":
          this.#limitedTasks.end(resident, record.task);
          break;
        case "task.waiting":
          if (record.wait.kind === "run") this.#children.start(resident, record.task, record.wait.runId);
          break;
        case "task.canceled":
        case "task.failed":
        case "task.retrying":
          this.#attempts.abort(resident, record.task);
          this.#handOuts.end(resident, record.task, "the task has ended", tookMsOf(record));
          this.#limitedTasks.end(resident, record.task);
          this.#family.closeChild(resident, state.tasks.get(record.task));
          break;
        case "run.ending":
          for (const path of work.attempts.keys()) this.#attempts.abort(resident, path, true);
          this.#handOuts.cancelAll(resident, record.cause.reason);
          for (const task of state.tasks.values()) this.#family.closeChild(resident, task);
          break;
        case "run.held":
        case "run.released":
          if (record.hold === "operator" || record.hold === "parent")
            for (const task of state.tasks.values()) this.#passOn(resident, task, record);
          // Compensation goes on under the hold of a budget.
          if (mayBegin(resident.entity)) this.#handOuts.waitAll(resident);
          else if (record.type === "run.held") this.#handOuts.withdraw(resident);
          if (record.type === "run.released") this.#limitedTasks.wait(resident, "");
          else this.#limitedTasks.end(resident, "");
          break;
        case "run.terminated":
        case "run.completed":
        case "run.failed":
        case "run.canceled":
        case "run.timed_out":
          this.#attempts.abortAll(resident);
          this.#handOuts.endAll(resident, "the run has ended");
          this.#limitedTasks.end(resident, "");
          this.#notifyParent(resident);
          break;
      }
    }
  }

  /**
   * Passes a pause or its end on to the child that a task waits for. For the child it ends when no hold pauses the
   * parent any more.
   */
  #passOn(
    resident: RunResident,
    task: TaskState,
    record: Extract<JournalRecord, { type: "run.held" | "run.released" }>,
  ): void {
    if (task.state !== "WAITING" || task.wait?.kind !== "run") return;
    const isHeld = record.type === "run.held";
    if (!isHeld && isPaused(resident.entity.state)) return;
    const why = isHeld ? `the run ${resident.id} is paused` : "";
    const type = isHeld ? "hold" : "release";
    const by = "orchestrator";
    this.#family.send(resident.shard, task.wait.runId, (at) => ({ type, at, hold: "parent", by, why }));
  }

  #notifyParent({ id, shard, entity: { state } }: RunResident): void {
    const { parent } = state.facts;
    if (parent === null || !isTerminalPhase(state.phase)) return;
    const end = { phase: state.phase as "COMPLETED", output: state.output ?? null, error: state.error };
    this.#family.notifyParent(id, shard, parent, end);
  }
}

function tookMsOf(record: JournalRecord): number | undefined {
  return "tookMs" in record ? record.tookMs : undefined;
}
