/** What becomes of goals, in metrics and in the log. Text of goals appears in neither. */
import type { Log } from "../base/log.ts";
import type { JournalRecord } from "../engine/machine/records.ts";
import type { Run } from "../engine/machine/run.ts";
import type { GoalRecord, GoalStatus } from "../engine/ports/gate/goals.ts";
import type { RunObserver } from "../engine/runs/observer.ts";
import type { Metrics } from "./metrics/metrics.ts";

/** The goal that a run is; null: it is none. */
export type GoalOf = (run: Run) => Pick<GoalRecord, "goalId" | "priority"> | null;

/** The status that a goal enters by a record of its run. */
const ENTERED = {
  "run.started": "pending",
  "run.opened": "processing",
  "run.completed": "completed",
  "run.failed": "failed",
  "run.timed_out": "failed",
  "run.canceled": "cancelled",
  "run.terminated": "cancelled",
} as const satisfies Partial<Record<JournalRecord["type"], GoalStatus>>;

const MESSAGES: Readonly<Record<GoalStatus, string>> = {
  pending: "Task submitted successfully",
  processing: "Task processing",
  completed: "Task completed",
  failed: "Task failed",
  cancelled: "Task cancelled",
};

/** Counts goals that enter a status. */
export function createGoalMetrics(metrics: Metrics, goalOf: GoalOf): RunObserver {
  return observe(goalOf, (status) => metrics.counter("octollm_orchestrator_tasks_total", status).add());
}

/** Tells in a line each that goals enter a status. */
export function createGoalLog(log: Log, goalOf: GoalOf): RunObserver {
  return observe(goalOf, (status, { goalId, priority }) => {
    log[status === "failed" ? "warn" : "info"](MESSAGES[status], { taskId: goalId, priority });
  });
}

function observe(
  goalOf: GoalOf,
  entered: (status: GoalStatus, goal: NonNullable<ReturnType<GoalOf>>) => void,
): RunObserver {
  return {
    committed(run, records) {
      const goal = goalOf(run);
      if (goal === null) return;
      for (const { type } of records) if (isEntry(type)) entered(ENTERED[type], goal);
    },
  };
}

function isEntry(type: JournalRecord["type"]): type is keyof typeof ENTERED {
  return Object.hasOwn(ENTERED, type);
}
