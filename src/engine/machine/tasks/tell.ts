/** The end of an attempt in the place of the one that makes it: CompleteTask and FailTask. */
import type { RunEvent } from "../events.ts";
import type { JournalRecord } from "../records.ts";
import { type Run, specOf } from "../run.ts";
import type { TaskState } from "../state.ts";
import { decideReported } from "./tasks.ts";

/** True when the work of the task is done elsewhere and has not ended. */
export function isDoneElsewhere(run: Run, task: TaskState): boolean {
  if (task.handedTo !== null) return true;
  // A call of ours that waits for its limit is nobody else's.
  if (task.state === "SCHEDULED") return specOf(run, task.path).carrier !== undefined;
  return task.state === "RUNNING" && specOf(run, task.path).awaitsCallback === true;
}

/** Returns what follows from the word of somebody else; none when the task is not done elsewhere any more. */
export function tellTask(run: Run, event: Extract<RunEvent, { type: "tell" }>, at: number): JournalRecord[] {
  const { task: path, outcome, by, why, random } = event;
  const task = run.state.tasks.get(path);
  if (task === undefined || !isDoneElsewhere(run, task)) return [];
  return decideReported(run, path, outcome, at, random).map((record) => {
    switch (record.type) {
      case "task.completed":
      case "task.retrying":
      case "task.failed":
        return { ...record, told: { by, why } };
      default:
        return record;
    }
  });
}
