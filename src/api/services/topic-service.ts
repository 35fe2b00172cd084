/** TopicService: where inbound topics are read, and what of them was rejected. */
import { create } from "@bufbuild/protobuf";
import { fail } from "../../base/errors.ts";
import { refuseField } from "../../base/field-error.ts";
import { parseInstantMs, TIME_FORM } from "../../base/time/rfc3339.ts";
import type { RejectedList, RejectedPlace } from "../../engine/ports/bus/rejected.ts";
import type { InboundTopics, RewindTo } from "../../engine/ports/bus/topics.ts";
import {
  GetRejectedMessageResponseSchema,
  ListRejectedMessagesResponseSchema,
  RewindTopicResponseSchema,
  TopicService,
} from "../../gen/orchestrator/v1/topic_service_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";
import { cutPage, pageSizeOf } from "../lists/paging.ts";
import type { Tokens } from "../lists/tokens.ts";
import { fromRejectedId, toRejectedMessage } from "./messages/rejected-message.ts";

interface Needs {
  /** Null: no topic is read. */
  readonly inboundTopics: InboundTopics | null;
  readonly rejectedMessages: RejectedList;
  readonly tokens: Tokens;
}

function createHandlers({ inboundTopics, rejectedMessages, tokens }: Needs): ServiceHandlers<typeof TopicService> {
  return {
    async rewindTopic({ topic, partition, position, reason }, { caller }) {
      if (inboundTopics === null) return fail("TOPIC_NOT_READ", { topic });
      const moved = await inboundTopics.rewind(caller, topic, partition ?? null, toTarget(position), reason);
      return create(RewindTopicResponseSchema, {
        partitions: moved.map((one) => ({
          partition: one.partition,
          fromOffset: String(one.from),
          toOffset: String(one.to),
        })),
      });
    },

    async listRejectedMessages({ topic, reason, pageSize, pageToken }, { caller }) {
      const query = ["ListRejectedMessages", topic, reason];
      const place = tokens.fromPageToken(caller.tenantId, query, pageToken);
      const size = pageSizeOf(pageSize);
      const selector = { ...(topic === "" ? {} : { topic }), ...(reason === "" ? {} : { reason }) };
      const views = await rejectedMessages.list(selector, place === null ? null : toPlace(place), size + 1);
      const { lines, next } = cutPage(views, size, ({ rejectedAtUs, id }) => [
        ...[rejectedAtUs, id.topicId, id.partition, id.offset],
      ]);
      return create(ListRejectedMessagesResponseSchema, {
        messages: lines.map((view) => toRejectedMessage(view)),
        nextPageToken: next === null ? "" : tokens.toPageToken(caller.tenantId, query, next),
      });
    },

    async getRejectedMessage({ messageId }) {
      const id = fromRejectedId(messageId);
      const found = id === null ? null : await rejectedMessages.find(id);
      if (found === null) return fail("MESSAGE_NOT_FOUND", { messageId });
      return create(GetRejectedMessageResponseSchema, { message: toRejectedMessage(found.view, found.content) });
    },
  };
}

function toPlace([rejectedAtUs, topicId, partition, offset]: readonly unknown[]): RejectedPlace {
  return {
    rejectedAtUs: Number(rejectedAtUs),
    topicId: String(topicId),
    partition: Number(partition),
    offset: String(offset),
  };
}

/** An offset has at most 18 digits, so that it fits wherever it is stored. */
function toTarget(position: string): RewindTo {
  if (/^\d{1,18}$/.test(position)) return { offset: BigInt(position) };
  const time = parseInstantMs(position);
  if (time !== undefined) return { time };
  return refuseField("position", `must be an offset, or ${TIME_FORM}`);
}

export const topicService = defineService(TopicService, createHandlers);
