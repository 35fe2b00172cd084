/**
 * What inbound messages do: the same calls that callers make, handled here or by the owner of the run. They skip
 * identification and decoding: messages are checked by those who read them.
 */
import { create } from "@bufbuild/protobuf";
import { isOrchestratorError, toError } from "../base/errors.ts";
import type { BusCommands } from "../engine/ports/bus/commands.ts";
import type { Caller } from "../engine/ports/caller.ts";
import type { Cluster } from "../engine/ports/cluster.ts";
import type { AnsweredTask, HandOvers } from "../engine/ports/dispatch/hand-overs.ts";
import type { RunControl, StartRequest } from "../engine/ports/run-control.ts";
import type { FlowRegistry } from "../flows/ports/registry.ts";
import { PeerService, TakeAnswerRequestSchema } from "../gen/orchestrator/peer/v1/peer_service_pb.ts";
import {
  BatchStartRunsRequestSchema,
  type BatchStartRunsResponse,
  RunService,
  StartRunRequestSchema,
} from "../gen/orchestrator/v1/run_service_pb.ts";
import type { UnaryHandler } from "./calls/call.ts";
import { serveMethod } from "./calls/methods.ts";
import { createOwnCall } from "./calls/own-call.ts";
import type { Route } from "./calls/routing.ts";
import { fromStatus } from "./errors/from-status.ts";
import { encodeJson } from "./mapping/payload.ts";
import { toDuration } from "./mapping/time.ts";
import { isElsewhere } from "./peers/forward-refusal.ts";
import { anywhere, type Sender } from "./peers/forward-send.ts";
import { createPlanIndexOf } from "./services/runs/plan-index-of.ts";
import { createRunSteering, type SteeringNeeds } from "./services/runs/run-steering.ts";

/** Starts of one call: the contract's limit. */
const MAX_STARTS = 1_000;

const TAKE_ANSWER = anywhere(PeerService.method.takeAnswer);

type Outcome = Parameters<HandOvers["answered"]>[1];

export interface BusCommandsNeeds extends Omit<SteeringNeeds, "planIndexOf"> {
  readonly instanceId: string;
  readonly flows: Pick<FlowRegistry, "planByHash">;
  readonly runControl: RunControl;
  readonly handOvers: Pick<HandOvers, "answered">;
  readonly cluster: Cluster;
  readonly sender: Sender;
  readonly route: Route;
}

const NEVER = new AbortController().signal;

export function createBusCommands(needs: BusCommandsNeeds): BusCommands {
  const { instanceId, flows, runControl, handOvers, cluster, sender, route } = needs;
  const steering = createRunSteering({ ...needs, planIndexOf: createPlanIndexOf(flows) });
  const { batchStartRuns } = RunService.method;
  const handler = steering.batchStartRuns as unknown as UnaryHandler;
  const startAnywhere = route(serveMethod(batchStartRuns, handler), handler);

  /** Starts that belong to other instances. */
  const startElsewhere = async (
    caller: Caller,
    starts: readonly StartRequest[],
  ): Promise<readonly (Error | null)[]> => {
    const request = create(BatchStartRunsRequestSchema, { requests: starts.map(toStartRunRequest) });
    const { results } = (await startAnywhere(request, createOwnCall(caller, NEVER))) as BatchStartRunsResponse;
    return results.map(({ result }) => (result.case === "error" ? fromStatus(result.value) : null));
  };

  return {
    async startRuns(tenantId, requests) {
      const caller = { tenantId, actor: "" };
      const results = (await runControl.startRuns(caller, requests, 0)).map((result) =>
        result instanceof Error ? result : null,
      );
      const moved = results.flatMap((result, index) => (result !== null && isElsewhere(result) ? [index] : []));
      for (let from = 0; from < moved.length; from += MAX_STARTS) {
        const part = moved.slice(from, from + MAX_STARTS);
        const starts = part.flatMap((index) => requests[index] ?? []);
        const answers = await startElsewhere(caller, starts);
        for (const [place, index] of part.entries()) results[index] = answers[place] ?? null;
      }
      return results;
    },

    async answer(task, outcome) {
      const answerHere = async (): Promise<boolean> => (await handOvers.answered(task, outcome)) !== "unknown";
      try {
        return await answerHere();
      } catch (error) {
        if (!isElsewhere(error)) throw error;
        const place = await cluster.locate(task.runId);
        if (place === null) throw error;
        if (place === "here") return await answerHere();
        const call = createOwnCall({ tenantId: "", actor: instanceId }, NEVER);
        const request = toTakeAnswer(task, outcome);
        const sent = sender.send(place.address, TAKE_ANSWER, request, call, call.signal);
        return (await sent.catch((failure: unknown) => Promise.reject(toMoved(failure, task.runId)))).known;
      }
    },
  };
}

/** Whatever happens on the way to the owner, the answer may be sent again: it counts once. */
function toMoved(failure: unknown, runId: string): Error {
  if (isOrchestratorError(failure)) return failure;
  return toError("RUN_MOVED", { runId }, { cause: failure });
}

function toStartRunRequest(start: StartRequest) {
  const { flowId, version, runId, userId, correlationId, input, context } = start;
  return create(StartRunRequestSchema, {
    ...{ flowId, version, runId, userId, correlationId },
    inputValue: { case: "inputJson", value: encodeJson(input) },
    ...(context === null ? {} : { executionContextJson: encodeJson(context) }),
  });
}

function toTakeAnswer({ runId, path, attempt, fence, begunAt }: AnsweredTask, outcome: Outcome) {
  return create(TakeAnswerRequestSchema, {
    ...{ runId, taskId: path, begunAt },
    ...(attempt === null ? {} : { attempt }),
    ...(fence === null ? {} : { fence }),
    ...(outcome.tookMs === undefined ? {} : { tookMs: outcome.tookMs }),
    outcome: outcome.ok
      ? { case: "outputJson", value: encodeJson(outcome.output) }
      : { case: "failed", value: toErrored(outcome.error) },
  });
}

function toErrored({ type, message, retryable, nextRetryDelayMs }: Extract<Outcome, { ok: false }>["error"]) {
  const delay = nextRetryDelayMs === undefined ? {} : { nextRetryDelay: toDuration(nextRetryDelayMs) };
  return { type, message, nonRetryable: !retryable, ...delay };
}
