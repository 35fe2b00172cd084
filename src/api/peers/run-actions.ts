/**
 * What operations do to runs: the same calls that callers make, handled here or by the instance that owns the run. They
 * go past identification and decoding, because the operation knows in whose name it acts.
 */
import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { isOrchestratorError } from "../../base/errors.ts";
import type { Caller } from "../../engine/ports/caller.ts";
import type { OperationAction, RunActions } from "../../engine/ports/operations.ts";
import {
  CancelRunRequestSchema,
  DeleteRunRequestSchema,
  ResumeRunRequestSchema,
  RunService,
  TerminateRunRequestSchema,
} from "../../gen/orchestrator/v1/run_service_pb.ts";
import type { CallContext, UnaryHandler } from "../calls/call.ts";
import type { ServedMethod } from "../calls/methods.ts";
import { toRequestId } from "../calls/request-id.ts";
import type { Route } from "../calls/routing.ts";
import { toHoldKinds } from "../mapping/operation.ts";

/** Longest time of a call on one run, milliseconds. */
const CALL_MS = 30_000;

/** The actions over the methods that are served, routed to the owners of runs. */
export function createRunActions(methods: readonly ServedMethod[], route: Route): RunActions {
  const handlerOf = (desc: DescMethod): UnaryHandler => {
    const method = methods.find((one) => one.desc === desc);
    if (method?.unary == null) throw new Error(`${desc.toString()} is not served`);
    return route(method, method.unary);
  };
  const cancel = handlerOf(RunService.method.cancelRun);
  const terminate = handlerOf(RunService.method.terminateRun);
  const resume = handlerOf(RunService.method.resumeRun);
  const erase = handlerOf(RunService.method.deleteRun);

  const send = (action: OperationAction, runId: string, requestId: string, call: CallContext): Promise<Message> => {
    switch (action.type) {
      case "cancel": {
        const { reason, compensate } = action;
        return cancel(create(CancelRunRequestSchema, { runId, requestId, reason, compensate }), call);
      }
      case "terminate":
        return terminate(create(TerminateRunRequestSchema, { runId, requestId, reason: action.reason }), call);
      case "resume": {
        const { reason, holds } = action;
        return resume(
          create(ResumeRunRequestSchema, { runId, requestId, reason, holdKinds: toHoldKinds(holds) }),
          call,
        );
      }
      case "delete":
        return erase(create(DeleteRunRequestSchema, { runId }), call);
    }
  };

  return {
    async apply(caller, action, runId, requestId, signal) {
      try {
        await send(action, runId, requestId, createContext(caller, signal));
      } catch (error) {
        // It has ended, which is what the caller of a cancel or a terminate wants.
        const isOver = isOrchestratorError(error) && error.code === "RUN_FINISHED";
        if (!isOver || (action.type !== "cancel" && action.type !== "terminate")) throw error;
      }
    },
  };
}

function createContext(caller: Caller, stop: AbortSignal): CallContext {
  const deadlineAt = performance.now() + CALL_MS;
  return {
    caller,
    protocol: "grpc",
    forwarded: false,
    requestId: toRequestId(undefined),
    remainingMs: () => Math.max(0, deadlineAt - performance.now()),
    opened: () => undefined,
    signal: AbortSignal.any([stop, AbortSignal.timeout(CALL_MS)]),
  };
}
