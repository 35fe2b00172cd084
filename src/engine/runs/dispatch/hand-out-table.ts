/**
 * The tasks that runs of this instance have handed out, whether or not the runs are in memory. The journal of each run
 * is the truth. This table adds when each holder last gave a sign of life, and is filled again when a run is read.
 */
import { ChurningMap } from "../../../base/churning-map.ts";
import type { Carrier } from "../../../tasks/define.ts";
import type { HandOverRef, Slot } from "../../ports/dispatch/hand-overs.ts";

/** Accuracy of the times of {@link HandOutTable.lookAt}, milliseconds. */
const TICK_MS = 250;

/** A task that is handed out. */
export interface HandOut extends HandOverRef {
  readonly path: string;
  readonly attempt: number;
  readonly heartbeatMs: number | null;
  /** The carrier on which it left. */
  readonly carrier: Carrier;
  /** Its slot at the worker; null: where the worker is connected is unknown. */
  slot: Slot | null;
  /** The holder has acknowledged it. */
  acknowledged: boolean;
  /** The holder has reported how it ended. */
  reported: boolean;
  /** The work goes on without the worker. */
  detached: boolean;
  /** The holder was asked to stop. */
  canceled: boolean;
  /** `performance.now()` at the hand-over or the last sign of life. */
  heardAt: number;
  /** `performance.now()` when its last checkpoint was written; -∞: none was. */
  checkpointedAt: number;
}

/** The handed-out tasks of one run. A wide run has thousands of them, and each report looks for one. */
interface OfRun {
  readonly byPath: Map<string, HandOut>;
  readonly byFence: Map<number, HandOut>;
}

/** Handed-out tasks by run and path, by run and fencing token, and by the time of the next check of each. */
export class HandOutTable {
  readonly #runs = new ChurningMap<string, OfRun>();
  /** Those to be looked at, by tick. */
  readonly #looks = new Map<number, Set<HandOut>>();
  readonly #tickOf = new WeakMap<HandOut, number>();
  /** The first tick that {@link takeDue} has not returned. */
  #nextTick = tickAt(performance.now());

  /** Adds a task, which is checked soon. */
  add(handOut: HandOut): void {
    const { runId, path, fence } = handOut;
    let ofRun = this.#runs.get(runId);
    if (ofRun === undefined) {
      ofRun = { byPath: new Map(), byFence: new Map() };
      this.#runs.set(runId, ofRun);
    }
    const before = ofRun.byPath.get(path);
    if (before !== undefined) {
      ofRun.byFence.delete(before.fence);
      if (before.slot !== handOut.slot) freeAtAgents(before);
      this.#unplan(before);
    }
    ofRun.byPath.set(path, handOut);
    ofRun.byFence.set(fence, handOut);
    this.lookAt(handOut, performance.now());
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
    freeAtAgents(handOut);
    this.#unplan(handOut);
    if (ofRun.byPath.size === 0) this.#runs.delete(runId);
  }

  /** Forgets every task of a run. */
  forget(runId: string): void {
    for (const handOut of this.ofRun(runId)) {
      this.#unplan(handOut);
      freeAtAgents(handOut);
    }
    this.#runs.delete(runId);
  }

  ofRun(runId: string): readonly HandOut[] {
    return [...(this.#runs.get(runId)?.byPath.values() ?? [])];
  }

  /** Plans the next look at a task of the table at a time of `performance.now()`. The last call counts. */
  lookAt(handOut: HandOut, at: number): void {
    this.#unplan(handOut);
    const tick = Math.max(tickAt(at), this.#nextTick);
    const planned = this.#looks.get(tick) ?? new Set();
    this.#looks.set(tick, planned.add(handOut));
    this.#tickOf.set(handOut, tick);
  }

  /** Takes the tasks whose time has come. Each is planned again with {@link lookAt}, or is over. */
  takeDue(now: number): readonly HandOut[] {
    const due: HandOut[] = [];
    const end = Math.floor(now / TICK_MS);
    for (; this.#nextTick <= end; this.#nextTick += 1) {
      const planned = this.#looks.get(this.#nextTick);
      if (planned === undefined) continue;
      this.#looks.delete(this.#nextTick);
      for (const handOut of planned) due.push(handOut);
    }
    return due;
  }

  #unplan(handOut: HandOut): void {
    const tick = this.#tickOf.get(handOut);
    const planned = tick === undefined ? undefined : this.#looks.get(tick);
    if (tick === undefined || planned?.delete(handOut) !== true) return;
    if (planned.size === 0) this.#looks.delete(tick);
  }
}

/** Nobody expects anything of it here. Workers say themselves when they have stopped; agents have nobody who would. */
function freeAtAgents({ carrier, slot }: HandOut): void {
  if (carrier === "agents") slot?.release();
}

function tickAt(at: number): number {
  return Math.ceil(at / TICK_MS);
}
