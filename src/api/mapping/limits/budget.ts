/** Budgets and usage as messages of the contract. */
import { create } from "@bufbuild/protobuf";
import { fail } from "../../../base/errors.ts";
import type {
  BudgetView,
  UsageGroup as Group,
  UsageLine as Line,
  BudgetScope as Scope,
} from "../../../engine/ports/models/budgets.ts";
import {
  type Budget,
  BudgetSchema,
  BudgetScope,
  UsageGroup,
  type UsageLine,
  UsageLineSchema,
} from "../../../gen/orchestrator/v1/budget_pb.ts";
import { toDuration, toTimestamp } from "../time.ts";

/** The name of a budget. */
export function toBudgetId({ scope, id }: { readonly scope: Scope; readonly id: string }): string {
  return scope === "tenant" ? scope : `${scope}.${id}`;
}

/** Reads the name of a budget. Error: BUDGET_NOT_FOUND for what names none. */
export function fromBudgetId(budgetId: string): { readonly scope: Scope; readonly id: string } {
  const [, scope, id = ""] = /^(run|flow)\.(.+)$/.exec(budgetId) ?? [];
  if (scope !== undefined) return { scope: scope as Scope, id };
  if (budgetId === "tenant") return { scope: "tenant", id: "" };
  return fail("BUDGET_NOT_FOUND", { budgetId });
}

export function toBudget(view: BudgetView): Budget {
  const { tenantId, maxCostMicros, maxTokens, maxSteps, maxTimeMs, settled, reserved } = view;
  const { waitingRuns, by, why, updatedAt } = view;
  return create(BudgetSchema, {
    ...{ budgetId: toBudgetId(view), tenantId, waitingRunCount: waitingRuns, actor: by, reason: why },
    ...(maxCostMicros === null ? {} : { maxCostMicros: BigInt(maxCostMicros) }),
    ...(maxTokens === null ? {} : { maxTokens: BigInt(maxTokens) }),
    settledCostMicros: BigInt(settled.costMicros),
    settledTokens: BigInt(settled.tokens),
    reservedCostMicros: BigInt(reserved.costMicros),
    reservedTokens: BigInt(reserved.tokens),
    ...(maxSteps === null ? {} : { maxStepCount: BigInt(maxSteps) }),
    ...(maxTimeMs === null ? {} : { maxTime: toDuration(maxTimeMs) }),
    settledStepCount: BigInt(settled.steps),
    reservedStepCount: BigInt(reserved.steps),
    ...(view.countsAttempts
      ? { settledTime: toDuration(settled.timeMs), reservedTime: toDuration(reserved.timeMs) }
      : {}),
    updateTime: toTimestamp(updatedAt),
  });
}

/** Scopes; null: all. */
export const BUDGET_SCOPES: Readonly<Record<BudgetScope, Scope | null>> = {
  [BudgetScope.UNSPECIFIED]: null,
  [BudgetScope.RUN]: "run",
  [BudgetScope.FLOW]: "flow",
  [BudgetScope.TENANT]: "tenant",
};

/** Groups of usage; the contract refuses the first. */
const USAGE_GROUPS: Readonly<Record<UsageGroup, Group | null>> = {
  [UsageGroup.UNSPECIFIED]: null,
  [UsageGroup.FLOW]: "flow",
  [UsageGroup.MODEL]: "model",
  [UsageGroup.USER]: "user",
  [UsageGroup.DAY]: "day",
  [UsageGroup.RUN]: "run",
};

export function fromUsageGroups(groups: readonly UsageGroup[]): readonly Group[] {
  return [...new Set(groups)].flatMap((group) => USAGE_GROUPS[group] ?? []);
}

export function toUsageLine({ group, ...line }: Line): UsageLine {
  return create(UsageLineSchema, {
    flowId: group.flow ?? "",
    model: group.model ?? "",
    userId: group.user ?? "",
    day: group.day ?? "",
    runId: group.run ?? "",
    callCount: line.calls,
    inputTokens: BigInt(line.inputTokens),
    outputTokens: BigInt(line.outputTokens),
    costMicros: BigInt(line.costMicros),
    estimatedCallCount: line.estimatedCalls,
    unpricedCallCount: line.unpricedCalls,
  });
}
