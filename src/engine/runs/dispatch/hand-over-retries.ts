/**
 * Waiting tasks whose hand-over failed, because their run could not be loaded or its commit failed. Each is tried again
 * after a pause of {@link FIRST_PAUSE_MS}, which doubles with every failure in a row. Its row stays in the queue, so
 * that others may ask for it meanwhile; they are refused.
 */
import type { ReadyTask } from "../../ports/dispatch/hand-overs.ts";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;

type Named = Pick<ReadyTask, "runId" | "path">;

interface Failed {
  readonly failures: number;
  /** `performance.now()`. */
  pausedUntil: number;
}

/** Delays hand-overs that fail. */
export class HandOverRetries {
  /** In the order of the last failure. */
  readonly #failed = new Map<string, Failed>();

  isPaused(task: Named): boolean {
    return (this.#failed.get(nameOf(task))?.pausedUntil ?? 0) > performance.now();
  }

  /** The hand-over failed. Calls `again` after the pause. */
  failed(task: Named, again: () => void): void {
    const failures = (this.#failed.get(nameOf(task))?.failures ?? 0) + 1;
    this.#pause(task, failures, Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS), again);
  }

  #pause(task: Named, failures: number, pauseMs: number, again: () => void): void {
    const name = nameOf(task);
    const now = performance.now();
    this.#failed.delete(name);
    const failed = { failures, pausedUntil: now + pauseMs };
    this.#failed.set(name, failed);
    setTimeout(() => {
      // A timer may be early by a millisecond.
      failed.pausedUntil = performance.now();
      again();
    }, pauseMs).unref();
    // Tasks that nobody tried again have gone to another instance.
    for (const [other, { pausedUntil }] of this.#failed) {
      if (pausedUntil + LONGEST_PAUSE_MS > now) break;
      this.#failed.delete(other);
    }
  }

  /** The task may not be handed out now. Calls `again` after a pause, milliseconds. */
  pause(task: Named, pauseMs: number, again: () => void): void {
    this.#pause(task, 0, pauseMs, again);
  }

  /** The task was handed out, or does not wait any more. */
  settled(task: Named): void {
    if (this.#failed.size > 0) this.#failed.delete(nameOf(task));
  }
}

function nameOf({ runId, path }: Named): string {
  return `${runId} ${path}`;
}
