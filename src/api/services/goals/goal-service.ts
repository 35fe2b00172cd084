/** GoalService: what is to be done, in words. A goal is a run of a built-in flow. */
import { create } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { fail, isOrchestratorError } from "../../../base/errors.ts";
import { MAX_CONTEXT_BYTES } from "../../../base/json/json-limits.ts";
import { formatDuration } from "../../../base/time/duration.ts";
import { checkCriteria, isExpression } from "../../../engine/judge/criteria.ts";
import type { RunState } from "../../../engine/machine/state.ts";
import type { RunKeys } from "../../../engine/ports/bus/run-keys.ts";
import type { Caller } from "../../../engine/ports/caller.ts";
import type { LimitPlaces } from "../../../engine/ports/dispatch/limits.ts";
import type { GoalCheck } from "../../../engine/ports/gate/goal-check.ts";
import type { GoalTables } from "../../../engine/ports/gate/goal-tables.ts";
import type { GoalBudget, Goals } from "../../../engine/ports/gate/goals.ts";
import type { RunControl, StartRequest } from "../../../engine/ports/run-control.ts";
import { GOAL_RANK, goalOf, isGoal } from "../../../engine/runs/goals/goal.ts";
import { GOAL_LIMIT, type GoalFlows } from "../../../flows/builtin/goal.ts";
import type { BudgetSpec } from "../../../flows/plan.ts";
import type { BuiltInDocument, BuiltInFlows } from "../../../flows/ports/built-in.ts";
import { type GoalBudget as GoalBudgetMessage, GoalSchema } from "../../../gen/orchestrator/v1/goal_pb.ts";
import {
  GetGoalResponseSchema,
  GoalService,
  ListGoalsResponseSchema,
  type SubmitGoalRequest,
  SubmitGoalResponseSchema,
  WatchGoalResponseSchema,
} from "../../../gen/orchestrator/v1/goal_service_pb.ts";
import { WatchRunRequestSchema } from "../../../gen/orchestrator/v1/run_service_pb.ts";
import type { CallContext, ServiceHandlers } from "../../calls/call.ts";
import { hashBody } from "../../calls/request-key.ts";
import { defineService } from "../../calls/services.ts";
import { cutPage, pageSizeOf } from "../../lists/paging.ts";
import { type Place, toPlace } from "../../lists/tokens.ts";
import { fromGoalPriority, fromGoalStatus, toGoal, toListedGoal } from "../../mapping/goals/goal.ts";
import { fromObjectPayload } from "../../mapping/payload.ts";
import { parseReadMask } from "../../mapping/read-mask.ts";
import { fromDuration, toTimestamp } from "../../mapping/time.ts";
import { createRunWatch, type WatchNeeds } from "../runs/run-watch.ts";

interface Needs extends Omit<WatchNeeds, "planIndexOf"> {
  readonly runControl: RunControl;
  readonly runKeys: Pick<RunKeys, "findRun">;
  readonly builtIns: BuiltInFlows;
  readonly goals: Goals;
  readonly goalTables: GoalTables;
  readonly limitPlaces: LimitPlaces;
  readonly goalCheck: GoalCheck;
  readonly goalFlows: GoalFlows;
}

/** What a goal may cost that does not say. */
const DEFAULT_BUDGET: GoalBudget = { maxCostMicros: 1_000_000, maxTimeSeconds: 600, maxTokens: 10_000 };

/** Longest user that a context may name, characters. */
const MAX_USER = 256;

