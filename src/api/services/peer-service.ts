/** PeerService: what other instances say about tasks and workers. Not public. */
import { create } from "@bufbuild/protobuf";
import { parseStoredJson } from "../../base/json/json-stored.ts";
import type { HandOvers } from "../../engine/ports/dispatch/hand-overs.ts";
import type { PeerDispatch } from "../../engine/ports/dispatch/peers.ts";
import {
  ExchangeResponseSchema,
  PeerService,
  type TakeAnswerRequest,
  TakeAnswerResponseSchema,
  TakeReportsResponseSchema,
} from "../../gen/orchestrator/peer/v1/peer_service_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";
import { fromConversation, fromExchange } from "../mapping/workers/peer-message.ts";
import { fromErrored } from "../mapping/workers/task-report.ts";
import { checkForwarded, checkInstance } from "../peers/peer-calls.ts";
import { createTakeReports, type TakeReportsNeeds } from "./take-reports.ts";

interface Needs extends TakeReportsNeeds {
  readonly peerDispatch: PeerDispatch;
  readonly handOvers: Pick<HandOvers, "answered">;
}

function createHandlers({ peerDispatch, handOvers, ...needs }: Needs): ServiceHandlers<typeof PeerService> {
  const takeReports = createTakeReports(needs);
  return {
    async exchange(request, call) {
      const conversation = fromConversation(request.conversation);
      checkInstance(call, conversation.from);
      const { epoch, taken, refused } = peerDispatch.exchange(conversation, fromExchange(request));
      return create(ExchangeResponseSchema, { epoch: BigInt(epoch), taken, refused: [...refused] });
    },

    async takeAnswer({ runId, taskId, attempt = null, fence = null, begunAt, outcome, tookMs }, call) {
      checkForwarded(call);
      const task = { runId, path: taskId, attempt, fence, begunAt };
      const took = tookMs === undefined ? {} : { tookMs };
      const standing = await handOvers.answered(task, { ...fromAnswer(outcome), ...took });
      return create(TakeAnswerResponseSchema, { known: standing !== "unknown" });
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

function fromAnswer(outcome: TakeAnswerRequest["outcome"]): Parameters<HandOvers["answered"]>[1] {
  if (outcome.case === "failed") return { ok: false, error: fromErrored(outcome.value) };
  const json = outcome.case === "outputJson" ? new TextDecoder().decode(outcome.value) : "null";
  return { ok: true, output: parseStoredJson(json) };
}

/** PeerService with its handlers. */
export const peerService = defineService(PeerService, createHandlers);
