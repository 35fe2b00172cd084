import type { Slot } from "../../ports/dispatch/hand-overs.ts";

/** Slots of hand-overs whose commit is under way, by run and path. */
export class ReservedSlots {
  readonly #runs = new Map<string, Map<string, Slot>>();

  get(runId: string, path: string): Slot | undefined {
    return this.#runs.get(runId)?.get(path);
  }

  set(runId: string, path: string, slot: Slot): void {
    const slots = this.#runs.get(runId);
    if (slots === undefined) this.#runs.set(runId, new Map([[path, slot]]));
    else slots.set(path, slot);
  }

  /** Removes a slot and returns it. */
  take(runId: string, path: string): Slot | undefined {
    const slots = this.#runs.get(runId);
    const slot = slots?.get(path);
    if (slots?.delete(path) === true && slots.size === 0) this.#runs.delete(runId);
    return slot;
  }

  /** Releases the slots of a run. */
  release(runId: string): void {
    for (const slot of this.#runs.get(runId)?.values() ?? []) slot.release();
    this.#runs.delete(runId);
  }
}
