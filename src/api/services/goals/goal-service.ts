/** GoalService: what is to be done, in words. A goal is a run of a built-in flow. */
import { create } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { fail, isOrchestratorError } from "../../../base/errors.ts";
import { MAX_CONTEXT_BYTES } from "../../../base/json/json-limits.ts";
import { formatDuration } from "../../../base/time/duration.ts";
import { formatRfc3339 } from "../../../base/time/rfc3339.ts";
import { checkCriteria, isExpression } from "../../../engine/judge/criteria.ts";
import { isTerminalPhase, type RunState } from "../../../engine/machine/state.ts";
import type { RunKeys } from "../../../engine/ports/bus/run-keys.ts";
import type { Caller } from "../../../engine/ports/caller.ts";
import type { LimitPlaces } from "../../../engine/ports/dispatch/limits.ts";
import type { GoalCheck } from "../../../engine/ports/gate/goal-check.ts";
import type { GoalTables } from "../../../engine/ports/gate/goal-tables.ts";
import type { GoalBudget, GoalPlan, Goals } from "../../../engine/ports/gate/goals.ts";
import type { RunControl, StartRequest } from "../../../engine/ports/run-control.ts";
import type { RunReader } from "../../../engine/ports/run-reader.ts";
import { GOAL_RANK, goalOf, isGoal } from "../../../engine/runs/goals/goal.ts";
import { listPartRuns, planOf, workRunIdOf } from "../../../engine/runs/goals/plan.ts";
import { GOAL_LIMIT, type GoalFlows, type GoalPlanning } from "../../../flows/builtin/goal.ts";
import type { BudgetSpec } from "../../../flows/plan.ts";
import type { BuiltInFlows } from "../../../flows/ports/built-in.ts";
import type { FlowRegistry } from "../../../flows/ports/registry.ts";
import { type Goal, type GoalBudget as GoalBudgetMessage, GoalSchema } from "../../../gen/orchestrator/v1/goal_pb.ts";
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
import { originOf } from "../../calls/hops.ts";
import { hashBody } from "../../calls/request-key.ts";
import { defineService } from "../../calls/services.ts";
import { cutPage, pageSizeOf } from "../../lists/paging.ts";
import { type Place, toPlace } from "../../lists/tokens.ts";
import { fromGoalPriority, fromGoalStatus, toGoal, toListedGoal } from "../../mapping/goals/goal.ts";
import { fromObjectPayload } from "../../mapping/payload.ts";
import { parseReadMask, type ReadMask } from "../../mapping/read-mask.ts";
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
  readonly flows: Pick<FlowRegistry, "isLimitDeclared">;
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
    const origin = originOf(call);
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
    const planning = await planningFor(needs, tenantId);
    const { judged, unjudged } = planning?.forms ?? goalFlows.elsewhere;
    const document = isJudged(goalFlows, acceptanceCriteria) ? judged : unjudged;
    for (const part of planning?.parts ?? []) await builtIns.use(tenantId, part);
    const spends = planning !== null || document === judged;
    const maxConcurrent = planning?.maxConcurrent ?? null;
    const order: StartRequest = {
      ...(await builtIns.use(tenantId, document)),
      ...(spends ? { budget: spendableOf(budget) } : {}),
      ...origin,
      ...{ input, runId: goalId, drawsUuid: true, builtIn: true, requestId, userId, context },
      requestHash: requestId === "" ? "" : hashBody({ SubmitGoal: input, context }),
      limit: { name: GOAL_LIMIT, key: "", priority: GOAL_RANK[priority], maxConcurrent, rate: null },
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

  const show = async (state: RunState, caller: Caller, mask: ReadMask): Promise<Goal> => {
    const pendingReason = mask.wants("pending_reason") ? await whyPending(needs, caller, state) : "";
    const plan = mask.wants("plan") ? await findPlan(needs.runReader, caller, state) : null;
    return toGoal(goalOf(state), { pendingReason, plan }, mask, limits);
  };

  return {
    async submitGoal(request, call) {
      const mask = parseReadMask(GoalSchema, request.readMask);
      const state = await start(request, call);
      // Its caller may refer to its row at once.
      await needs.goalTables.show();
      return create(SubmitGoalResponseSchema, { goal: await show(state, call.caller, mask) });
    },

    async getGoal(request, call) {
      const mask = parseReadMask(GoalSchema, request.readMask);
      const state = await read(request.goalId, call.caller);
      return create(GetGoalResponseSchema, { goal: await show(state, call.caller, mask) });
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
function isJudged({ model }: GoalFlows, criteria: readonly string[]): boolean {
  return criteria.some((criterion) => model !== null || isExpression(criterion));
}

/**
 * How a goal is planned here; null: its result comes from elsewhere. Who has declared the limit did that before the
 * service could plan, and goes on unless the setting says otherwise.
 */
async function planningFor({ goalFlows: { planning }, flows }: Needs, tenantId: string): Promise<GoalPlanning | null> {
  if (planning === null || !planning.isDefault) return planning;
  return (await flows.isLimitDeclared(tenantId, GOAL_LIMIT)) ? null : planning;
}

/** What models may spend for a goal, also when they undo what its plan has done. Those without a price spend tokens. */
function spendableOf({ maxCostMicros, maxTokens }: GoalBudget): BudgetSpec {
  return { maxTokens, maxCostMicros, unpriced: "tokens_only", compensation: true };
}

/** The plan of a goal, from the run that does it; null: there is none, or somebody has deleted it. */
async function findPlan(reader: RunReader, caller: Caller, state: RunState): Promise<GoalPlan | null> {
  const find = async (runId: string): Promise<RunState | null> => {
    try {
      return (await reader.getRun(caller, runId)).state;
    } catch (error) {
      if (!isOrchestratorError(error) || error.grpc !== "NOT_FOUND") throw error;
      return null;
    }
  };
  const workRunId = workRunIdOf(state);
  const work = workRunId === null ? null : await find(workRunId);
  if (work === null) return null;
  const parts = await Promise.all(listPartRuns(work).map(find));
  return planOf(
    work,
    parts.filter((part) => part !== null),
  );
}

/** Why a goal does not begin, or does not go on; empty if it does. */
async function whyPending(needs: Needs, { tenantId }: Caller, state: RunState): Promise<string> {
  const [hold] = isTerminalPhase(state.phase) ? [] : state.holds;
  if (hold !== undefined) return `it is held (${hold.kind})${hold.why === "" ? "" : `: ${hold.why}`}`;
  if (state.phase !== "QUEUED") return "";
  const place = await needs.limitPlaces.findPlace(tenantId, state.runId, "");
  if (place === null) return "it is about to wait for its turn";
  const { isDeclared, pause, maxConcurrent, rate, holders } = place;
  if (!isDeclared && maxConcurrent === null) return nobodyPlans(needs.goalFlows);
  if (pause !== null) return `the limit ${GOAL_LIMIT} is paused until ${formatRfc3339(pause.until)}`;
  const bounds = [
    ...(maxConcurrent === null ? [] : [`${holders} of ${maxConcurrent} goals are under way`]),
    ...(rate === null ? [] : [`${rate.count} may begin per ${formatDuration(rate.perMs)}`]),
  ];
  return `it waits for its turn at the limit ${GOAL_LIMIT}: ${bounds.join(", ")}`;
}

/** Why a goal waits that this service does not plan. */
function nobodyPlans({ planning }: GoalFlows): string {
  const declared = `it begins when somebody declares the limit ${GOAL_LIMIT}`;
  if (planning !== null) return `it was submitted when this service planned no goals: ${declared}`;
  return `this service plans no goals (goals.plans is elsewhere, or it has nobody who writes plans: generation.model, or redis.url for an agent): ${declared}`;
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
