/**
 * Checkpoints of handed-out tasks: what the next attempt needs to go on. Only the last one of a task counts.
 *
 *   saved → kept here → written when the interval since the last one of the task is over, or when the attempt fails
 *
 * A checkpoint is a record of the run, and its journal keeps all of them, so the interval grows: it is
 * {@link FIRST_INTERVAL_MS}, and twice as long with every {@link STEP_SIZE} characters of checkpoints that the run has
 * written. A run writes about one more of these steps each time that its age doubles, however many tasks save however
 * large checkpoints.
 */
import type { DatabaseClock } from "../../shard/ownership/database-clock.ts";
import type { Submission } from "../../shard/submission/submission.ts";
import type { RunResident } from "../run-resident.ts";
import type { HandOut } from "./hand-out-table.ts";

/** Shortest time between two checkpoints of a task in the journal, milliseconds. */
const FIRST_INTERVAL_MS = 1_000;

/** Characters of checkpoints after which a run writes them half as often. */
const STEP_SIZE = 1_048_576;

interface Saved {
  text: string;
  readonly savedAt: number;
}

export interface CheckpointsParts {
  readonly submission: Submission;
  readonly clock: DatabaseClock;
}

/** Keeps checkpoints until they are written. */
export class Checkpoints {
  readonly #parts: CheckpointsParts;
  readonly #saved = new Map<HandOut, Saved>();

  constructor(parts: CheckpointsParts) {
    this.#parts = parts;
  }

  save(handOut: HandOut, text: string): void {
    const saved = this.#saved.get(handOut);
    if (saved === undefined) this.#saved.set(handOut, { text, savedAt: performance.now() });
    else saved.text = text;
  }

  /** Writes what is due at `now`, a time of `performance.now()`. `open` returns null for runs that are gone. */
  async writeDue(now: number, open: (handOut: HandOut) => Promise<RunResident | null>): Promise<void> {
    for (const [handOut, { savedAt }] of [...this.#saved]) {
      if (now - handOut.checkpointedAt < FIRST_INTERVAL_MS) continue;
      // If the run cannot be opened, its next owner has the checkpoint before this one.
      const resident = await open(handOut).catch(() => null);
      if (resident === null) this.#saved.delete(handOut);
      else if (isDue(intervalMs(resident.entity.state.checkpointSize), now, savedAt, handOut.checkpointedAt))
        this.flush(resident, handOut);
    }
  }

  /** Writes the last checkpoint of a hand-out, if it is not written yet. */
  flush(resident: RunResident, handOut: HandOut): void {
    const saved = this.#saved.get(handOut);
    if (saved === undefined) return;
    this.#saved.delete(handOut);
    handOut.checkpointedAt = performance.now();
    const { submission, clock } = this.#parts;
    const { path, fence } = handOut;
    submission.post(resident, {
      type: "checkpoint",
      at: clock.now(),
      task: path,
      token: fence,
      checkpoint: saved.text,
    });
  }
}

/** Time between two checkpoints of a task of a run that has written `size` characters of them. */
function intervalMs(size: number): number {
  return FIRST_INTERVAL_MS * 2 ** Math.floor(size / STEP_SIZE);
}

/** The first checkpoints of a run are written at once. Later ones wait for an interval of their own, too. */
function isDue(interval: number, now: number, savedAt: number, writtenAt: number): boolean {
  return now - writtenAt >= interval && (interval === FIRST_INTERVAL_MS || now - savedAt >= interval);
}