function createHandlers(needs: Needs): ServiceHandlers<typeof GoalService> {
  const { runControl, runReader, builtIns, goals, goalCheck, goalFlows, tokens, limits } = needs;
  // Frames of goals show nothing of the plan.
  const { watchRun } = createRunWatch({ ...needs, planIndexOf: async () => null });

  const start = async (request: SubmitGoalRequest, call: CallContext): Promise<RunState> => {
    const { goal, constraints, acceptanceCriteria, requestId, goalId } = request;
    checkCriteria(acceptanceCriteria);
    const payloads = { ...limits, maxPayloadBytes: Math.min(limits.maxPayloadBytes, MAX_CONTEXT_BYTES) };
    const context = fromObjectPayload(request.contextValue, "context", payloads);
    const userId = userOf(context);
    const { tenantId } = call.caller;
    const conditions = [...constraints, ...acceptanceCriteria];
    // A goal that is stored has been checked, by the policy of then.
    const isStored = requestId !== "" && (await needs.runKeys.findRun(tenantId, requestId)) !== null;
    if (!isStored) {
      const verdict = await goalCheck.check({ tenantId, text: goal, conditions, userId, context }, call.signal);
      if (verdict.verdict === "deny") fail("GOAL_REFUSED", { rule: verdict.rule, reason: verdict.reason });
    }
    const priority = fromGoalPriority(request.priority);
    const budget = budgetOf(request.budget);
    const { maxCostMicros, maxTimeSeconds, maxTokens } = budget;
    const input = {
      ...{ goal, constraints, acceptance_criteria: acceptanceCriteria, priority },
      ...{ max_cost_micros: maxCostMicros, max_time_seconds: maxTimeSeconds, max_tokens: maxTokens },
    };
    const document = flowOf(goalFlows, acceptanceCriteria);
    const order: StartRequest = {
      ...(await builtIns.use(tenantId, document)),
      ...(document === goalFlows.judged ? { budget: spendableOf(goalFlows, budget) } : {}),
      ...{ input, runId: goalId, drawsUuid: true, builtIn: true, requestId, userId, context },
      requestHash: requestId === "" ? "" : hashBody({ SubmitGoal: input, context }),
      limit: { name: GOAL_LIMIT, key: "", priority: GOAL_RANK[priority], maxConcurrent: null, rate: null },
      ...{ fromMessage: false, refusal: null, runKey: "", runKeyPolicy: "reject", labels: {} },
      ...{ correlationId: "", runTimeoutMs: null, startDelayMs: 0, signals: [] },
    };
    try {
      return (await runControl.startRun(call.caller, order, 0)).run.state;
    } catch (error) {
      // Somebody has deleted the version. The next call registers it again.
      if (isOrchestratorError(error) && error.code === "FLOW_NOT_FOUND") builtIns.forget(tenantId, document);
      throw error;
    }
  };

  const read = async (goalId: string, caller: Caller): Promise<RunState> => {
    try {
      const { state } = await runReader.getRun(caller, goalId);
      if (isGoal(state)) return state;
    } catch (error) {
      if (!isOrchestratorError(error) || error.grpc !== "NOT_FOUND") throw error;
    }
    return fail("GOAL_NOT_FOUND", { goalId });
  };

  return {
    async submitGoal(request, call) {
      const mask = parseReadMask(GoalSchema, request.readMask);
      const state = await start(request, call);
      // Its caller may refer to its row at once.
      await needs.goalTables.show();
      const reason = mask.wants("pending_reason") ? await whyPending(needs.limitPlaces, call.caller, state) : "";
      return create(SubmitGoalResponseSchema, { goal: toGoal(goalOf(state), reason, mask, limits) });
    },

    async getGoal(request, call) {
      const mask = parseReadMask(GoalSchema, request.readMask);
      const state = await read(request.goalId, call.caller);
      const reason = mask.wants("pending_reason") ? await whyPending(needs.limitPlaces, call.caller, state) : "";
      return create(GetGoalResponseSchema, { goal: toGoal(goalOf(state), reason, mask, limits) });
    },

    async listGoals(request, { caller }) {
      const status = fromGoalStatus(request.status);
      const query = ["ListGoals", status ?? ""];
      const size = pageSizeOf(request.pageSize);
      const place = tokens.fromPageToken(caller.tenantId, query, request.pageToken);
      const after = place === null ? null : { createdAt: Number(place[0]), goalId: String(place[1]) };
      const views = await goals.list(caller, status, after, size + 1);
      const { lines, next } = cutPage(views, size, ({ createdAt, goalId }): Place => [toPlace(createdAt), goalId]);
      return create(ListGoalsResponseSchema, {
        goals: lines.map(toListedGoal),
        nextPageToken: next === null ? "" : tokens.toPageToken(caller.tenantId, query, next),
      });
    },

    async *watchGoal({ goalId }, call) {
      await read(goalId, call.caller);
      let shown = "";
      // The watch of the run knows where the run is, and when it moves.
      for await (const { frame } of watchRun(create(WatchRunRequestSchema, { runId: goalId }), call)) {
        if (frame.case === "heartbeat") {
          const { serverTime = toTimestamp(Date.now()) } = frame.value;
          const value = { serverTime };
          yield create(WatchGoalResponseSchema, { frame: { case: "heartbeat", value } });
        }
        if (frame.case !== "snapshot" && frame.case !== "event" && frame.case !== "end") continue;
        const record = goalOf(await read(goalId, call.caller));
        if (record.status === shown) continue;
        shown = record.status;
        yield create(WatchGoalResponseSchema, { frame: { case: "goal", value: toListedGoal(record) } });
      }
    },
  };
}

