/** DeadLetterService: messages that could not be delivered. */
import { create } from "@bufbuild/protobuf";
import { fail } from "../../../base/errors.ts";
import type {
  ChangedMessages,
  MessageChange,
  MessageTarget,
  UndeliveredMessages,
  UndeliveredPlace,
} from "../../../engine/ports/bus/undelivered.ts";
import {
  DeadLetterService,
  type DropMessagesRequest,
  DropMessagesResponseSchema,
  GetUndeliveredMessageResponseSchema,
  ListUndeliveredMessagesResponseSchema,
  type RedeliverMessagesRequest,
  RedeliverMessagesResponseSchema,
} from "../../../gen/orchestrator/v1/dead_letter_service_pb.ts";
import type { CallContext, ServiceHandlers } from "../../calls/call.ts";
import { toRequestKey } from "../../calls/request-key.ts";
import { defineService } from "../../calls/services.ts";
import { cutPage, pageSizeOf } from "../../lists/paging.ts";
import type { Tokens } from "../../lists/tokens.ts";
import type { AskPeers } from "../../peers/ask-peers.ts";
import { fromMessageId, fromSelector, toMessageId, toUndeliveredMessage } from "./undelivered-message.ts";

/** Most messages that one call changes. */
const MOST = 500;

/** Kinds of messages that are not sent again. */
const OF_TASKS: ReadonlySet<string> = new Set(["task", "control"]);

interface Needs {
  readonly undelivered: UndeliveredMessages;
  readonly tokens: Tokens;
  readonly askPeers: AskPeers;
}

function createHandlers({ undelivered, tokens, askPeers }: Needs): ServiceHandlers<typeof DeadLetterService> {
  const find = async (messageId: string, { caller }: CallContext) => {
    const id = fromMessageId(messageId);
    return id === null ? null : undelivered.find(caller, id);
  };

  const refuseTasks = async ({ messageIds }: RedeliverMessagesRequest, call: CallContext): Promise<void> => {
    for (const messageId of messageIds) {
      const found = await find(messageId, call);
      if (found !== null && OF_TASKS.has(found.view.kind)) fail("MESSAGE_NOT_REDELIVERABLE", { messageId });
    }
  };

  return {
    async listUndeliveredMessages(request, { caller }) {
      const selector = fromSelector(request);
      const query = ["ListUndeliveredMessages", JSON.stringify(selector)];
      const place = tokens.fromPageToken(caller.tenantId, query, request.pageToken);
      const after: UndeliveredPlace | null =
        place === null ? null : { rejectedAtUs: Number(place[0]), shard: Number(place[1]), id: String(place[2]) };
      const size = pageSizeOf(request.pageSize);
      const views = await undelivered.list(caller, selector, after, size + 1);
      const { lines, next } = cutPage(views, size, ({ rejectedAtUs, id }) => [rejectedAtUs, id.shard, id.id]);
      return create(ListUndeliveredMessagesResponseSchema, {
        messages: lines.map((view) => toUndeliveredMessage(view)),
        nextPageToken: next === null ? "" : tokens.toPageToken(caller.tenantId, query, next),
      });
    },

    async getUndeliveredMessage({ messageId }, call) {
      const found = (await find(messageId, call)) ?? fail("MESSAGE_NOT_FOUND", { messageId });
      return create(GetUndeliveredMessageResponseSchema, { message: toUndeliveredMessage(found.view, found.content) });
    },

    async redeliverMessages(request, call) {
      if (call.forwarded) {
        // Another instance has done it: what is of shards of this one is found by its relays.
        undelivered.look();
        return create(RedeliverMessagesResponseSchema);
      }
      await refuseTasks(request, call);
      const changed = await undelivered.redeliver(call.caller, toChange("RedeliverMessages", request));
      if (changed.ids.length > 0) await askPeers(DeadLetterService.method.redeliverMessages, { selector: {} }, call);
      return create(RedeliverMessagesResponseSchema, toAnswer(request, changed));
    },

    async dropMessages(request, { caller }) {
      const changed = await undelivered.drop(caller, toChange("DropMessages", request));
      return create(DropMessagesResponseSchema, toAnswer(request, changed));
    },
  };
}

/** Ids or a selector; the contract demands one of them. */
function targetOf({ messageIds, selector }: RedeliverMessagesRequest | DropMessagesRequest): MessageTarget {
  if (selector !== undefined) return { selector: fromSelector(selector) };
  return { ids: messageIds.map(fromMessageId).filter((id) => id !== null) };
}

function toChange(method: string, request: RedeliverMessagesRequest | DropMessagesRequest): MessageChange {
  const { messageIds, changeReason: reason, requestId } = request;
  const target = targetOf(request);
  const key = toRequestKey(method, requestId, {
    messageIds,
    reason,
    selector: "selector" in target && target.selector,
  });
  return { target, limit: MOST, reason, key };
}

function toAnswer({ messageIds }: RedeliverMessagesRequest | DropMessagesRequest, { ids, hasMore }: ChangedMessages) {
  const changed = new Set(ids.map(toMessageId));
  const notFound = new Set(messageIds.filter((id) => !changed.has(id)));
  return { messageIds: [...changed], hasMore, notFoundMessageIds: [...notFound] };
}

/** DeadLetterService with its handlers. */
export const deadLetterService = defineService(DeadLetterService, createHandlers);
