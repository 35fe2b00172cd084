/**
 * Notes of attempts (progress, log lines) on their way to those who watch a run on this instance. They are never
 * stored. A task may tell {@link MOST_AT_ONCE} at once and {@link PER_SECOND} a second; a flood costs its own watchers
 * some notes, and nobody else anything.
 */
import type { NoteView, TaskNote } from "../../ports/run-watch.ts";
import type { HandOut } from "./hand-out-table.ts";

/** Notes of a task that pass at once. */
const MOST_AT_ONCE = 50;

/** Notes of a task that pass in a second, after that. */
const PER_SECOND = 20;

/** Hears the notes of a run; null: one was lost. */
export type NoteListener = (view: NoteView | null) => void;

interface Allowance {
  left: number;
  at: number;
}

/** Passes notes on. */
export class Notes {
  readonly #listeners = new Map<string, Set<NoteListener>>();
  readonly #allowances = new WeakMap<HandOut, Allowance>();

  /** Those who listen, by run. */
  get listeners(): ReadonlyMap<string, ReadonlySet<NoteListener>> {
    return this.#listeners;
  }

  /** Listens to a run until the returned function is called. */
  listen(runId: string, listener: NoteListener): () => void {
    const listeners = this.#listeners.get(runId) ?? new Set();
    this.#listeners.set(runId, listeners.add(listener));
    return () => {
      if (listeners.delete(listener) && listeners.size === 0) this.#listeners.delete(runId);
    };
  }

  tell(handOut: HandOut, at: number, note: TaskNote): void {
    const listeners = this.#listeners.get(handOut.runId);
    if (listeners === undefined) return;
    const { path: task, attempt } = handOut;
    const view = this.#passes(handOut) ? { task, attempt, at, note } : null;
    for (const listener of listeners) listener(view);
  }

  #passes(handOut: HandOut): boolean {
    const now = performance.now();
    const allowance = this.#allowances.get(handOut) ?? { left: MOST_AT_ONCE, at: now };
    this.#allowances.set(handOut, allowance);
    allowance.left = Math.min(MOST_AT_ONCE, allowance.left + ((now - allowance.at) / 1_000) * PER_SECOND);
    allowance.at = now;
    if (allowance.left < 1) return false;
    allowance.left -= 1;
    return true;
  }
}