/** What is not judged costs no further tasks. */
function flowOf({ judged, unjudged, model }: GoalFlows, criteria: readonly string[]): BuiltInDocument {
  return criteria.some((criterion) => model !== null || isExpression(criterion)) ? judged : unjudged;
}

/** What the judge may spend. The cost of a model without a price cannot be limited. */
function spendableOf({ model }: GoalFlows, { maxCostMicros, maxTokens }: GoalBudget): BudgetSpec {
  return { maxTokens, ...(model?.isPriced === true ? { maxCostMicros } : {}) };
}

/** Why a goal does not begin; empty if it has begun. */
async function whyPending(places: LimitPlaces, { tenantId }: Caller, state: RunState): Promise<string> {
  if (state.phase !== "QUEUED") return "";
  const [hold] = state.holds;
  if (hold !== undefined) return `it is held (${hold.kind})${hold.why === "" ? "" : `: ${hold.why}`}`;
  const place = await places.findPlace(tenantId, state.runId, "");
  if (place === null) return "it is about to wait for its turn";
  const { isDeclared, pause, maxConcurrent, rate, holders } = place;
  if (!isDeclared) return `this service plans no goals: it begins when somebody declares the limit ${GOAL_LIMIT}`;
  if (pause !== null) return `the limit ${GOAL_LIMIT} is paused until ${new Date(pause.until).toISOString()}`;
  const bounds = [
    ...(maxConcurrent === null ? [] : [`${holders} of ${maxConcurrent} goals are under way`]),
    ...(rate === null ? [] : [`${rate.count} may begin per ${formatDuration(rate.perMs)}`]),
  ];
  return `it waits for its turn at the limit ${GOAL_LIMIT}: ${bounds.join(", ")}`;
}

function budgetOf(budget: GoalBudgetMessage | undefined): GoalBudget {
  const { maxCostMicros, maxTime, maxTokens } = budget ?? {};
  return {
    maxCostMicros: maxCostMicros === undefined ? DEFAULT_BUDGET.maxCostMicros : Number(maxCostMicros),
    maxTimeSeconds: maxTime === undefined ? DEFAULT_BUDGET.maxTimeSeconds : toSeconds(maxTime),
    maxTokens: maxTokens === undefined ? DEFAULT_BUDGET.maxTokens : Number(maxTokens),
  };
}

function toSeconds(time: Duration): number {
  return Math.max(1, Math.ceil(fromDuration(time) / 1_000));
}

/** The user of the run, if the context names one that the run can have. */
function userOf({ user_id: user }: Readonly<Record<string, unknown>>): string {
  return typeof user === "string" && [...user].length <= MAX_USER && !/[\0\u0001]/.test(user) ? user : "";
}

export const goalService = defineService(GoalService, createHandlers);
