/** What workloads on topics share: sending what comes together in one batch, and a consumer from the first message. */
import { Consumer, stringDeserializers } from "@platformatic/kafka";
import { openProducer } from "../../harness/kafka-broker.ts";

export interface Message {
  readonly topic: string;
  readonly key: string;
  readonly value: string;
}

/** Sends messages: those that come while a batch is on its way go in the next one. */
export function openBatches(address: string): {
  readonly send: (message: Message) => void;
  readonly close: () => Promise<void>;
} {
  const producer = openProducer(address);
  let waiting: Message[] = [];
  let sending: Promise<void> | null = null;
  const sendAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      const messages = waiting;
      waiting = [];
      await producer.send({ messages });
    }
    sending = null;
  };
  return {
    send(message) {
      waiting.push(message);
      sending ??= Promise.resolve().then(sendAll);
    },
    async close() {
      await sending;
      await producer.close(true);
    },
  };
}

/** Calls `take` for every message of a topic. Resolves when the group has its partitions. */
export async function consume(
  address: string,
  topic: string,
  groupId: string,
  take: (message: { readonly key: string; readonly value: string }) => void,
): Promise<() => Promise<void>> {
  const consumer = new Consumer({
    ...{ clientId: "bench", groupId, bootstrapBrokers: [address], deserializers: stringDeserializers },
    ...{ minBytes: 1, maxWaitTime: 500 },
  });
  const stream = await consumer.consume({ topics: [topic], mode: "earliest", autocommit: true });
  stream.on("data", take);
  return async () => {
    await stream.close();
    await consumer.close(true);
  };
}
