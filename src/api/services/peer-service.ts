/** PeerService: what other instances say about tasks and workers. Not public. */
import { create } from "@bufbuild/protobuf";
import type { PeerDispatch } from "../../engine/ports/dispatch/peers.ts";
import {
  ExchangeResponseSchema,
  PeerService,
  TakeReportsResponseSchema,
} from "../../gen/orchestrator/peer/v1/peer_service_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";
import { fromConversation, fromExchange } from "../mapping/workers/peer-message.ts";
import { checkForwarded, checkInstance } from "../peers/peer-calls.ts";
import { createTakeReports, type TakeReportsNeeds } from "./take-reports.ts";

interface Needs extends TakeReportsNeeds {
  readonly peerDispatch: PeerDispatch;
}

function createHandlers({ peerDispatch, ...needs }: Needs): ServiceHandlers<typeof PeerService> {
  const takeReports = createTakeReports(needs);
  return {
    async exchange(request, call) {
      const conversation = fromConversation(request.conversation);
      checkInstance(call, conversation.from);
      const { epoch, taken, refused } = peerDispatch.exchange(conversation, fromExchange(request));
      return create(ExchangeResponseSchema, { epoch: BigInt(epoch), taken, refused: [...refused] });
    },

    async takeReports({ conversation, sessionId, reports, lent }, call) {
      checkForwarded(call);
      peerDispatch.heard(fromConversation(conversation), call.caller.tenantId, sessionId, Number(lent));
      const results = await takeReports(sessionId, reports, call);
      return create(TakeReportsResponseSchema, {
        results: results.map(({ result }) => result),
        moved: results.flatMap(({ moved }, index) => (moved ? [index] : [])),
      });
    },
  };
}

/** PeerService with its handlers. */
export const peerService = defineService(PeerService, createHandlers);
