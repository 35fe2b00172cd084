/**
 * Sends messages to Redis: channels are published to, Streams are added to. Nobody need listen: pub/sub forgets, and a
 * Stream keeps about as many entries as it may. A message that goes to several places and does not reach one of them is
 * sent to all again.
 */
import type { ChainableCommander } from "ioredis";
import type { OutgoingId, StoredOutgoing } from "../../engine/ports/bus/outbox.ts";
import type { Destination } from "../outbox-relay.ts";
import { reasonOf } from "./client.ts";
import type { RedisConnection } from "./connection.ts";
import { MESSAGE_FIELD, STREAM_PREFIX } from "./messages.ts";

export interface RedisSenderOptions {
  readonly connection: Pick<RedisConnection, "isReady" | "publish">;
  /** The channels and Streams behind a topic. */
  namesOf(topic: string): readonly string[];
  /** About how many entries a Stream keeps. */
  readonly maxLength: number;
  /** Aborts at a stop: what Redis has not taken by then is sent by the next owner, perhaps again. */
  readonly stopping: AbortSignal;
}

export function createRedisSender({ connection, namesOf, maxLength, stopping }: RedisSenderOptions): Destination {
  const stopped = new Promise<null>((resolve) => {
    stopping.addEventListener("abort", () => resolve(null), { once: true });
  });
  const fill = (pipeline: ChainableCommander, name: string, text: string): void => {
    if (!name.startsWith(STREAM_PREFIX)) pipeline.publish(name, text);
    else pipeline.xadd(name.slice(STREAM_PREFIX.length), "MAXLEN", "~", maxLength, "*", MESSAGE_FIELD, text);
  };

  /** One result for each text: what is wrong, or null. */
  const sendAll = async (texts: readonly (readonly [string, string])[]): Promise<readonly (Error | null)[]> => {
    const names = texts.map(([topic]) => namesOf(topic));
    if (!connection.isReady) return texts.map(() => new Error("Redis does not answer"));
    const sent = connection.publish(names.flat().length, (pipeline) => {
      for (const [index, [, text]] of texts.entries())
        for (const name of names[index] ?? []) fill(pipeline, name, text);
    });
    // A server that stands still holds up no stop.
    const outcomes = await Promise.race([sent, stopped]);
    if (outcomes === null) return texts.map(() => new Error("the service stops"));
    let at = 0;
    return names.map(({ length }) => {
      at += length;
      return outcomes.slice(at - length, at).find((outcome) => outcome !== null) ?? null;
    });
  };

  return {
    encode(messages: readonly StoredOutgoing[]) {
      return {
        async send() {
          const sent: OutgoingId[] = [];
          const failed = new Map<string, string>();
          const results = await sendAll(
            messages.map(({ message }) => [message.topic, JSON.stringify(message.content)] as const),
          );
          for (const [index, { id, message }] of messages.entries()) {
            const problem = results[index] ?? null;
            if (problem === null) sent.push(id);
            else failed.set(message.topic, reasonOf(problem));
          }
          return { sent, rejected: [], failed };
        },
      };
    },
  };
}
