/**
 * Tells the watches of a run which of its tasks wait for a worker that does not exist. A watch is told once for each
 * queue, handler, and set of labels, and again after a worker has come and gone. The warning is a log line of the first
 * such task.
 */

import { carrierOf } from "../../../tasks/addresses.ts";
import type { Run } from "../../machine/run.ts";
import type { TaskState } from "../../machine/state.ts";
import { awaitsHandOver } from "../../machine/tasks/handouts.ts";
import type { LabeledLine } from "../../ports/dispatch/hand-overs.ts";
import type { Repetition } from "../../shard/repeat.ts";
import { type WarnWatchesParts, type WatchWarning, warnWatches } from "../work/warn-watches.ts";
import { toReadyTask } from "./ready-task.ts";

/** Interval of checks, milliseconds. */
const LOOK_EVERY_MS = 1_000;

export interface UnservedNotesParts extends WarnWatchesParts {
  /** Whether tasks of the line are handed out, and no worker at any instance can do them. */
  readonly isUnserved: (line: LabeledLine) => boolean;
}

/** Begins to warn. */
export function warnOfUnserved({ isUnserved, ...parts }: UnservedNotesParts): Repetition {
  return warnWatches(parts, LOOK_EVERY_MS, (run, before) => findUnserved(run, before, isUnserved));
}

/** The first unserved task of each line. */
function findUnserved(
  run: Run,
  before: number,
  isUnserved: UnservedNotesParts["isUnserved"],
): ReadonlyMap<string, WatchWarning> {
  const found = new Map<string, WatchWarning>();
  if (run.state.away === run.state.handedOut) return found;
  const served = new Set<string>();
  for (const task of run.state.tasks.values()) {
    if (!awaitsHandOver(task) || task.readyAt > before) continue;
    const { name, line } = lineOf(run, task);
    if (found.has(name) || served.has(name)) continue;
    if (isUnserved(line)) found.set(name, { task: task.path, attempt: task.attempt, text: warningOf(line) });
    else served.add(name);
  }
  return found;
}

interface NamedLine {
  readonly name: string;
  readonly line: LabeledLine;
  readonly input: unknown;
}

/** Lines of waiting tasks: a run may have thousands, and all are checked every second. */
const lines = new WeakMap<TaskState, NamedLine>();

function lineOf(run: Run, task: TaskState): NamedLine {
  const known = lines.get(task);
  if (known !== undefined && known.input === task.input) return known;
  const { tenantId, queue, handler, labels } = toReadyTask(run, task);
  const line = { tenantId, queue, handler, labels };
  const named = { name: [queue, handler, labels].join(" "), line, input: task.input };
  lines.set(task, named);
  return named;
}

function warningOf({ queue, handler, labels }: LabeledLine): string {
  if (carrierOf(queue) === "agents") return `no agent of type ${handler} listens; the task waits for one`;
  const skills = labels === "" ? "" : ` and labels ${labels}`;
  return `no worker serves queue ${queue} with handler ${handler}${skills}; the task waits for one`;
}
