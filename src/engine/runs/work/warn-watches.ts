/** Warns those who watch a run of what keeps it waiting, by log lines of its tasks. */
import type { Log } from "../../../base/log.ts";
import type { Clock } from "../../../base/time/clock.ts";
import type { Run } from "../../machine/run.ts";
import { type Repetition, repeat } from "../../shard/repeat.ts";
import type { NoteListener } from "../dispatch/notes.ts";
import type { Runs } from "../runs.ts";

/** How long a task must wait before it is warned of, milliseconds. */
const PATIENCE_MS = 10_000;

/** A warning, and the attempt that it is about. */
export interface WatchWarning {
  /** Path of the task; empty: the run as a whole. */
  readonly task: string;
  readonly attempt: number;
  readonly text: string;
}

export interface WarnWatchesParts {
  readonly runs: Pick<Runs, "residence" | "notes">;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
  /** See {@link PATIENCE_MS}, for tests. */
  readonly patienceMs?: number;
}

/**
 * Looks at watched runs every `everyMs`. `find` gives the warnings about what has waited since before a time, by a name
 * for each: a watch gets one of a name, and another one once there was none meanwhile.
 */
export function warnWatches(
  { runs, clock, log, patienceMs = PATIENCE_MS }: WarnWatchesParts,
  everyMs: number,
  find: (run: Run, before: number) => ReadonlyMap<string, WatchWarning> | Promise<ReadonlyMap<string, WatchWarning>>,
): Repetition {
  /** What each watch has been told. */
  const told = new WeakMap<NoteListener, ReadonlySet<string>>();
  return repeat(
    async () => {
      for (const [runId, listeners] of runs.notes.listeners) {
        const resident = runs.residence.get(runId);
        if (resident === undefined) continue;
        const at = clock.now();
        const warnings = await find(resident.entity, at - patienceMs);
        for (const listener of listeners) {
          const before = told.get(listener);
          for (const [name, { task, attempt, text }] of warnings)
            if (before?.has(name) !== true) listener({ task, attempt, at, note: { type: "log", level: "WARN", text } });
          told.set(listener, new Set(warnings.keys()));
        }
      }
    },
    everyMs,
    log,
  );
}
