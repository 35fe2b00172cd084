/** Undelivered messages as messages of the contract. */
import { create } from "@bufbuild/protobuf";
import type { DestinationName, OutgoingId, RejectionCode } from "../../../engine/ports/bus/outbox.ts";
import type { MessageSelector, UndeliveredView } from "../../../engine/ports/bus/undelivered.ts";
import {
  MessageDestination,
  type UndeliveredMessage,
  UndeliveredMessageSchema,
  UndeliveredReason,
} from "../../../gen/orchestrator/v1/undelivered_message_pb.ts";
import { toTimestamp } from "../../mapping/time.ts";

const DESTINATION = {
  kafka: MessageDestination.KAFKA,
  redis: MessageDestination.REDIS,
  webhook: MessageDestination.WEBHOOK,
  stream: MessageDestination.STREAM,
} as const satisfies Record<DestinationName, MessageDestination>;

const REASON = {
  REFUSED: UndeliveredReason.REFUSED,
  EXPIRED: UndeliveredReason.EXPIRED,
  INVALID: UndeliveredReason.INVALID,
  UNSERVED: UndeliveredReason.UNSERVED,
} as const satisfies Record<RejectionCode, UndeliveredReason>;

/** `content`: JSON text; absent in lists. */
export function toUndeliveredMessage(view: UndeliveredView, content = ""): UndeliveredMessage {
  const { id, tenantId, destination, place, kind, runId, taskPath, sequence, code, reason } = view;
  return create(UndeliveredMessageSchema, {
    ...{ messageId: toMessageId(id), tenantId, place, kind, runId, taskId: taskPath, sequence },
    destination: DESTINATION[destination],
    reason: REASON[code],
    problem: reason,
    sizeBytes: BigInt(view.sizeBytes),
    createTime: toTimestamp(view.createdAt),
    rejectTime: toTimestamp(view.rejectedAtUs / 1_000),
    contentJson: content,
  });
}

/** The id of a message as callers know it. */
export function toMessageId({ shard, id }: OutgoingId): string {
  return `${shard}-${id}`;
}

/** The last id that the database can give. */
const MAX_ID = 9_223_372_036_854_775_807n;

/** Reads an id; null: no message can have it. */
export function fromMessageId(text: string): OutgoingId | null {
  const [, shard, id] = /^(0|[1-9]\d{0,4})-(0|[1-9]\d{0,18})$/.exec(text) ?? [];
  if (shard === undefined || id === undefined || Number(shard) > 32_767 || BigInt(id) > MAX_ID) return null;
  return { shard: Number(shard), id };
}

/** Reads a selector; unspecified and empty fields select all. */
export function fromSelector(selector: {
  readonly destination: MessageDestination;
  readonly place: string;
  readonly reason: UndeliveredReason;
  readonly runId: string;
}): MessageSelector {
  const { place, runId } = selector;
  const destination = nameIn(DESTINATION, selector.destination);
  const code = nameIn(REASON, selector.reason);
  return {
    ...(destination === undefined ? {} : { destination }),
    ...(code === undefined ? {} : { code }),
    ...(place === "" ? {} : { place }),
    ...(runId === "" ? {} : { runId }),
  };
}

function nameIn<Name extends string>(table: Readonly<Record<Name, number>>, value: number): Name | undefined {
  return (Object.keys(table) as Name[]).find((name) => table[name] === value);
}
