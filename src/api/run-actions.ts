/**
 * What operations do to runs: the same calls that callers make, handled here or by the owner of the run. They skip
 * identification and decoding, because an operation knows on whose behalf it acts.
 */
import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { isOrchestratorError } from "../base/errors.ts";
import type { OperationAction, RunActions } from "../engine/ports/operations.ts";
import type { FlowRegistry } from "../flows/ports/registry.ts";
import {
  CancelRunRequestSchema,
  DeleteRunRequestSchema,
  ResumeRunRequestSchema,
  RunService,
  TerminateRunRequestSchema,
} from "../gen/orchestrator/v1/run_service_pb.ts";
import type { CallContext, UnaryHandler } from "./calls/call.ts";
import { serveMethod } from "./calls/methods.ts";
import { createOwnCall } from "./calls/own-call.ts";
import type { Route } from "./calls/routing.ts";
import { toHoldKinds } from "./mapping/operation.ts";
import { createPlanIndexOf } from "./services/runs/plan-index-of.ts";
import { createRunSteering, type SteeringNeeds } from "./services/runs/run-steering.ts";

export interface RunActionsNeeds extends Omit<SteeringNeeds, "planIndexOf"> {
  readonly flows: Pick<FlowRegistry, "planByHash">;
  /** Routes calls to the owner of the run. */
  readonly route: Route;
}

export function createRunActions({ flows, route, ...needs }: RunActionsNeeds): RunActions {
  const steering = createRunSteering({ ...needs, planIndexOf: createPlanIndexOf(flows) });
  const routed = (desc: DescMethod, handler: unknown): UnaryHandler => {
    const unary = handler as UnaryHandler;
    return route(serveMethod(desc, unary), unary);
  };
  const { method } = RunService;
  const cancel = routed(method.cancelRun, steering.cancelRun);
  const terminate = routed(method.terminateRun, steering.terminateRun);
  const resume = routed(method.resumeRun, steering.resumeRun);
  const erase = routed(method.deleteRun, steering.deleteRun);

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
        await send(action, runId, requestId, createOwnCall(caller, signal));
      } catch (error) {
        // It has ended, perhaps it is deleted since, which is the purpose of cancel and terminate.
        const isOver = isOrchestratorError(error) && (error.code === "RUN_FINISHED" || error.code === "RUN_DELETED");
        if (!isOver || (action.type !== "cancel" && action.type !== "terminate")) throw error;
      }
    },
  };
}
