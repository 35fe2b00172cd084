/** Bugs to plant in the rules of worker tasks. */
import type { RunEvent } from "../../src/engine/machine/events.ts";
import { type Run, specOf } from "../../src/engine/machine/run.ts";
import type { TaskState } from "../../src/engine/machine/state.ts";
import type { TaskSpec } from "../../src/flows/plan.ts";
import { inEvents, inRecords, inState, inTasks, of, type PlantedBug } from "./plant.ts";

/** One for each rule of handed-out tasks. */
export const WORKER_BUGS: PlantedBug[] = [
  inTasks("schedule_to_start_timeout of workers is ignored", ofWorkers({ scheduleToStartMs: null })),
  inTasks("timeout of workers is ignored", ofWorkers({ startToCloseMs: null })),
  inTasks("schedule_to_close_timeout of workers is ignored", ofWorkers({ scheduleToCloseMs: null })),
  inTasks("heartbeat_timeout of workers is ignored", ofWorkers({ heartbeatMs: null })),
  inRecords("schedule-to-start ends when the task is handed out", (record, run) => {
    const task = "task" in record ? run.state.tasks.get(record.task) : undefined;
    if (record.type !== "task.dispatched" || record.to === undefined || task === undefined) return record;
    task.dueAt = null;
    return record;
  }),
  inRecords("start-to-close begins when the task is handed out", (record, run) => {
    const task = "task" in record ? run.state.tasks.get(record.task) : undefined;
    if (record.type !== "task.started" || record.dueAt === undefined || task === undefined) return record;
    return { ...record, dueAt: record.dueAt - (record.at - task.startedAt) };
  }),
  inRecords("schedule-to-start begins once", (record, run) => {
    const task = "task" in record ? run.state.tasks.get(record.task) : undefined;
    if (record.type !== "task.returned" || record.dueAt === undefined || task === undefined) return record;
    return { ...record, dueAt: record.dueAt - (record.at - task.readyAt) };
  }),
  inRecords("every hand-over is an attempt", (record, run) => {
    const { losses = 0, attempt = 0 } = "task" in record ? (run.state.tasks.get(record.task) ?? {}) : {};
    return record.type === "task.dispatched" && record.to !== undefined && losses > 0
      ? { ...record, attempt: attempt + 1 }
      : record;
  }),
  inState("one loss less is free", (run) => changeLosses(run, (losses) => (losses === 2 ? 3 : losses), 1)),
  inState("lost hand-overs cost nothing", (run) => changeLosses(run, () => 0, 0)),
  inState("losses of an earlier attempt count", losesForEver),
  inEvents("a task that is handed back is a loss", (event) => withReason(event, "HANDED_BACK", "WORKER_LOST")),
  inEvents("what a hold takes back is a loss", (event) => withReason(event, "WITHDRAWN", "UNACKNOWLEDGED")),
  inEvents("a worker that is gone costs nothing", (event) => withReason(event, "WORKER_LOST", "HANDED_BACK")),
  inEvents("a hand-over that is not acknowledged costs nothing", (event) =>
    withReason(event, "UNACKNOWLEDGED", "HANDED_BACK"),
  ),
  inEvents("a hold takes nothing back", (event) =>
    event.type === "returned" && event.reason === "WITHDRAWN" ? null : event,
  ),
  inRecords("a lost worker is never tried again", (record) =>
    record.type === "task.retrying" && record.error.type === "WORKER_LOST"
      ? { ...of(record), type: "task.failed", error: record.error, deadLetter: "ATTEMPTS_EXHAUSTED" }
      : record,
  ),
  inState("a takeover takes worker tasks back", (run) => {
    if (run.state.recoveries === 0) return;
    for (const task of run.state.tasks.values())
      if (task.state === "RUNNING" && task.handedTo !== null && task.token < run.state.sequence - 1) task.token = -1;
  }),
  inEvents("late reports count", (event) => (event.type === "returned" ? null : event)),
  inEvents("workers are not asked to stop", (event) =>
    event.type === "reported" && !event.outcome.ok && event.outcome.error.type === "CANCELED" ? null : event,
  ),
  inRecords("what waits for a worker is not canceled", (record, run) => {
    if (record.type !== "task.canceled" || run.state.phase !== "CANCELING") return record;
    const task = run.state.tasks.get(record.task);
    if (task?.state !== "SCHEDULED" || task.handedTo !== null) return record;
    const error = { type: "ABANDONED", message: "", retryable: false };
    return { ...of(record), type: "task.failed", error, deadLetter: "NOT_RETRYABLE" };
  }),
  inState("what was never handed out is compensated", (run) => {
    for (const task of run.state.tasks.values())
      if (task.state === "SCHEDULED" && task.effect === "none")
        Object.assign(task, { effect: "possible", dispatchedAtSequence: run.state.sequence });
  }),
  inEvents("nothing is handed out", (event) => (event.type === "hand_over" ? null : event)),
];

function ofWorkers(timeouts: Partial<TaskSpec["timeouts"]>): (task: TaskSpec) => TaskSpec {
  return (task) => (task.effect === "remote" ? { ...task, timeouts: { ...task.timeouts, ...timeouts } } : task);
}

type Reason = Extract<RunEvent, { type: "returned" }>["reason"];

function withReason(event: RunEvent, from: Reason, to: Reason): RunEvent {
  return event.type === "returned" && event.reason === from ? { ...event, reason: to } : event;
}

function changeLosses(run: Run, change: (losses: number) => number, least: number): void {
  for (const task of run.state.tasks.values())
    if (specOf(run, task.path).effect === "remote" && task.losses >= least) task.losses = change(task.losses);
}

const losses = new WeakMap<TaskState, number>();

function losesForEver(run: Run): void {
  for (const task of run.state.tasks.values()) {
    const before = losses.get(task) ?? 0;
    if (task.attempt > 1 && task.losses < before) task.losses = before;
    losses.set(task, task.losses);
  }
}
