/**
 * What this instance knows about the tasks that its runs have handed out, in memory or not. Truth is the journal of
 * each run; this table adds who was heard of last, and is filled again when a run is read.
 */
import { ChurningMap } from "../../../base/churning-map.ts";
import type { HandOverRef, Slot } from "../../ports/dispatch/hand-overs.ts";

/** A task that is handed out. */
export interface HandOut extends HandOverRef {
  readonly path: string;
  readonly attempt: number;
  readonly heartbeatMs: number | null;
  /** Nothing is heard of it before its end. */
  readonly silent: boolean;
  /** An agent has it: once it has arrived, nobody is lost with it. */
  readonly atAgents: boolean;
  /** Its place at the worker; null: nobody has said where its worker is. */
  slot: Slot | null;
  /** Its worker has said that it has the task. */
  acknowledged: boolean;
  /** Its worker has said how it ended. */
  reported: boolean;
  /** The work goes on without its worker. */
  detached: boolean;
  /** Its worker was asked to stop. */
  canceled: boolean;
  /** `performance.now()` when it was handed out, or last said to be alive. */
  heardAt: number;
  /** `performance.now()` when its last checkpoint was written; -∞: none was. */
  checkpointedAt: number;
}

/** The handed-out tasks of one run: a wide one has thousands, and each report looks for one. */
interface OfRun {
  readonly byPath: Map<string, HandOut>;
  readonly byFence: Map<number, HandOut>;
}

/** Handed-out tasks by run and path, and by run and fencing token. */
export class HandOutTable {
  readonly #runs = new ChurningMap<string, OfRun>();

  add(handOut: HandOut): void {
    const { runId, path, fence } = handOut;
    let ofRun = this.#runs.get(runId);
    if (ofRun === undefined) {
      ofRun = { byPath: new Map(), byFence: new Map() };
      this.#runs.set(runId, ofRun);
    }
    const before = ofRun.byPath.get(path);
    if (before !== undefined) ofRun.byFence.delete(before.fence);
    ofRun.byPath.set(path, handOut);
    ofRun.byFence.set(fence, handOut);
  }

  get(runId: string, path: string): HandOut | undefined {
    return this.#runs.get(runId)?.byPath.get(path);
  }

  find({ runId, fence }: HandOverRef): HandOut | undefined {
    return this.#runs.get(runId)?.byFence.get(fence);
  }

  has(runId: string): boolean {
    return this.#runs.get(runId) !== undefined;
  }

  delete(runId: string, path: string): void {
    const ofRun = this.#runs.get(runId);
    const handOut = ofRun?.byPath.get(path);
    if (ofRun === undefined || handOut === undefined) return;
    ofRun.byPath.delete(path);
    ofRun.byFence.delete(handOut.fence);
    if (ofRun.byPath.size === 0) this.#runs.delete(runId);
  }

  /** Forgets every task of a run. */
  forget(runId: string): void {
    this.#runs.delete(runId);
  }

  ofRun(runId: string): readonly HandOut[] {
    return [...(this.#runs.get(runId)?.byPath.values() ?? [])];
  }

  *[Symbol.iterator](): Generator<HandOut> {
    for (const { byPath } of this.#runs.values()) yield* byPath.values();
  }
}
