/** Reads a goal from the run that it is. */
import { isJsonObject, type Json } from "../../../base/json/json.ts";
import { GOAL_RESULT, GOAL_VERDICT } from "../../../flows/builtin/goal.ts";
import { GOAL_FLOW } from "../../../flows/builtin/ids.ts";
import type { Phase, RunState } from "../../machine/state.ts";
import type { GoalPriority, GoalRecord, GoalStatus } from "../../ports/gate/goals.ts";

/** Ids of goals: other runs of the flow, such as copies that somebody makes, are runs only. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** What the phases of its run say of a goal, whatever holds the run. */
const STATUS = {
  QUEUED: "pending",
  RUNNING: "processing",
  CANCELING: "processing",
  COMPENSATING: "processing",
  COMPLETED: "completed",
  FAILED: "failed",
  TIMED_OUT: "failed",
  CANCELED: "cancelled",
  TERMINATED: "cancelled",
} as const satisfies Record<Phase, GoalStatus>;

/** Places in the line of the goals that wait; the highest begins first. */
export const GOAL_RANK = { low: 0, medium: 1, high: 2, critical: 3 } as const satisfies Record<GoalPriority, number>;

/** Whether a run is a goal. */
export function isGoal({ runId, flowId, facts }: Pick<RunState, "runId" | "flowId" | "facts">): boolean {
  return flowId === GOAL_FLOW && facts.parent === null && UUID.test(runId);
}

/** The goal that a run is. */
export function goalOf(state: RunState): GoalRecord {
  const { goal, constraints, acceptance_criteria: criteria, priority, ...budget } = state.vars;
  const status = STATUS[state.phase];
  return {
    goalId: state.runId,
    tenantId: state.tenantId,
    goal: typeof goal === "string" ? goal : "",
    status,
    priority: isPriority(priority) ? priority : "medium",
    constraints: listOf(constraints),
    acceptanceCriteria: listOf(criteria),
    maxCostMicros: Number(budget["max_cost_micros"]),
    maxTimeSeconds: Number(budget["max_time_seconds"]),
    maxTokens: Number(budget["max_tokens"]),
    createdAt: state.createdAt,
    updatedAt: changedAt(state, status),
    context: state.facts.context ?? {},
    result: status === "completed" ? resultOf(state) : null,
    error: status === "failed" ? errorOf(state) : null,
  };
}

function changedAt({ createdAt, startAt, endedAt }: RunState, status: GoalStatus): number {
  if (status === "pending") return createdAt;
  return status === "processing" ? (startAt ?? createdAt) : endedAt;
}

/** A goal whose time is up has no error of a task. */
function errorOf({ error, phase }: RunState): GoalRecord["error"] {
  if (error !== null) return { type: error.type, message: error.message, task: error.task ?? "" };
  return { type: phase, message: "there was no result in time", task: "" };
}

/** The confidence is that of the verdict, or of who sent the result where nothing is judged. */
function resultOf(state: RunState): GoalRecord["result"] {
  const sayer = state.tasks.has(GOAL_VERDICT) ? GOAL_VERDICT : GOAL_RESULT;
  const said = state.tasks.get(sayer)?.output ?? null;
  const confidence = isJsonObject(said) ? said["confidence"] : undefined;
  return { output: state.output ?? null, confidence: typeof confidence === "number" ? confidence : null };
}

function isPriority(value: Json | undefined): value is GoalPriority {
  return typeof value === "string" && Object.hasOwn(GOAL_RANK, value);
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}
