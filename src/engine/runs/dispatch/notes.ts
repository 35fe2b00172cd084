/**
 * Progress and log lines of attempts, for the watches of their runs on this instance. They are never stored. A task may
 * send {@link MOST_AT_ONCE} notes at once and {@link PER_SECOND} a second after that. The rest is dropped: a flood
 * affects only those who watch its run.
 */
import type { NoteView, TaskNote } from "../../ports/run-watch.ts";

/** Notes that a task may send at once. */
const MOST_AT_ONCE = 50;

/** Notes that a task may send in a second, after that. */
const PER_SECOND = 20;

/** Receives the notes of a run; null: one was lost. */
export type NoteListener = (view: NoteView | null) => void;

/** The attempt that notes come from, the same object for all of its notes. */
export interface NoteSource {
  readonly runId: string;
  readonly path: string;
  readonly attempt: number;
}

interface Allowance {
  left: number;
  at: number;
}

/** Passes notes on. */
export class Notes {
  readonly #listeners = new Map<string, Set<NoteListener>>();
  readonly #allowances = new WeakMap<NoteSource, Allowance>();

  /** Listeners by run. */
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

  tell(source: NoteSource, at: number, note: TaskNote): void {
    const listeners = this.#listeners.get(source.runId);
    if (listeners === undefined) return;
    const { path: task, attempt } = source;
    const view = this.#passes(source) ? { task, attempt, at, note } : null;
    for (const listener of listeners) listener(view);
  }

  #passes(source: NoteSource): boolean {
    const now = performance.now();
    const allowance = this.#allowances.get(source) ?? { left: MOST_AT_ONCE, at: now };
    this.#allowances.set(source, allowance);
    allowance.left = Math.min(MOST_AT_ONCE, allowance.left + ((now - allowance.at) / 1_000) * PER_SECOND);
    allowance.at = now;
    if (allowance.left < 1) return false;
    allowance.left -= 1;
    return true;
  }
}
