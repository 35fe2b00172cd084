/** Tasks whose call was answered, and whose result comes later. */
import type { JournalRecord } from "../records.ts";
import { type Run, specOf } from "../run.ts";
import type { TaskState } from "../state.ts";
import { closesAt, timeoutsOf } from "./limits.ts";

/** Who has such a task, in the place of a worker. */
export const CALLBACK = "@callback";

/** True while a callback would end the attempt: the call is being made, or was answered. */
export function awaitsCallback({ state, handedTo, group }: TaskState): boolean {
  return state === "RUNNING" && group === null && (handedTo === null || handedTo === CALLBACK);
}

/** Returns the record of a call that was answered with success; none when its attempt is over. */
export function awaitCallback(run: Run, path: string, token: number, at: number): JournalRecord[] {
  const task = run.state.tasks.get(path);
  if (task?.token !== token || task.state !== "RUNNING" || task.handedTo !== null) return [];
  // Nobody waits for the result of a run that is ending.
  if (run.state.phase === "CANCELING") return [{ type: "task.canceled", at, task: path }];
  const spec = specOf(run, path);
  const { startToCloseMs } = timeoutsOf(spec, task.limits);
  const ends = [startToCloseMs === null ? null : task.startedAt + startToCloseMs, closesAt(spec, task)];
  const set = ends.filter((time) => time !== null);
  return [
    { type: "task.started", at, task: path, to: CALLBACK, ...(set.length === 0 ? {} : { dueAt: Math.min(...set) }) },
  ];
}
