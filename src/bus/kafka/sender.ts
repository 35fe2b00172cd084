/** Sends messages to Kafka: idempotent, acknowledged by all replicas, in batches by topic. */
import { compatibilityPartitioner, Producer, type ProducerOptions } from "@platformatic/kafka";
import type { OutgoingId, StoredOutgoing } from "../../engine/ports/bus/outbox.ts";
import type { Delivery, Destination } from "../outbox-relay.ts";
import { isRefused, reasonOf } from "./errors.ts";
import { type KafkaMessage, toKafkaMessage } from "./messages/outgoing.ts";

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

  /** Sends the messages of a topic. One that the broker refuses is found by halving. */
  const sendTo = async (
    messages: readonly { readonly id: OutgoingId; readonly message: KafkaMessage }[],
    rejected: { readonly id: OutgoingId; readonly reason: string }[],
    sent: OutgoingId[],
  ): Promise<void> => {
    try {
      await producer.send({ messages: messages.map(({ message }) => message) });
      for (const { id } of messages) sent.push(id);
    } catch (error) {
      if (!isRefused(error)) throw error;
      const [first] = messages;
      if (messages.length === 1 && first !== undefined) {
        rejected.push({ id: first.id, reason: reasonOf(error) });
        return;
      }
      const half = messages.length >> 1;
      await sendTo(messages.slice(0, half), rejected, sent);
      await sendTo(messages.slice(half), rejected, sent);
    }
  };

  return {
    async send(stored): Promise<Delivery> {
      const sent: OutgoingId[] = [];
      const rejected: { readonly id: OutgoingId; readonly reason: string }[] = [];
      const failed = new Map<string, string>();
      await Promise.all(
        [...groupByTopic(stored, nameOf)].map(async ([topic, messages]) => {
          try {
            await sendTo(messages, rejected, sent);
          } catch (error) {
            failed.set(topic, reasonOf(error));
          }
        }),
      );
      return { sent, rejected, failed };
    },
    close: () => producer.close(true),
  };
}

function groupByTopic(stored: readonly StoredOutgoing[], nameOf: SenderOptions["nameOf"]) {
  const topics = new Map<string, { readonly id: OutgoingId; readonly message: KafkaMessage }[]>();
  for (const { id, message } of stored) {
    const entry = { id, message: toKafkaMessage(message, nameOf) };
    const known = topics.get(message.topic);
    if (known === undefined) topics.set(message.topic, [entry]);
    else known.push(entry);
  }
  return topics;
}
