/** GenerationService: templates that a model writes and a person approves. A generation is a run of a built-in flow. */
import { create } from "@bufbuild/protobuf";
import { fail, isOrchestratorError } from "../../../base/errors.ts";
import { isTerminalPhase, type RunState } from "../../../engine/machine/state.ts";
import type { Approvals } from "../../../engine/ports/approvals.ts";
import type { Caller } from "../../../engine/ports/caller.ts";
import type { Generations } from "../../../engine/ports/generation/generations.ts";
import type { BudgetControl } from "../../../engine/ports/models/budgets.ts";
import type { RunControl, StartRequest } from "../../../engine/ports/run-control.ts";
import { approvalOf, generationOf, isGeneration } from "../../../engine/runs/generations/generation.ts";
import type { Served } from "../../../flows/check/unserved.ts";
import { readRequired } from "../../../flows/drafts/allowed.ts";
import type { BuiltInDocument, BuiltInFlows } from "../../../flows/ports/built-in.ts";
import type { Generation } from "../../../gen/orchestrator/v1/generation_pb.ts";
import {
  ApproveGenerationResponseSchema,
  GenerationService,
  GetGenerationResponseSchema,
  ListGenerationsResponseSchema,
  RejectGenerationResponseSchema,
  type StartGenerationRequest,
  StartGenerationResponseSchema,
  WatchGenerationResponseSchema,
} from "../../../gen/orchestrator/v1/generation_service_pb.ts";
import { WatchRunRequestSchema } from "../../../gen/orchestrator/v1/run_service_pb.ts";
import type { CallContext, ServiceHandlers } from "../../calls/call.ts";
import { originOf } from "../../calls/hops.ts";
import { hashBody, toRequestKey } from "../../calls/request-key.ts";
import { defineService } from "../../calls/services.ts";
import { cutPage, pageSizeOf } from "../../lists/paging.ts";
import { type Place, toPlace } from "../../lists/tokens.ts";
import {
  fromComplexity,
  fromGenerationStatus,
  toGeneration,
  toListedGeneration,
  toWatchedGeneration,
} from "../../mapping/generations/generation.ts";
import { toTimestamp } from "../../mapping/time.ts";
import { fromWait } from "../runs/run-start.ts";
import { createRunWatch, type WatchNeeds } from "../runs/run-watch.ts";

interface Needs extends Omit<WatchNeeds, "planIndexOf"> {
  readonly runControl: RunControl;
  readonly approvals: Approvals;
  readonly builtIns: BuiltInFlows;
  readonly budgets: Pick<BudgetControl, "getBudget">;
  readonly generations: Generations;
  /** The flow of generations; null: nobody writes templates here. */
  readonly generationFlow: BuiltInDocument | null;
  /** What flows may use. */
  readonly servedFlows: Served;
}

/** How long a decision waits until the draft is a template, milliseconds. */
const KEEP_MS = 20_000;

