/** RunService: starts, reads, and controls single runs. */
import { create } from "@bufbuild/protobuf";
import type { OrchestratorError } from "../../../base/errors.ts";
import { fail, isOrchestratorError } from "../../../base/errors.ts";
import type { Phase } from "../../../engine/machine/state.ts";
import type { Caller } from "../../../engine/ports/caller.ts";
import type { RunControl, StartRequest, StartResult } from "../../../engine/ports/run-control.ts";
import type { RunReader, RunView } from "../../../engine/ports/run-reader.ts";
import { RunSchema } from "../../../gen/orchestrator/v1/run_pb.ts";
import type {
  BatchStartRunsRequest,
  BatchStartRunsResult,
  RunService,
  StartRunRequest,
} from "../../../gen/orchestrator/v1/run_service_pb.ts";
import {
  BatchStartRunsResultSchema,
  CancelRunResponseSchema,
  DeleteRunResponseSchema,
  PauseRunResponseSchema,
  ResumeRunResponseSchema,
  SignalRunResponseSchema,
  StartRunRequestSchema,
  TerminateRunResponseSchema,
} from "../../../gen/orchestrator/v1/run_service_pb.ts";
import type { CallContext, ServiceHandlers } from "../../calls/call.ts";
import { originOf } from "../../calls/hops.ts";
import { compileItemCheck } from "../../calls/item-check.ts";
import { hashBody, toRequestKey } from "../../calls/request-key.ts";
import { toStatus } from "../../errors/status.ts";
import { HOLD_KIND_NAME } from "../../mapping/enums.ts";
import type { PayloadLimits } from "../../mapping/payload.ts";
import { createPayloadRoom, fromPayload } from "../../mapping/payload.ts";
import type { ReadMask } from "../../mapping/read-mask.ts";
import { parseReadMask } from "../../mapping/read-mask.ts";
import { RUN_PAYLOADS, toRun } from "../../mapping/run.ts";
import { toTimestamp } from "../../mapping/time.ts";
import { type PayloadReader, readReferences } from "../stored-payloads.ts";
import type { PlanIndexOf } from "./plan-index-of.ts";
import { fromStartRequest, fromWait, readStartReferences } from "./run-start.ts";

const checkStart = compileItemCheck(StartRunRequestSchema);

/** Methods of RunService for single runs. */
export type SteeringMethods = Pick<
  ServiceHandlers<typeof RunService>,
  | "startRun"
  | "batchStartRuns"
  | "getRun"
  | "waitRun"
  | "signalRun"
  | "cancelRun"
  | "terminateRun"
  | "pauseRun"
  | "resumeRun"
  | "deleteRun"
>;

export interface SteeringNeeds {
  readonly runControl: RunControl;
  readonly runReader: RunReader;
  readonly planIndexOf: PlanIndexOf;
  readonly limits: PayloadLimits;
}

