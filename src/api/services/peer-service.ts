/** PeerService: what other instances say about tasks, workers, and limits. Not public. */
import { create } from "@bufbuild/protobuf";
import { toError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { HandOvers } from "../../engine/ports/dispatch/hand-overs.ts";
import type { PeerLimits } from "../../engine/ports/dispatch/limits.ts";
import type { PeerDispatch } from "../../engine/ports/dispatch/peers.ts";
import type { RunControl } from "../../engine/ports/run-control.ts";
import {
  ExchangeResponseSchema,
  PeerService,
  TakeAnswersResponseSchema,
  TakeReportsResponseSchema,
  TakeStartsResponseSchema,
  TellLimitsResponseSchema,
} from "../../gen/orchestrator/peer/v1/peer_service_pb.ts";
import type { CallContext, ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";
import { classifyError, toStatus } from "../errors/status.ts";
import { fromSentAnswer, toTakenAnswer } from "../mapping/message-answer.ts";
import { fromSentStart, toStartRequest } from "../mapping/message-start.ts";
import { fromConversation, fromExchange } from "../mapping/workers/peer-message.ts";
import { checkForwarded, checkInstance } from "../peers/peer-calls.ts";
import { createTakeReports, type TakeReportsNeeds } from "./take-reports.ts";

/** How long one start or answer may take, milliseconds. */
const ITEM_MS = 2_000;

interface Needs extends TakeReportsNeeds {
  readonly peerDispatch: PeerDispatch;
  readonly peerLimits: PeerLimits;
  readonly handOvers: Pick<HandOvers, "answered">;
  readonly runControl: Pick<RunControl, "startRun">;
  readonly log: Log;
}

function createHandlers({
  peerDispatch,
  peerLimits,
  handOvers,
  runControl,
  log,
  ...needs
}: Needs): ServiceHandlers<typeof PeerService> {
  const takeReports = createTakeReports(needs);
  /** The error of one item; one outside the catalog is in the log. */
  const toTaken = (error: Error, { requestId, caller }: CallContext) =>
    toStatus(classifyError(error, log, PeerService.typeName, { requestId, caller }));

  return {
    async exchange(request, call) {
      const conversation = fromConversation(request.conversation);
      checkInstance(call, conversation.from);
      const { epoch, taken, refused } = peerDispatch.exchange(conversation, fromExchange(request));
      return create(ExchangeResponseSchema, { epoch: BigInt(epoch), taken, refused: [...refused] });
    },

    async takeAnswers({ answers }, call) {
      checkForwarded(call);
      const results = await Promise.all(
        answers.map((answer) =>
          inTime(answer.runId, async () => {
            const { task, outcome } = fromSentAnswer(answer);
            return handOvers.answered(task, outcome);
          }),
        ),
      );
      return create(TakeAnswersResponseSchema, {
        results: results.map((result) =>
          result instanceof Error ? { error: toTaken(result, call) } : toTakenAnswer(result),
        ),
      });
    },

    async takeStarts({ starts }, call) {
      checkForwarded(call);
      const results = await Promise.all(
        starts.map((start) =>
          inTime(start.runId, async () => {
            const caller = { ...call.caller, actor: start.actor };
            return runControl.startRun(caller, toStartRequest(fromSentStart(start)), 0);
          }),
        ),
      );
      return create(TakeStartsResponseSchema, {
        results: results.map((result) => (result instanceof Error ? { error: toTaken(result, call) } : {})),
      });
    },

    async tellLimits({ from, changed, granted }, call) {
      checkInstance(call, from);
      const grants = granted.map(({ runId, taskPath: path, asked, shard }) => ({ runId, path, asked, shard }));
      peerLimits.hear({ from, changed, granted: grants });
      return create(TellLimitsResponseSchema);
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

/** The result of an item, or its error. One that takes longer than {@link ITEM_MS} must not keep the others waiting. */
async function inTime<T>(runId: string, work: () => Promise<T>): Promise<T | Error> {
  const late = Promise.withResolvers<Error>();
  const timer = setTimeout(() => late.resolve(toError("RUN_MOVED", { runId })), ITEM_MS);
  const done = work().catch((error: Error) => error);
  try {
    return await Promise.race([done, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** PeerService with its handlers. */
export const peerService = defineService(PeerService, createHandlers);
