/** Rejected messages as messages of the contract. */
import { create } from "@bufbuild/protobuf";
import type { RejectedContent, RejectedId, RejectedView } from "../../../engine/ports/bus/rejected.ts";
import { type RejectedMessage, RejectedMessageSchema } from "../../../gen/orchestrator/v1/topic_service_pb.ts";
import { toTimestamp } from "../../mapping/time.ts";

/** `content` is absent in lists. */
export function toRejectedMessage(view: RejectedView, content?: RejectedContent): RejectedMessage {
  const { id, topic, reason, problem, sizeBytes, sentAt, rejectedAtUs } = view;
  const { key = null, value = null, headers = [] } = content ?? {};
  return create(RejectedMessageSchema, {
    ...{ messageId: toRejectedId(id), topic, partition: id.partition, offset: id.offset, reason, problem },
    sizeBytes: BigInt(sizeBytes),
    sendTime: toTimestamp(sentAt),
    rejectTime: toTimestamp(rejectedAtUs / 1_000),
    ...(key === null ? {} : { key }),
    ...(value === null ? {} : { value }),
    headers: Array.from({ length: headers.length / 2 }, (_, at) => ({
      name: headers[2 * at] ?? Buffer.alloc(0),
      value: headers[2 * at + 1] ?? Buffer.alloc(0),
    })),
  });
}

/** The id of a message as callers know it. */
function toRejectedId({ topicId, partition, offset }: RejectedId): string {
  return `${topicId}-${partition}-${offset}`;
}

/** Reads an id; null: no message can have it. */
export function fromRejectedId(text: string): RejectedId | null {
  const [, topicId, partition, offset] = /^([!-~]{1,64})-(0|[1-9]\d{0,8})-(0|[1-9]\d{0,17})$/.exec(text) ?? [];
  if (topicId === undefined || partition === undefined || offset === undefined) return null;
  return { topicId, partition: Number(partition), offset };
}
