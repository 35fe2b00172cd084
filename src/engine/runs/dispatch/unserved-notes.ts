/**
 * Warns those who watch a run of tasks that wait and that no worker serves: once for each queue, handler, and labels,
 * and again when they were served meanwhile. A warning is a line of the log of the first such task.
 */

import type { Log } from "../../../base/log.ts";
import type { Clock } from "../../../base/time/clock.ts";
import { carrierOf } from "../../../tasks/addresses.ts";
import type { LabeledLine } from "../../ports/dispatch/hand-overs.ts";
import { type Repetition, repeat } from "../../shard/repeat.ts";
import type { RunResident } from "../run-resident.ts";
import type { Runs } from "../runs.ts";
import type { NoteListener } from "./notes.ts";
import { toReadyTask } from "./ready-task.ts";

/** How long a task must wait before it is warned of, milliseconds. */
const PATIENCE_MS = 10_000;

/** How often it is looked, milliseconds. */
const LOOK_EVERY_MS = 1_000;

/** What warning takes. */
export interface UnservedNotesParts {
  readonly runs: Pick<Runs, "residence" | "notes">;
  /** Whether tasks of the line are handed out, and no worker at any instance can do them. */
  readonly isUnserved: (line: LabeledLine) => boolean;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
  /** See {@link PATIENCE_MS}, for tests. */
  readonly patienceMs?: number;
}

interface Unserved {
  readonly task: string;
  readonly attempt: number;
  readonly text: string;
}

/** Begins to warn. */
export function warnOfUnserved(parts: UnservedNotesParts): Repetition {
  const { runs, clock, log, patienceMs = PATIENCE_MS } = parts;
  /** What each watch was told. */
  const told = new WeakMap<NoteListener, ReadonlySet<string>>();
  return repeat(
    async () => {
      for (const [runId, listeners] of runs.notes.listeners) {
        const resident = runs.residence.get(runId);
        if (resident === undefined) continue;
        const at = clock.now();
        const unserved = findUnserved(resident, at - patienceMs, parts);
        for (const listener of listeners) {
          const before = told.get(listener);
          for (const [line, { task, attempt, text }] of unserved)
            if (before?.has(line) !== true) listener({ task, attempt, at, note: { type: "log", level: "WARN", text } });
          told.set(listener, new Set(unserved.keys()));
        }
      }
    },
    LOOK_EVERY_MS,
    log,
  );
}

/** By line. */
function findUnserved(
  { entity: run }: RunResident,
  before: number,
  { isUnserved }: UnservedNotesParts,
): ReadonlyMap<string, Unserved> {
  const found = new Map<string, Unserved>();
  for (const task of run.state.tasks.values()) {
    if (task.state !== "SCHEDULED" || task.handedTo !== null || task.readyAt > before) continue;
    const ready = toReadyTask(run, task);
    const { queue, handler, labels } = ready;
    const name = [queue, handler, labels].join(" ");
    if (found.has(name) || !isUnserved(ready)) continue;
    const skills = labels === "" ? "" : ` and labels ${labels}`;
    const text =
      carrierOf(queue) === "agents"
        ? `no agent of type ${handler} listens; the task waits for one`
        : `no worker serves queue ${queue} with handler ${handler}${skills}; the task waits for one`;
    found.set(name, { task: task.path, attempt: task.attempt, text });
  }
  return found;
}
