/**
 * What triggers do to runs that they do not name by an id: the same calls that callers make, handled here or by the
 * owner of the run. They skip identification and decoding.
 */
import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import type { RunCalls } from "../engine/ports/bus/run-keys.ts";
import type { Caller } from "../engine/ports/caller.ts";
import type { FlowRegistry } from "../flows/ports/registry.ts";
import {
  RunService,
  SignalRunRequestSchema,
  StartRunRequestSchema,
  type StartRunResponse,
} from "../gen/orchestrator/v1/run_service_pb.ts";
import type { UnaryHandler } from "./calls/call.ts";
import type { Origin } from "./calls/hops.ts";
import { serveMethod } from "./calls/methods.ts";
import { createOwnCall } from "./calls/own-call.ts";
import type { Route } from "./calls/routing.ts";
import { RUN_KEY_POLICY } from "./mapping/enums.ts";
import { encodeJson } from "./mapping/payload.ts";
import { createPlanIndexOf } from "./services/runs/plan-index-of.ts";
import { createRunSteering, type SteeringNeeds } from "./services/runs/run-steering.ts";

export interface TriggerCallsNeeds extends Omit<SteeringNeeds, "planIndexOf"> {
  readonly flows: Pick<FlowRegistry, "planByHash">;
  /** Routes calls to the owner of the run. */
  readonly route: Route;
  readonly stopping: AbortSignal;
}

export function createTriggerCalls({ flows, route, stopping, ...needs }: TriggerCallsNeeds): RunCalls {
  const steering = createRunSteering({ ...needs, planIndexOf: createPlanIndexOf(flows) });
  const routed = (desc: DescMethod, handler: unknown): UnaryHandler => {
    const unary = handler as UnaryHandler;
    return route(serveMethod(desc, unary), unary);
  };
  const start = routed(RunService.method.startRun, steering.startRun);
  const signal = routed(RunService.method.signalRun, steering.signalRun);
  const call = (
    handler: UnaryHandler,
    request: Message,
    caller: Caller,
    ownerDied: () => void,
    origin: Partial<Origin> = {},
  ): Promise<Message> => handler(request, { ...createOwnCall(caller, stopping, origin), ownerDied });
  return {
    async start(tenantId, actor, { input, runKeyPolicy, hops = 0, trace = null, ...fields }, ownerDied) {
      const request = create(StartRunRequestSchema, {
        ...fields,
        runKeyPolicy: RUN_KEY_POLICY[runKeyPolicy],
        inputValue: { case: "inputJson", value: encodeJson(input) },
        readMask: { paths: ["run_id"] },
      });
      const { run } = (await call(start, request, { tenantId, actor }, ownerDied, { hops, trace })) as StartRunResponse;
      return run?.runId ?? "";
    },
    async signal(tenantId, actor, { runId, name, payload, requestId }, ownerDied) {
      const request = create(SignalRunRequestSchema, {
        ...{ runId, signalName: name, requestId },
        dataValue: { case: "dataJson", value: encodeJson(payload) },
      });
      await call(signal, request, { tenantId, actor }, ownerDied);
    },
  };
}
