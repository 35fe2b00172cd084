/** PeerService: what other instances say about tasks and workers. Not public. */
import { create } from "@bufbuild/protobuf";
import { isOrchestratorError } from "../../base/errors.ts";
import { parseStoredJson } from "../../base/json/json-stored.ts";
import type { HandOvers } from "../../engine/ports/dispatch/hand-overs.ts";
import type { PeerDispatch } from "../../engine/ports/dispatch/peers.ts";
import type { RunControl, StartResult } from "../../engine/ports/run-control.ts";
import {
  ExchangeResponseSchema,
  PeerService,
  type TakeAnswerRequest,
  TakeAnswerResponseSchema,
  TakenStartSchema,
  TakeReportsResponseSchema,
  TakeStartsResponseSchema,
} from "../../gen/orchestrator/peer/v1/peer_service_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";
import { toStatus } from "../errors/status.ts";
import { fromSentStart, toStartRequest } from "../mapping/message-start.ts";
import { fromConversation, fromExchange } from "../mapping/workers/peer-message.ts";
import { fromErrored } from "../mapping/workers/task-report.ts";
import { checkForwarded, checkInstance } from "../peers/peer-calls.ts";
import { createTakeReports, type TakeReportsNeeds } from "./take-reports.ts";

interface Needs extends TakeReportsNeeds {
  readonly peerDispatch: PeerDispatch;
  readonly handOvers: Pick<HandOvers, "answered">;
  readonly runControl: Pick<RunControl, "startRuns">;
}

function createHandlers({ peerDispatch, handOvers, runControl, ...needs }: Needs): ServiceHandlers<typeof PeerService> {
  const takeReports = createTakeReports(needs);
  return {
    async exchange(request, call) {
      const conversation = fromConversation(request.conversation);
      checkInstance(call, conversation.from);
      const { epoch, taken, refused } = peerDispatch.exchange(conversation, fromExchange(request));
      return create(ExchangeResponseSchema, { epoch: BigInt(epoch), taken, refused: [...refused] });
    },

    async takeAnswer({ runId, taskId, attempt = null, fence = null, begunAt, place, outcome, tookMs }, call) {
      checkForwarded(call);
      const { log = "", epoch = 0, offset = 0n } = place ?? {};
      const read = { log, epoch, offset: Number(offset) };
      const task = { runId, path: taskId, attempt, fence, begunAt, place: read };
      const took = tookMs === undefined ? {} : { tookMs };
      const standing = await handOvers.answered(task, { ...fromAnswer(outcome), ...took });
      return create(TakeAnswerResponseSchema, { known: standing !== "unknown" });
    },

    async takeStarts({ starts }, call) {
      checkForwarded(call);
      const requests = starts.map((start) => toStartRequest(fromSentStart(start)));
      const results = await runControl.startRuns(call.caller, requests, 0);
      return create(TakeStartsResponseSchema, {
        results: results.map((result) => create(TakenStartSchema, toTaken(result))),
      });
    },

    async takeReports({ conversation, sessionId, reports, lent }, call) {
      checkForwarded(call);
      peerDispatch.noteSession(fromConversation(conversation), call.caller.tenantId, sessionId, Number(lent));
      const results = await takeReports(sessionId, reports, call);
      return create(TakeReportsResponseSchema, {
        results: results.map(({ result }) => result),
        moved: results.flatMap(({ moved }, index) => (moved ? [index] : [])),
      });
    },
  };
}

function toTaken(result: StartResult | Error) {
  if (!(result instanceof Error)) return {};
  // An error outside the catalog is a bug of this call: the whole call fails, with an id in the log.
  if (!isOrchestratorError(result)) throw result;
  return { error: toStatus(result) };
}

function fromAnswer(outcome: TakeAnswerRequest["outcome"]): Parameters<HandOvers["answered"]>[1] {
  if (outcome.case === "failed") return { ok: false, error: fromErrored(outcome.value) };
  const json = outcome.case === "outputJson" ? new TextDecoder().decode(outcome.value) : "null";
  return { ok: true, output: parseStoredJson(json) };
}

/** PeerService with its handlers. */
export const peerService = defineService(PeerService, createHandlers);
