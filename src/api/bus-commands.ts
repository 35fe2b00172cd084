/**
 * What inbound messages do: the same calls that callers make, handled here or by the owner of the run. They skip
 * identification and decoding: messages are checked by those who read them.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { GRPC_CODE } from "../base/error-catalog/entry.ts";
import { isOrchestratorError, toError } from "../base/errors.ts";
import type { AnsweredOutcome, AnswerFate, BusCommands, MessageStart } from "../engine/ports/bus/commands.ts";
import type { Caller } from "../engine/ports/caller.ts";
import type { Cluster } from "../engine/ports/cluster.ts";
import type { AnsweredTask, HandOvers } from "../engine/ports/dispatch/hand-overs.ts";
import type { RunControl } from "../engine/ports/run-control.ts";
import type { Status } from "../gen/google/rpc/status_pb.ts";
import {
  type MessageAnswer,
  MessageAnswerSchema,
  MessageStartSchema,
  PeerService,
  type MessageStart as SentStart,
  TakeAnswersRequestSchema,
  TakeStartsRequestSchema,
} from "../gen/orchestrator/peer/v1/peer_service_pb.ts";
import { GrpcFailure } from "./client/grpc-failure.ts";
import { fromStatus } from "./errors/from-status.ts";
import { fromTaken, toSentAnswer } from "./mapping/message-answer.ts";
import { toSentStart, toStartRequest } from "./mapping/message-start.ts";
import { isElsewhere, runIdOf } from "./peers/forward-refusal.ts";
import { anywhere, type Sender } from "./peers/forward-send.ts";
import { gatherForOwners, type OwnersWork, PATIENCE_MS } from "./peers/send-to-owners.ts";

/** Items of one call to another instance, and the share of a message that they fill. */
const MAX_ITEMS = 1_000;
const FILLED = 0.5;

/** How long an owner may take, milliseconds. What it takes from then on may be sent again: it counts once. */
const OWNER_MS = 10_000;

const TAKE_ANSWERS = anywhere(PeerService.method.takeAnswers);
const TAKE_STARTS = anywhere(PeerService.method.takeStarts);

const NEVER = new AbortController().signal;

export interface BusCommandsNeeds {
  readonly instanceId: string;
  readonly runControl: Pick<RunControl, "startRun">;
  readonly handOvers: Pick<HandOvers, "answered">;
  readonly cluster: Pick<Cluster, "ownerOf" | "locate">;
  readonly sender: Pick<Sender, "send">;
  /** The largest message that instances take, bytes. */
  readonly maxMessageBytes: number;
}

interface Start {
  readonly tenantId: string;
  readonly start: MessageStart;
  readonly ownerDied?: (() => void) | undefined;
  /** As it is sent; null: it has not been. */
  sent: SentStart | null;
}

interface Answer {
  readonly task: AnsweredTask;
  readonly outcome: AnsweredOutcome;
  readonly ownerDied?: (() => void) | undefined;
  sent: MessageAnswer | null;
}