export function createRunSteering({ runControl, runReader, planIndexOf, limits }: SteeringNeeds): SteeringMethods {
  const show = async (
    caller: Caller,
    view: RunView,
    mask: ReadMask,
    room = createPayloadRoom(limits),
  ): Promise<ReturnType<typeof toRun>> => {
    const { state } = view;
    return toRun(state, mask.wants("task_counts") ? await planIndexOf(caller, state) : null, mask, room);
  };
  /** Handles a call whose purpose is already met: a run that has ended in `phase` is the response. */
  const endedAs =
    (caller: Caller, runId: string, phase: Phase) =>
    async (error: unknown): Promise<RunView> => {
      if (!isOrchestratorError(error) || error.code !== "RUN_FINISHED") throw error;
      // RUN_UNREADABLE: respond that the run has ended.
      const view = await runReader.getRun(caller, runId).catch(() => null);
      if (view?.state.phase !== phase) throw error;
      return view;
    };
  const withoutPayloads = (): ReadMask => parseReadMask(RunSchema, undefined, RUN_PAYLOADS);

  return {
    async startRun(request, call) {
      const mask = parseReadMask(RunSchema, request.readMask);
      const origin = originOf(call);
      const read = readStartReferences(runReader, call.caller, request);
      const start = fromStartRequest(request, limits, read instanceof Promise ? await read : read, origin);
      const waitMs = fromWait(request.wait, call.remainingMs());
      const result = await runControl.startRun(call.caller, start, waitMs, waitMs > 0 ? call.signal : undefined);
      if (waitMs > 0) await call.turn();
      return {
        $typeName: "orchestrator.v1.StartRunResponse",
        run: await show(call.caller, result.run, mask),
        started: result.started,
      };
    },

    async batchStartRuns(request, call) {
      const mask = parseReadMask(RunSchema, request.readMask, RUN_PAYLOADS);
      const waitMs = fromWait(request.wait, call.remainingMs());
      const starts = await readStarts(runReader, call, request, limits);
      if (request.requestId !== "") await runControl.claimRequest(call.caller, request.requestId, hashBatch(starts));
      const good = starts.filter((start): start is StartRequest => !(start instanceof Error));
      const results = await runControl.startRuns(call.caller, good, waitMs, waitMs > 0 ? call.signal : undefined);
      if (waitMs > 0) await call.turn();
      let next = 0;
      const answers = starts.map((start) =>
        start instanceof Error ? start : (results[next++] as StartResult | Error),
      );
      const room = createPayloadRoom(limits);
      const shown = answers.map(async (answer): Promise<BatchStartRunsResult> => {
        if (answer instanceof Error) return toFailure(answer);
        const run = await show(call.caller, answer.run, mask, room);
        return {
          $typeName: "orchestrator.v1.BatchStartRunsResult",
          result: { case: "run", value: run },
          started: answer.started,
        };
      });
      return { $typeName: "orchestrator.v1.BatchStartRunsResponse", results: await Promise.all(shown) };
    },

    async getRun(request, call) {
      const mask = parseReadMask(RunSchema, request.readMask);
      return {
        $typeName: "orchestrator.v1.GetRunResponse",
        run: await show(call.caller, await runReader.getRun(call.caller, request.runId), mask),
      };
    },

    async waitRun(request, call) {
      const mask = parseReadMask(RunSchema, request.readMask);
      const waitMs = fromWait(request.wait, call.remainingMs());
      const view = await runReader.waitRun(call.caller, request.runId, waitMs, call.signal);
      await call.turn();
      return { $typeName: "orchestrator.v1.WaitRunResponse", run: await show(call.caller, view, mask) };
    },

    async signalRun(request, call) {
      const stored = await readReferences(runReader, call.caller, [request.dataValue]);
      const payload = fromPayload(request.dataValue, "data", null, limits, stored);
      const { runId, signalName, requestId } = request;
      const key = toRequestKey("SignalRun", requestId, { signalName, payload });
      const view = await runControl.signalRun(call.caller, runId, signalName, payload, key);
      return create(SignalRunResponseSchema, { run: await show(call.caller, view, withoutPayloads()) });
    },

    async cancelRun(request, call) {
      const { runId, reason, compensate, requestId } = request;
      const view = await runControl
        .cancelRun(call.caller, runId, reason, compensate, toRequestKey("CancelRun", requestId, { reason, compensate }))
        .catch(endedAs(call.caller, runId, "CANCELED"));
      return create(CancelRunResponseSchema, { run: await show(call.caller, view, withoutPayloads()) });
    },

    async terminateRun(request, call) {
      const { runId, reason, requestId } = request;
      const view = await runControl
        .terminateRun(call.caller, runId, reason, toRequestKey("TerminateRun", requestId, { reason }))
        .catch(endedAs(call.caller, runId, "TERMINATED"));
      return create(TerminateRunResponseSchema, { run: await show(call.caller, view, withoutPayloads()) });
    },

    async pauseRun(request, call) {
      const { runId, reason, requestId } = request;
      const view = await runControl.pauseRun(
        call.caller,
        runId,
        reason,
        toRequestKey("PauseRun", requestId, { reason }),
      );
      return create(PauseRunResponseSchema, { run: await show(call.caller, view, withoutPayloads()) });
    },

    async deleteRun({ runId }, call) {
      const deletedAt = await runControl.deleteRun(call.caller, runId);
      return create(DeleteRunResponseSchema, { runId, deleteTime: toTimestamp(deletedAt) });
    },

    async resumeRun(request, call) {
      const { runId, reason, requestId } = request;
      const kinds = request.holdKinds.flatMap((kind) => HOLD_KIND_NAME.get(kind) ?? []);
      const key = toRequestKey("ResumeRun", requestId, { kinds, reason });
      const view = await runControl.resumeRun(call.caller, runId, kinds, reason, key);
      return create(ResumeRunResponseSchema, { run: await show(call.caller, view, withoutPayloads()) });
    },
  };
}

/** Starts of a batch; an invalid one is represented by its error. */
function readStarts(
  reader: PayloadReader,
  call: Pick<CallContext, "caller" | "header">,
  request: BatchStartRunsRequest,
  limits: PayloadLimits,
): Promise<(StartRequest | Error)[]> {
  const origin = originOf(call);
  const read = async (start: StartRunRequest, index: number): Promise<StartRequest | Error> => {
    try {
      const broken = checkStart(start, `requests[${index}]`);
      if (broken !== null) return broken;
      if (start.wait !== undefined || start.readMask !== undefined) {
        const field = start.wait === undefined ? "read_mask" : "wait";
        fail("INVALID_REQUEST", {
          problem: `${field} must be set on the batch, not on its starts`,
          field: `requests[${index}].${field}`,
        });
      }
      const requestId =
        start.requestId === "" && request.requestId !== "" ? `${request.requestId}/${index}` : start.requestId;
      const stored = await readStartReferences(reader, call.caller, start);
      return fromStartRequest(start, limits, stored, origin, requestId);
    } catch (error) {
      if (isOrchestratorError(error)) return error;
      throw error;
    }
  };
  return Promise.all(request.requests.map(read));
}

/**
 * Hash of a batch. In a batch with a request id every start has one. Throws an error that kept a start from being read
 * and may be temporary.
 */
function hashBatch(starts: readonly (StartRequest | Error)[]): string {
  const passing = starts.find((start) => isOrchestratorError(start) && start.retry !== "no");
  if (passing !== undefined) throw passing;
  const parts = starts.map((start) =>
    start instanceof Error ? [start.message] : [start.requestId, start.requestHash],
  );
  return hashBody({ method: "BatchStartRuns", starts: parts });
}

function toFailure(error: Error): BatchStartRunsResult {
  // An error outside the catalog is a bug of this call: the whole call fails, with an id in the log.
  if (!isOrchestratorError(error)) throw error;
  return create(BatchStartRunsResultSchema, { result: { case: "error", value: toStatus(error as OrchestratorError) } });
}
