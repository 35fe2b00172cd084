/** The words in which executions and their tasks are described, and the states that they stand for. */
import { type RunPhase, RunState, type TaskCounts, TaskState } from "../../../gen/orchestrator/v1/run_pb.ts";

/** What an execution is doing. Only the last three are final. */
export const EXECUTION_STATUSES = [
  "pending",
  "running",
  "paused",
  "cancelling",
  "completed",
  "failed",
  "cancelled",
] as const;
export type ExecutionStatus = (typeof EXECUTION_STATUSES)[number];

/** How far a generation is. */
export const GENERATION_STATUSES = ["generating", "draft", "approved", "rejected", "failed"] as const;

/** What a task of an execution is doing. */
export const TASK_STATUSES = [
  "pending",
  "running",
  "completed",
  "failed",
  "skipped",
  "cancelled",
  "compensated",
] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

const OF_RUN = {
  UNSPECIFIED: "pending",
  QUEUED: "pending",
  RUNNING: "running",
  WAITING: "running",
  PAUSED: "paused",
  SUSPENDED: "paused",
  QUARANTINED: "paused",
  CANCELING: "cancelling",
  COMPENSATING: "running",
  COMPLETED: "completed",
  FAILED: "failed",
  CANCELED: "cancelled",
  TERMINATED: "cancelled",
  // The error says that it was the time: RUN_TIMEOUT.
  TIMED_OUT: "failed",
} as const satisfies Record<keyof typeof RunState, ExecutionStatus>;

const OF_TASK = {
  UNSPECIFIED: "pending",
  PENDING: "pending",
  SCHEDULED: "pending",
  RUNNING: "running",
  RETRYING: "running",
  WAITING: "running",
  COMPLETED: "completed",
  FAILED: "failed",
  SKIPPED: "skipped",
  CANCELED: "cancelled",
  TIMED_OUT: "failed",
  COMPENSATED: "compensated",
} as const satisfies Record<keyof typeof TaskState, TaskStatus>;

const RUN_STATES = Object.keys(OF_RUN) as (keyof typeof OF_RUN)[];
const RUN_WORDS: ReadonlyMap<number, ExecutionStatus> = new Map(
  RUN_STATES.map((name) => [RunState[name], OF_RUN[name]]),
);
const TASK_WORDS: ReadonlyMap<number, TaskStatus> = new Map(
  (Object.keys(OF_TASK) as (keyof typeof OF_TASK)[]).map((name) => [TaskState[name], OF_TASK[name]]),
);

/** The status of a run. */
export function statusOf(state: RunState): ExecutionStatus {
  return RUN_WORDS.get(state) ?? "pending";
}

/** The status of a task. */
export function taskStatusOf(state: TaskState): TaskStatus {
  return TASK_WORDS.get(state) ?? "pending";
}

/** The states of runs that a status stands for, as filters write them. */
export function statesOf(status: ExecutionStatus): readonly string[] {
  return RUN_STATES.filter((state) => state !== "UNSPECIFIED" && OF_RUN[state] === status);
}

/** The phases of runs that have not ended, as filters write them. */
export const OPEN_PHASES: readonly (keyof typeof RunPhase)[] = ["QUEUED", "RUNNING", "CANCELING", "COMPENSATING"];

/**
 * How much of an execution is done: tasks that have ended, however they ended, over all tasks, children included, from
 * 0 to 1 with four digits. 1 only once the execution has completed, and then always.
 */
export function progressOf(state: RunState, counts: TaskCounts | undefined): number {
  if (state === RunState.COMPLETED) return 1;
  if (counts === undefined || counts.total === 0) return 0;
  const { total, pending, scheduled, running, retrying, waiting } = counts;
  const ended = total - pending - scheduled - running - retrying - waiting;
  return Math.min(0.9999, Math.round((ended / total) * 10_000) / 10_000);
}
