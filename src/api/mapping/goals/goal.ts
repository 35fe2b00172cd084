/** Converts goals to messages of the contract. */
import { create } from "@bufbuild/protobuf";
import type {
  GoalPriority as GoalPriorityName,
  GoalRecord,
  GoalStatus as GoalStatusName,
  GoalView,
} from "../../../engine/ports/gate/goals.ts";
import { type Goal, GoalPriority, GoalSchema, GoalStatus } from "../../../gen/orchestrator/v1/goal_pb.ts";
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

/** Converts a goal with its context, which always fits into a message. */
export function toGoal(record: GoalRecord, pendingReason: string, mask: ReadMask, limits: PayloadLimits): Goal {
  const goal = toListedGoal(record);
  goal.pendingReason = pendingReason;
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
