/** Waiting for slots of limits, and what follows: the records of limit-slots.ts. */
import { formatDuration } from "../../../base/time/duration.ts";
import type { TaskLimits, TaskSpec } from "../../../flows/plan.ts";
import type { EvaluationResult } from "../events.ts";
import type { JournalRecord, TaskError } from "../records.ts";
import { mayBegin, type Run, specOf } from "../run.ts";
import type { TaskState } from "../state.ts";
import { startsBy } from "./handouts.ts";
import { lacksSlot } from "./limit-slots.ts";
import { closesAt, timeoutsOf } from "./limits.ts";
import { failTask } from "./outcomes.ts";

/** The field `dueAt` of the record of a task that is in line since `readyAt`. */
function endsBy(
  spec: TaskSpec,
  limits: TaskLimits | null,
  readyAt: number,
  scheduledAt: number,
): { readonly dueAt?: number } {
  const { scheduleToCloseMs } = timeoutsOf(spec, limits);
  const timeoutMs = spec.limit?.timeoutMs ?? null;
  const ends = [
    ...(timeoutMs === null ? [] : [readyAt + timeoutMs]),
    ...(scheduleToCloseMs === null ? [] : [scheduledAt + scheduleToCloseMs]),
  ];
  return ends.length === 0 ? {} : { dueAt: Math.min(...ends) };
}

/** Puts the first attempt of a task in line: of its own limit, or of that of the service that it calls. */
export function askFirst(spec: TaskSpec, path: string, asked: Asked, limits: TaskLimits | null, at: number) {
  const { limitKey: key = null, serviceLimit = "" } = asked;
  const limit = spec.limit === undefined ? { name: serviceLimit, key: "" } : { name: spec.limit.name, key: key ?? "" };
  return { type: "task.limited", at, task: path, attempt: 1, ...limit, ...endsBy(spec, limits, at, at) } as const;
}

type Asked = Pick<Extract<EvaluationResult, { readonly ok: true }>, "limitKey" | "serviceLimit">;

/** Puts an attempt of a task in line that has asked before. */
export function askAgain(run: Run, task: TaskState, attempt: number, at: number): JournalRecord {
  const { path, limits, readyAt, scheduledAt } = task;
  const { name = "", key = "" } = task.limitSlot ?? {};
  const due = endsBy(specOf(run, path), limits, readyAt, scheduledAt);
  return { type: "task.limited", at, task: path, attempt, name, key, ...due };
}

/**
 * Returns the record that begins an attempt whose limit has a slot for it, or, with an empty path, the run; none when
 * it does not wait for that.
 */
export function beginGranted(run: Run, path: string, asked: number, at: number): JournalRecord[] {
  if (path === "") {
    const { limitSlot: slot } = run.state;
    const waits = slot?.state === "waiting" && slot.asked === asked && mayBegin(run);
    return waits ? [{ type: "run.opened", at }] : [];
  }
  const task = run.state.tasks.get(path);
  if (task?.limitSlot?.state !== "waiting" || task.limitSlot.asked !== asked || !mayBegin(run)) return [];
  const spec = specOf(run, path);
  const { attempt, limits, scheduledAt } = task;
  if (spec.carrier === undefined) return [{ type: "task.dispatched", at, task: path, attempt }];
  return [{ type: "task.scheduled", at, task: path, attempt, ...startsBy(spec, limits, at, scheduledAt) }];
}

/** A run that may not go on keeps nobody waiting: its tasks leave the lines of their limits. */
export function withdrawSlots(run: Run, at: number): JournalRecord[] {
  return [...run.state.tasks.values()].flatMap((task): JournalRecord[] =>
    task.limitSlot?.state === "waiting"
      ? [{ type: "task.returned", at, task: task.path, reason: "WITHDRAWN", ...dueOf(task) }]
      : [],
  );
}

/**
 * They are in line again once the run goes on, where they would be if they had waited. So are those that waited when
 * the run was held unread: nobody could withdraw them.
 */
export function askForSlots(run: Run, at: number): JournalRecord[] {
  return [...run.state.tasks.values()].flatMap((task): JournalRecord[] =>
    lacksSlot(task) ? [askAgain(run, task, task.attempt, at)] : [],
  );
}

function dueOf({ dueAt }: TaskState): { readonly dueAt?: number } {
  return dueAt === null ? {} : { dueAt };
}

/** Returns the end of a task that has waited for its slot for too long. */
export function expireSlot(spec: TaskSpec, task: TaskState, at: number): JournalRecord {
  const { path, dueAt, limitSlot } = task;
  const closeAt = closesAt(spec, task);
  const { name = "", key = "" } = limitSlot ?? {};
  const limit = key === "" ? name : `${name} (${key})`;
  const isClosed = closeAt !== null && dueAt !== null && dueAt >= closeAt;
  const timeoutMs = spec.limit?.timeoutMs ?? null;
  const message =
    isClosed || timeoutMs === null
      ? `the task did not end in time; it waited for a slot of limit ${limit}`
      : `limit ${limit} had no slot for the task within ${formatDuration(timeoutMs)}`;
  const type = isClosed ? "SCHEDULE_TO_CLOSE_TIMEOUT" : "LIMIT_WAIT_EXPIRED";
  const error: TaskError = { type, message, retryable: false };
  return failTask(spec, path, error, at, { timedOut: true, deadLetter: "DEFERRED_TOO_LONG" });
}
