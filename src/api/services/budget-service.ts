/** BudgetService: budgets, and what calls to models have cost. */
import { create } from "@bufbuild/protobuf";
import { fail } from "../../base/errors.ts";
import { refuseField } from "../../base/field-error.ts";
import type { BudgetControl, BudgetLimits, BudgetScope, BudgetView } from "../../engine/ports/models/budgets.ts";
import {
  BudgetService,
  GetBudgetResponseSchema,
  ListBudgetsResponseSchema,
  ListUsageResponseSchema,
  PutBudgetResponseSchema,
  type RaiseBudgetRequest,
  RaiseBudgetResponseSchema,
} from "../../gen/orchestrator/v1/budget_service_pb.ts";
import type { CallContext, ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";
import { cutPage, pageSizeOf } from "../lists/paging.ts";
import type { Tokens } from "../lists/tokens.ts";
import { BUDGET_SCOPES, fromBudgetId, fromUsageGroups, toBudget, toUsageLine } from "../mapping/limits/budget.ts";
import { fromDuration, fromTimestamp } from "../mapping/time.ts";

/** Usage is of so long by default, milliseconds. */
const USAGE_MS = 30 * 86_400_000;

interface Needs {
  readonly budgets: BudgetControl;
  readonly tokens: Tokens;
}

function createHandlers({ budgets, tokens }: Needs): ServiceHandlers<typeof BudgetService> {
  const view = async ({ caller }: CallContext, budgetId: string): Promise<BudgetView> =>
    (await budgets.getBudget(caller, fromBudgetId(budgetId))) ?? fail("BUDGET_NOT_FOUND", { budgetId });
  return {
    async getBudget({ budgetId }, call) {
      return create(GetBudgetResponseSchema, { budget: toBudget(await view(call, budgetId)) });
    },

    async listBudgets({ scope, pageSize, pageToken }, { caller }) {
      const query = ["ListBudgets", String(scope)];
      const place = tokens.fromPageToken(caller.tenantId, query, pageToken);
      const size = pageSizeOf(pageSize);
      const after = place === null ? null : { scope: String(place[0]) as BudgetScope, id: String(place[1]) };
      const found = await budgets.listBudgets(caller, BUDGET_SCOPES[scope] ?? null, after, size + 1);
      const { lines, next } = cutPage(found, size, (one): [string, string] => [one.scope, one.id]);
      return create(ListBudgetsResponseSchema, {
        budgets: lines.map(toBudget),
        nextPageToken: next === null ? "" : tokens.toPageToken(caller.tenantId, query, next),
      });
    },

    async putBudget({ budgetId, reason, ...given }, call) {
      const key = fromBudgetId(budgetId);
      const limits = toLimits(given);
      if (limits.maxSteps !== null || limits.maxTimeMs !== null)
        checkCounts(limits, key.scope === "run" ? await view(call, budgetId) : null);
      const budget = await budgets.setLimits(call.caller, key, limits, reason, key.scope !== "run");
      return create(PutBudgetResponseSchema, { budget: toBudget(budget) });
    },

    async raiseBudget({ budgetId, reason, ...given }, call) {
      const key = fromBudgetId(budgetId);
      const before = await view(call, budgetId);
      const wanted = toLimits(given);
      checkCounts(wanted, key.scope === "run" ? before : null);
      const limits: BudgetLimits = {
        maxCostMicros: raised(budgetId, "max_cost_micros", before.maxCostMicros, wanted.maxCostMicros),
        maxTokens: raised(budgetId, "max_tokens", before.maxTokens, wanted.maxTokens),
        maxSteps: raised(budgetId, "max_step_count", before.maxSteps, wanted.maxSteps),
        maxTimeMs: raised(budgetId, "max_time", before.maxTimeMs, wanted.maxTimeMs),
      };
      const budget = await budgets.setLimits(call.caller, key, limits, reason, false);
      return create(RaiseBudgetResponseSchema, { budget: toBudget(budget) });
    },

    async listUsage({ groupBy, fromTime, toTime, flowId, pageSize, pageToken }, { caller }) {
      const by = fromUsageGroups(groupBy);
      const query = [
        "ListUsage",
        ...by,
        flowId,
        ...[fromTime, toTime].map((time) => String(time && fromTimestamp(time))),
      ];
      const place = tokens.fromPageToken(caller.tenantId, query, pageToken);
      // All pages are of the time that the first one has begun with.
      const [skip = 0, now = Date.now() + 1] = (place ?? []).map(Number);
      const to = toTime === undefined ? now : fromTimestamp(toTime);
      const from = fromTime === undefined ? to - USAGE_MS : fromTimestamp(fromTime);
      const size = pageSizeOf(pageSize);
      const found = await budgets.listUsage(caller, { from, to, by, flowId, skip, limit: size + 1 });
      const { lines, next } = cutPage(found, size, () => [skip + size, now]);
      return create(ListUsageResponseSchema, {
        lines: lines.map(toUsageLine),
        nextPageToken: next === null ? "" : tokens.toPageToken(caller.tenantId, query, next),
      });
    },
  };
}

/** The largest limit that is told apart from larger ones. */
const MAX_LIMIT = BigInt(Number.MAX_SAFE_INTEGER);

type GivenLimits = Pick<RaiseBudgetRequest, "maxCostMicros" | "maxTokens" | "maxStepCount" | "maxTime">;

function toLimits({ maxCostMicros, maxTokens, maxStepCount, maxTime }: GivenLimits): BudgetLimits {
  return {
    maxCostMicros: toNumber(maxCostMicros),
    maxTokens: toNumber(maxTokens),
    maxSteps: toNumber(maxStepCount),
    maxTimeMs: maxTime === undefined ? null : fromDuration(maxTime),
  };
}

/** Steps and time are limited only where they are counted. Null: the budget is not that of a run. */
function checkCounts({ maxSteps, maxTimeMs }: BudgetLimits, budget: BudgetView | null): void {
  if ((maxSteps === null && maxTimeMs === null) || budget?.countsAttempts === true) return;
  const why =
    budget === null
      ? "only the budget of a run limits steps and time; limit the cost or the tokens of a flow or the tenant instead"
      : "the flow of the run limits neither steps nor time, so its attempts are not counted; write budget.max_steps or budget.max_time in the flow";
  refuseField(maxSteps === null ? "max_time" : "max_step_count", why);
}

function toNumber(limit: bigint | undefined): number | null {
  return limit === undefined ? null : Number(limit > MAX_LIMIT ? MAX_LIMIT : limit);
}

/** A limit that is not given stays as it is. */
function raised(budgetId: string, field: string, before: number | null, after: number | null): number | null {
  if (after === null || before === null) return before;
  if (after < before) fail("BUDGET_NOT_RAISED", { budgetId, field, limit: before });
  return after;
}

/** BudgetService with its handlers. */
export const budgetService = defineService(BudgetService, createHandlers);