export function createBusCommands(needs: BusCommandsNeeds): BusCommands {
  const { instanceId, runControl, handOvers, cluster, sender, maxMessageBytes } = needs;

  const startAt = async (address: string, tenantId: string, items: readonly Start[]): Promise<(null | Error)[]> => {
    const request = create(TakeStartsRequestSchema, { starts: items.map(sentStartOf) });
    const call = { caller: { tenantId, actor: "" }, requestId: "", remainingMs: () => OWNER_MS };
    const { results } = await sender.send(address, TAKE_STARTS, request, call, NEVER);
    return results.map(({ error }, index) =>
      error === undefined ? null : toFailure(error, items[index]?.start.runId),
    );
  };

  /** Null: it is started. */
  const starts: OwnersWork<Start, null | Error> = {
    cluster,
    runOf: ({ start }) => start.runId,
    here: ([item]) =>
      settle(item, async ({ tenantId, start }) => {
        const caller: Caller = { tenantId, actor: start.actor ?? "" };
        await runControl.startRun(caller, toStartRequest(start), 0);
        return null;
      }),
    async there(address, items) {
      const tenants = [...Map.groupBy(items, ({ tenantId }) => tenantId)];
      const results = await Promise.all(tenants.map(([tenantId, some]) => startAt(address, tenantId, some)));
      const taken = new Map(tenants.flatMap(([, some], at) => some.map((item, index) => [item, results[at]?.[index]])));
      return items.map((item) => {
        const result = taken.get(item);
        return result === undefined ? toMoved(item.start.runId, null) : result;
      });
    },
    movedTo: movedRunOf,
    failed: ({ start, ownerDied }, why) => {
      if (hasGone(why)) ownerDied?.();
      return toMoved(start.runId, why);
    },
    sizeOf: (item) => toBinary(MessageStartSchema, sentStartOf(item)).length,
    ...{ areApart: true, maxItems: MAX_ITEMS, maxSize: FILLED * maxMessageBytes },
  };

  const answers: OwnersWork<Answer, AnswerFate | Error> = {
    cluster,
    runOf: ({ task }) => task.runId,
    here: ([item]) => settle(item, ({ task, outcome }) => handOvers.answered(task, outcome)),
    async there(address, items) {
      const request = create(TakeAnswersRequestSchema, { answers: items.map(sentAnswerOf) });
      const call = { caller: { tenantId: "", actor: instanceId }, requestId: "", remainingMs: () => OWNER_MS };
      const { results } = await sender.send(address, TAKE_ANSWERS, request, call, NEVER);
      return results.map((result, index) =>
        result.error === undefined ? fromTaken(result) : toFailure(result.error, items[index]?.task.runId),
      );
    },
    movedTo: movedRunOf,
    failed: ({ task, ownerDied }, why) => {
      if (hasGone(why)) ownerDied?.();
      return toMoved(task.runId, why);
    },
    sizeOf: (item) => toBinary(MessageAnswerSchema, sentAnswerOf(item)).length,
    ...{ areApart: true, maxItems: MAX_ITEMS, maxSize: FILLED * maxMessageBytes },
  };

  const patience = { ms: PATIENCE_MS, signal: NEVER };
  const sendStart = gatherForOwners(starts, patience);
  const sendAnswer = gatherForOwners(answers, patience);
  return {
    async start(tenantId, start, ownerDied) {
      const result = await sendStart({ tenantId, start, ownerDied, sent: null });
      if (result !== null) throw result;
    },
    async answer(task, outcome, ownerDied) {
      const result = await sendAnswer({ task, outcome, ownerDied, sent: null });
      if (result instanceof Error) throw result;
      return result;
    },
  };
}

function sentStartOf(item: Start): SentStart {
  item.sent ??= toSentStart(item.start);
  return item.sent;
}

function sentAnswerOf(item: Answer): MessageAnswer {
  item.sent ??= toSentAnswer(item.task, item.outcome);
  return item.sent;
}

/** The result of the only item, which may be an error. */
async function settle<Item, Result>(
  item: Item | undefined,
  work: (item: Item) => Promise<Result>,
): Promise<readonly (Result | Error)[]> {
  return item === undefined ? [] : [await work(item).catch((error: Error) => error)];
}

function movedRunOf(result: AnswerFate | null | Error): string | null {
  return isElsewhere(result) ? runIdOf(result) : null;
}

/** The connection broke while the call was under way: the instance may have died of it. One that is slow has not. */
function hasGone(why: unknown): boolean {
  if (!isOrchestratorError(why) || why.code !== "PEER_LOST") return false;
  return why.cause instanceof GrpcFailure && why.cause.code === GRPC_CODE.UNAVAILABLE;
}

/** Whatever happens on the way to the owner lies in no message, and what it was sent counts once. */
function toMoved(runId: string, why: unknown): Error {
  return toError("RUN_MOVED", { runId }, why === null ? {} : { cause: why });
}

/** An error of one item. A bug of the other instance does not condemn a message. */
function toFailure(status: Status, runId = ""): Error {
  const error = fromStatus(status);
  return error.code === "INTERNAL" ? toMoved(runId, error) : error;
}
