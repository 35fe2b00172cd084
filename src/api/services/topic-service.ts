/** TopicService: where inbound topics are read. */
import { create } from "@bufbuild/protobuf";
import { fail } from "../../base/errors.ts";
import { parseInstantMs, TIME_FORM } from "../../base/time/rfc3339.ts";
import type { InboundTopics, RewindTo } from "../../engine/ports/bus/topics.ts";
import { RewindTopicResponseSchema, TopicService } from "../../gen/orchestrator/v1/topic_service_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";

interface Needs {
  /** Null: no topic is read. */
  readonly inboundTopics: InboundTopics | null;
}

function createHandlers({ inboundTopics }: Needs): ServiceHandlers<typeof TopicService> {
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
  };
}

/** An offset has at most 18 digits, so that it fits wherever it is stored. */
function toTarget(position: string): RewindTo {
  if (/^\d{1,18}$/.test(position)) return { offset: BigInt(position) };
  const time = parseInstantMs(position);
  if (time !== undefined) return { time };
  const description = `must be an offset, or ${TIME_FORM}`;
  const violations = [{ field: "position", description }];
  return fail("INVALID_REQUEST", { problem: `position ${description}`, field: "position" }, { violations });
}

export const topicService = defineService(TopicService, createHandlers);
