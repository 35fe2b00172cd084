/** Sends messages to Kafka: idempotent, acknowledged by all replicas, in batches by topic. */
import { compatibilityPartitioner, Producer, type ProducerOptions } from "@platformatic/kafka";
import type { OutgoingId, RejectedOutgoing, StoredOutgoing } from "../../engine/ports/bus/outbox.ts";
import type { Destination, Encoded } from "../outbox-relay.ts";
import { isRefused, isTopicRefused, reasonOf } from "./errors.ts";
import { type KafkaMessage, toKafkaMessage } from "./messages/outgoing.ts";

/** Bytes that are sent together, at most: a broker takes batches of a mebibyte unless it is told otherwise. */
const PART_BYTES = 900_000;

/** Bytes of the headers of a message, about. */
const OVERHEAD_BYTES = 400;

/** Opens a sender. Brokers are connected when the first message is sent. */
export interface Sender extends Destination {
  close(): Promise<void>;
}

export type ConnectionOptions = Pick<
  ProducerOptions<Buffer, Buffer, string, string>,
  "clientId" | "bootstrapBrokers" | "timeout" | "retries" | "retryDelay" | "tls" | "sasl"
>;

export interface SenderOptions {
  /** The name at the broker of a topic of executors. */
  nameOf(topic: string): string;
  /** Whether topics that do not exist are created. */
  readonly createTopics: boolean;
}

export function openSender(connection: ConnectionOptions, { nameOf, createTopics }: SenderOptions): Sender {
  const producer = new Producer<Buffer, Buffer, string, string>({
    ...connection,
    idempotent: true,
    acks: -1,
    autocreateTopics: createTopics,
    // The partitions that other clients choose for the same key.
    partitioner: compatibilityPartitioner,
    serializers: {
      key: (value) => value,
      value: (value) => value,
      headerKey: (value) => (value === undefined ? undefined : Buffer.from(value)),
      headerValue: (value) => (value === undefined ? undefined : Buffer.from(value)),
    },
  });

  /** Sends messages of a topic together. One that the broker refuses is found by halving. */
  const sendTogether = async (messages: readonly Entry[], rejected: RejectedOutgoing[], sent: OutgoingId[]) => {
    try {
      await producer.send({ messages: messages.map(({ message }) => message) });
      for (const { id } of messages) sent.push(id);
    } catch (error) {
      if (isTopicRefused(error) || (isRefused(error) && messages.length === 1)) {
        for (const { id } of messages) rejected.push({ id, reason: reasonOf(error) });
        return;
      }
      if (!isRefused(error)) throw error;
      const half = messages.length >> 1;
      await sendTogether(messages.slice(0, half), rejected, sent);
      await sendTogether(messages.slice(half), rejected, sent);
    }
  };

  return {
    encode(stored): Encoded {
      const topics = groupByTopic(stored, nameOf);
      return {
        async send() {
          const sent: OutgoingId[] = [];
          const rejected: RejectedOutgoing[] = [];
          const failed = new Map<string, string>();
          await Promise.all(
            [...topics].map(async ([topic, entries]) => {
              try {
                for (const part of split(entries)) await sendTogether(part, rejected, sent);
              } catch (error) {
                failed.set(topic, reasonOf(error));
              }
            }),
          );
          return { sent, rejected, failed };
        },
      };
    },
    close: () => producer.close(true),
  };
}

/** A message of the outbox on its way. */
interface Entry {
  readonly id: OutgoingId;
  readonly message: KafkaMessage;
}

function groupByTopic(stored: readonly StoredOutgoing[], nameOf: SenderOptions["nameOf"]) {
  const topics = new Map<string, Entry[]>();
  for (const { id, message } of stored) {
    const entry = { id, message: toKafkaMessage(message, nameOf) };
    const known = topics.get(message.topic);
    if (known === undefined) topics.set(message.topic, [entry]);
    else known.push(entry);
  }
  return topics;
}

/** Splits messages so that a broker with default limits takes each part, whatever partitions they go to. */
function* split(entries: readonly Entry[]): Generator<readonly Entry[]> {
  let part: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = entry.message.key.length + entry.message.value.length + OVERHEAD_BYTES;
    if (bytes + size > PART_BYTES && part.length > 0) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(entry);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
