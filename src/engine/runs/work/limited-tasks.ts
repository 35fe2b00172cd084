/** Runs and their tasks at their limits: what they wait for and free is told, and what they are given begins. */
import { isOrchestratorError } from "../../../base/errors.ts";
import type { LimitSlot } from "../../machine/records.ts";
import type { RunState } from "../../machine/state.ts";
import type { Grant, GrantEnd, GrantTaker, JournaledSlots, LimitLines, RunSlots } from "../../ports/dispatch/limits.ts";
import type { DatabaseClock } from "../../shard/ownership/database-clock.ts";
import type { Submission } from "../../shard/submission/submission.ts";
import { slotsOf } from "../projections/limit-slots.ts";
import { type RunResidence, type RunResident, shownState } from "../run-resident.ts";

export interface LimitedTasksParts {
  readonly limitLines: LimitLines;
  readonly residence: RunResidence;
  readonly submission: Submission;
  readonly clock: DatabaseClock;
}

function slotOf(state: RunState, path: string): LimitSlot | null {
  return (path === "" ? state.limitSlot : state.tasks.get(path)?.limitSlot) ?? null;
}

/** The way between runs and limits. Where a path is asked for, an empty one is the run itself. */
export class LimitedTasks implements GrantTaker, JournaledSlots {
  readonly #parts: LimitedTasksParts;
  /** Runs in memory that have asked for slots. */
  readonly #asking = new WeakSet<RunResident>();

  constructor(parts: LimitedTasksParts) {
    this.#parts = parts;
  }

  /** The run was read. */
  opened(resident: RunResident): void {
    const { limitSlot, tasks } = resident.entity.state;
    if (limitSlot !== null || [...tasks.values()].some((task) => task.limitSlot !== null)) this.#asking.add(resident);
  }

  /** The task waits for a slot, durably. */
  wait(resident: RunResident, path: string): void {
    const { state } = resident.entity;
    const slot = slotOf(state, path);
    if (slot === null) return;
    this.#asking.add(resident);
    this.#parts.limitLines.waits({ tenantId: state.tenantId, name: slot.name, key: slot.key });
  }

  /** The task needs no slot any more, durably. */
  end({ entity: { state } }: RunResident, path: string): void {
    const slot = slotOf(state, path);
    if (slot !== null) this.#parts.limitLines.changed({ tenantId: state.tenantId, name: slot.name, key: slot.key });
  }

  async granted({ runId, path, asked }: Grant): Promise<GrantEnd> {
    const { residence, submission, clock } = this.#parts;
    let resident: RunResident;
    try {
      resident = await residence.open(runId);
    } catch (error) {
      if (!isOrchestratorError(error) || error.retry !== "no") throw error;
      return error.code === "RUN_UNREADABLE" || error.code === "RUN_QUARANTINED" ? "stuck" : "over";
    }
    await submission.submit(resident, { type: "granted", at: clock.now(), task: path, asked });
    const slot = slotOf(resident.entity.state, path);
    return slot?.state === "taken" && slot.asked === asked ? "used" : "over";
  }

  listAsking(): readonly string[] {
    const residents = [...this.#parts.residence.residents.values()];
    return residents.flatMap((resident) => (this.#asking.has(resident) ? [resident.id] : []));
  }

  read(runId: string): RunSlots | null {
    const resident = this.#parts.residence.get(runId);
    if (resident === undefined || !resident.started || shownState(resident) === null) return null;
    const { entity, shard } = resident;
    return { runId, shard, sequence: entity.state.sequence, slots: slotsOf(entity) };
  }
}
