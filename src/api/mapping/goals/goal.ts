/** Converts goals to messages of the contract. */
import { create } from "@bufbuild/protobuf";
import type {
  GoalPlan as GoalPlanView,
  GoalPriority as GoalPriorityName,
  GoalRecord,
  GoalStatus as GoalStatusName,
  GoalView,
} from "../../../engine/ports/gate/goals.ts";
import {
  type Goal,
  type GoalPlan,
  GoalPlanSchema,
  GoalPriority,
  GoalSchema,
  GoalStatus,
} from "../../../gen/orchestrator/v1/goal_pb.ts";
import { toDraftEstimate } from "../generations/generation.ts";
import { createPayloadRoom, encodeJson, type PayloadLimits, toObjectPayload } from "../payload.ts";
import type { ReadMask } from "../read-mask.ts";
import { toDuration, toTimestamp } from "../time.ts";

const STATUS = {
  pending: GoalStatus.PENDING,
  processing: GoalStatus.PROCESSING,
  completed: GoalStatus.COMPLETED,
  failed: GoalStatus.FAILED,
  cancelled: GoalStatus.CANCELLED,
} as const satisfies Record<GoalStatusName, GoalStatus>;

const PRIORITY = {
  low: GoalPriority.LOW,
  medium: GoalPriority.MEDIUM,
  high: GoalPriority.HIGH,
  critical: GoalPriority.CRITICAL,
} as const satisfies Record<GoalPriorityName, GoalPriority>;

/** The status that a request names; null: none. */
export function fromGoalStatus(status: GoalStatus): GoalStatusName | null {
  return (Object.keys(STATUS) as GoalStatusName[]).find((name) => STATUS[name] === status) ?? null;
}

/** The priority that a request names, or the default. */
export function fromGoalPriority(priority: GoalPriority): GoalPriorityName {
  return (Object.keys(PRIORITY) as GoalPriorityName[]).find((name) => PRIORITY[name] === priority) ?? "medium";
}

/** Converts a line of a list. */
export function toListedGoal(view: GoalView): Goal {
  return create(GoalSchema, {
    goalId: view.goalId,
    tenantId: view.tenantId,
    goal: view.goal,
    status: STATUS[view.status],
    priority: PRIORITY[view.priority],
    constraints: view.constraints.map(String),
    acceptanceCriteria: view.acceptanceCriteria.map(String),
    budget: {
      maxCostMicros: BigInt(view.maxCostMicros),
      maxTime: toDuration(view.maxTimeSeconds * 1_000),
      maxTokens: BigInt(view.maxTokens),
    },
    createTime: toTimestamp(view.createdAt),
    updateTime: toTimestamp(view.updatedAt),
  });
}

/** What is told of a goal besides what its run says. */
export interface GoalFacts {
  /** Why it does not begin; empty: it has begun. */
  readonly pendingReason: string;
  /** Null: it has none. */
  readonly plan: GoalPlanView | null;
}

/** Converts a goal with its context, which always fits into a message. */
export function toGoal(record: GoalRecord, facts: GoalFacts, mask: ReadMask, limits: PayloadLimits): Goal {
  const goal = toListedGoal(record);
  goal.pendingReason = facts.pendingReason;
  if (facts.plan !== null) goal.plan = toPlan(facts.plan);
  if (record.error !== null) {
    const { type, message, task: taskId } = record.error;
    goal.error = { $typeName: "orchestrator.v1.RunError", type, message, taskId };
  }
  const form = mask.formOf("context");
  if (form !== "none") {
    const context = toObjectPayload(record.context, form, "", createPayloadRoom(limits));
    goal.contextValue =
      context.case === "message"
        ? { case: "context", value: context.value as never }
        : { case: "contextJson", value: encodeJson(record.context) };
  }
  mask.prune(goal);
  return goal;
}

function toPlan(plan: GoalPlanView): GoalPlan {
  return create(GoalPlanSchema, {
    workRunId: plan.workRunId,
    text: plan.text,
    planHash: plan.hash,
    ...(plan.estimate === null ? {} : { estimate: toDraftEstimate(plan.estimate) }),
    approvalId: plan.approvalId === null ? "" : String(plan.approvalId),
    runId: plan.runId ?? "",
    waitingReason: plan.waitingReason,
  });
}
