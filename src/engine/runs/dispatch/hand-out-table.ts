/**
 * What this instance knows about the tasks that its runs have handed out, in memory or not. Truth is the journal of
 * each run; this table adds who was heard of last, and is filled again when a run is read.
 */
import { ChurningMap } from "../../../base/churning-map.ts";
import type { HandOverRef, Slot } from "../../ports/dispatch/hand-overs.ts";

/** A task that is handed out. */
export interface HandOut extends HandOverRef {
  readonly path: string;
  readonly heartbeatMs: number | null;
  /** Where its worker is connected to this instance; null: it is not. */
  slot: Slot | null;
  /** Its worker has said that it has the task. */
  acknowledged: boolean;
  /** Its worker has said how it ended. */
  reported: boolean;
  /** Its worker was asked to stop. */
  canceled: boolean;
  /** `performance.now()` when it was handed out, or last said to be alive. */
  heardAt: number;
}

/** Handed-out tasks by run and path. */
export class HandOutTable {
  readonly #runs = new ChurningMap<string, Map<string, HandOut>>();

  add(handOut: HandOut): void {
    const { runId, path } = handOut;
    const tasks = this.#runs.get(runId);
    if (tasks === undefined) this.#runs.set(runId, new Map([[path, handOut]]));
    else tasks.set(path, handOut);
  }

  get(runId: string, path: string): HandOut | undefined {
    return this.#runs.get(runId)?.get(path);
  }

  find({ runId, fence }: HandOverRef): HandOut | undefined {
    for (const handOut of this.#runs.get(runId)?.values() ?? []) if (handOut.fence === fence) return handOut;
    return undefined;
  }

  has(runId: string): boolean {
    return this.#runs.get(runId) !== undefined;
  }

  delete(runId: string, path: string): void {
    const tasks = this.#runs.get(runId);
    if (tasks?.delete(path) === true && tasks.size === 0) this.#runs.delete(runId);
  }

  /** Forgets every task of a run. */
  forget(runId: string): void {
    this.#runs.delete(runId);
  }

  ofRun(runId: string): readonly HandOut[] {
    return [...(this.#runs.get(runId)?.values() ?? [])];
  }

  *[Symbol.iterator](): Generator<HandOut> {
    for (const tasks of this.#runs.values()) yield* tasks.values();
  }
}