function createHandlers(needs: Needs): ServiceHandlers<typeof GenerationService> {
  const { runControl, runReader, builtIns, generations, generationFlow, tokens } = needs;
  // Frames of generations show nothing of the plan.
  const { watchRun } = createRunWatch({ ...needs, planIndexOf: async () => null });

  const start = async (request: StartGenerationRequest, call: CallContext): Promise<RunState> => {
    const origin = originOf(call);
    const { prompt, domain, requiredServices, requestId } = request;
    const { tenantId } = call.caller;
    readRequired(requiredServices, needs.servedFlows);
    if (generationFlow === null)
      return fail("GENERATION_UNAVAILABLE", { problem: "the service has neither a model nor Redis" });
    const complexity = fromComplexity(request.complexity);
    const input = { prompt, domain, complexity, required_services: requiredServices, approve: "person" };
    const order: StartRequest = {
      ...(await builtIns.use(tenantId, generationFlow)),
      ...origin,
      ...{ input, runId: "", builtIn: true, requestId, userId: call.caller.actor, context: null },
      requestHash: requestId === "" ? "" : hashBody({ StartGeneration: input }),
      ...{ fromMessage: false, refusal: null, runKey: "", runKeyPolicy: "reject", labels: {} },
      ...{ correlationId: "", runTimeoutMs: null, startDelayMs: 0, signals: [] },
    };
    try {
      return (await runControl.startRun(call.caller, order, 0)).run.state;
    } catch (error) {
      // Somebody has deleted the version. The next call registers it again.
      if (isOrchestratorError(error) && error.code === "FLOW_NOT_FOUND") builtIns.forget(tenantId, generationFlow);
      throw error;
    }
  };

  const read = async (generationId: string, caller: Caller): Promise<RunState> => {
    try {
      const { state } = await runReader.getRun(caller, generationId);
      if (isGeneration(state)) return state;
    } catch (error) {
      if (!isOrchestratorError(error) || error.grpc !== "NOT_FOUND") throw error;
    }
    return fail("GENERATION_NOT_FOUND", { generationId });
  };

  /** Waits until there is a draft, the run has ended, or the time is up. */
  const settled = async (state: RunState, call: CallContext, waitMs: number): Promise<RunState> => {
    if (waitMs <= 0 || generationOf(state).status !== "generating") return state;
    const { runId } = state;
    const signal = AbortSignal.any([call.signal, AbortSignal.timeout(waitMs)]);
    try {
      for await (const _ of watchRun(create(WatchRunRequestSchema, { runId }), { ...call, signal })) {
        const now = await read(runId, call.caller);
        if (generationOf(now).status !== "generating" || signal.aborted) return now;
      }
    } catch (error) {
      // What went wrong with waiting does not undo the start.
      if (!signal.aborted && !isOrchestratorError(error)) throw error;
    }
    return read(runId, call.caller);
  };

  const show = async (state: RunState, caller: Caller): Promise<Generation> => {
    const budget = await needs.budgets.getBudget(caller, { scope: "run", id: state.runId });
    const { costMicros, tokens: used } = budget?.settled ?? { costMicros: 0, tokens: 0 };
    return toGeneration(generationOf(state), { costMicros, tokens: used, waitingReason: whyWaiting(state) });
  };

  /** Decides about a draft. */
  const decide = async (
    state: RunState,
    { caller, signal }: CallContext,
    decision: Parameters<Approvals["decideApproval"]>[3],
  ): Promise<Generation> => {
    const { runId } = state;
    const approval = approvalOf(state);
    if (approval === null)
      return fail("GENERATION_NOT_DRAFT", { generationId: runId, status: generationOf(state).status });
    const held = whyWaiting(state);
    if (held !== "")
      return fail("GENERATION_NOT_DRAFT", { generationId: runId, status: `${held}; resume its run first` });
    const decided = (await needs.approvals.decideApproval(caller, runId, approval.id, decision)).state;
    const ended = isTerminalPhase(decided.phase)
      ? decided
      : (await runReader.waitRun(caller, runId, KEEP_MS, signal)).state;
    checkKept(ended);
    return show(ended, caller);
  };

  return {
    async startGeneration(request, call) {
      const waitMs = fromWait(request.wait, call.remainingMs());
      const state = await settled(await start(request, call), call, waitMs);
      return create(StartGenerationResponseSchema, { generation: await show(state, call.caller) });
    },

    async getGeneration({ generationId }, { caller }) {
      const state = await read(generationId, caller);
      return create(GetGenerationResponseSchema, { generation: await show(state, caller) });
    },

    async listGenerations(request, { caller }) {
      const status = fromGenerationStatus(request.status);
      const query = ["ListGenerations", status ?? ""];
      const size = pageSizeOf(request.pageSize);
      const place = tokens.fromPageToken(caller.tenantId, query, request.pageToken);
      const after = place === null ? null : { createdAt: Number(place[0]), generationId: String(place[1]) };
      const views = await generations.list(caller, status, after, size + 1);
      const placeOf = ({ createdAt, generationId }: (typeof views)[number]): Place => [
        toPlace(createdAt),
        generationId,
      ];
      const { lines, next } = cutPage(views, size, placeOf);
      return create(ListGenerationsResponseSchema, {
        generations: lines.map(toListedGeneration),
        nextPageToken: next === null ? "" : tokens.toPageToken(caller.tenantId, query, next),
      });
    },

    async *watchGeneration({ generationId }, call) {
      await read(generationId, call.caller);
      let shown = "";
      // The watch of the run knows where the run is, and when it moves.
      for await (const { frame } of watchRun(create(WatchRunRequestSchema, { runId: generationId }), call)) {
        if (frame.case === "heartbeat") {
          const { serverTime = toTimestamp(Date.now()) } = frame.value;
          yield create(WatchGenerationResponseSchema, { frame: { case: "heartbeat", value: { serverTime } } });
        }
        if (frame.case !== "snapshot" && frame.case !== "event" && frame.case !== "end") continue;
        const record = generationOf(await read(generationId, call.caller));
        const moved = `${record.status} ${record.draft?.tries}`;
        if (moved === shown) continue;
        shown = moved;
        const value = toWatchedGeneration(record);
        yield create(WatchGenerationResponseSchema, { frame: { case: "generation", value } });
      }
    },

    async approveGeneration({ generationId, draftHash, comment, requestId }, call) {
      const state = await read(generationId, call.caller);
      const hash = generationOf(state).draft?.hash ?? "";
      if (hash !== "" && hash !== draftHash)
        return fail("DRAFT_HASH_MISMATCH", { generationId, draftHash: hash, given: draftHash });
      const request = toRequestKey("ApproveGeneration", requestId, { draftHash, comment });
      const decision = { approved: true, comment, data: { draft_hash: draftHash }, request };
      return create(ApproveGenerationResponseSchema, { generation: await decide(state, call, decision) });
    },

    async rejectGeneration({ generationId, comment, requestId }, call) {
      const state = await read(generationId, call.caller);
      const request = toRequestKey("RejectGeneration", requestId, { comment });
      const decision = { approved: false, comment, data: null, request };
      return create(RejectGenerationResponseSchema, { generation: await decide(state, call, decision) });
    },
  };
}

/** Refuses to call a decision done whose generation is neither approved nor rejected. */
function checkKept(state: RunState): void {
  const { generationId, status, error } = generationOf(state);
  if (status === "failed") fail("DRAFT_INVALID", { problem: error?.message ?? "its generation has failed" });
  if (isTerminalPhase(state.phase)) return;
  const why = whyWaiting(state) || `its run has not gone on within ${KEEP_MS / 1_000} s`;
  fail("GENERATION_NOT_DRAFT", { generationId, status: `decided, and has not ended: ${why}; read it again later` });
}

/** Why a generation that is under way does not go on; empty if it does. */
function whyWaiting({ phase, holds: [hold] }: RunState): string {
  if (isTerminalPhase(phase) || hold === undefined) return "";
  return `it is held (${hold.kind})${hold.why === "" ? "" : `: ${hold.why}`}`;
}

export const generationService = defineService(GenerationService, createHandlers);
