/**
 * Channels of pub/sub, on a connection of their own. Every instance hears every message; those of shards that are not
 * its own are kept for a while, in case one of the shards comes here:
 *
 *   heard → handled ─┬─ done
 *                    └─ elsewhere → kept ──30 s, or too much is kept──→ forgotten
 *                                    └──this instance has taken shards──→ handled again
 *
 * What is under way is bounded: beyond that nothing is read, and Redis keeps it until its own limit for subscribers,
 * where it breaks the connection. What is published while there is no connection is lost: pub/sub forgets.
 */
import type { Log } from "../../base/log.ts";
import { type ConnectionState, ConnectionWatch, noteSilence } from "../../base/net/connection-state.ts";
import { createRedisClient, type RedisAddress, reasonOf, watchClosing } from "./client.ts";
import { KEEP_MS, KeptMessages } from "./kept-messages.ts";
import type { HandleMessages, MessageCounts, RedisMessage, Verdict } from "./messages.ts";

/** How often a silent connection is tried, milliseconds. */
const PING_EVERY_MS = 5_000;
/** After this silence the server counts as away, milliseconds. */
const SILENCE_MS = 2_000;
/** Pause before a refused subscription is tried again, milliseconds. */
const AGAIN_MS = 5_000;
/** Nothing is read while so many messages or bytes are under way. It goes on at half of that. */
const MAX_UNDER_WAY = 10_000;
const MAX_UNDER_WAY_BYTES = 16 * 1_024 * 1_024;

export interface SubscriberParts {
  readonly address: RedisAddress;
  readonly channels: ReadonlyMap<string, HandleMessages>;
  /** Clock of the database, milliseconds since the epoch. */
  readonly now: () => number;
  readonly counts: MessageCounts;
  readonly log: Log;
}

/** A running subscription. */
export interface Subscriber {
  /** This instance has taken shards: what is kept is handled again. */
  lookAgain(): void;
  readonly connection: ConnectionState;
  /** Ends it at once. */
  stop(): void;
}

/** Starts connecting and subscribing, and retries forever. */
export function startSubscriber({ address, channels, now, counts, log }: SubscriberParts): Subscriber {
  const client = createRedisClient(address);
  const watch = new ConnectionWatch(({ connected, problem: reason }) => {
    if (connected) log.info("channels are heard", { channels: [...channels.keys()] });
    else log.warn("channels are not heard: what is published meanwhile is lost", { reason });
  });
  const kept = new KeptMessages((source) => {
    if (!isDropping) log.warn("too much is kept for other instances: the oldest messages fall out", { source });
    isDropping = true;
    counts.counted(source, "dropped", 1);
  });
  let isDropping = false;
  let isStopped = false;
  let arrived: RedisMessage[] = [];
  const underWay = { messages: 0, bytes: 0 };
  let isPaused = false;
  /** Rises when shards are taken. */
  let takeovers = 0;

  /** A bug of a handler costs the messages at hand. */
  const verdictsOf = (source: string, messages: readonly RedisMessage[]): readonly Promise<Verdict>[] => {
    try {
      return channels.get(source)?.(messages) ?? [];
    } catch (error) {
      log.error("messages could not be handled", { source, error });
      return messages.map(async () => "done");
    }
  };

  const handle = (messages: readonly RedisMessage[]): void => {
    for (const [source, ofSource] of Map.groupBy(messages, (message) => message.source)) {
      const verdicts = verdictsOf(source, ofSource);
      const before = takeovers;
      for (const [index, verdict] of verdicts.entries()) {
        const message = ofSource[index];
        if (message !== undefined) void verdict.then((word) => settle(message, word !== "elsewhere", before));
      }
    }
  };

  const settle = (message: RedisMessage, isDone: boolean, before: number): void => {
    underWay.messages -= 1;
    underWay.bytes -= message.value.length;
    if (!isDone && !isStopped) {
      // Its shard may be among those that were taken meanwhile.
      if (takeovers !== before) deliver({ ...message, again: true });
      else kept.add(message, now());
    }
    const { messages, bytes } = underWay;
    if (!isPaused || messages > MAX_UNDER_WAY / 2 || bytes > MAX_UNDER_WAY_BYTES / 2) return;
    isPaused = false;
    client.stream?.resume();
  };

  /** What arrives in one turn of the event loop is handled together. */
  const deliver = (message: RedisMessage): void => {
    underWay.messages += 1;
    underWay.bytes += message.value.length;
    arrived.push(message);
    if (arrived.length > 1) return;
    setImmediate(() => {
      const messages = arrived;
      arrived = [];
      if (!isStopped) handle(messages);
    });
  };

  const subscribe = async (): Promise<void> => {
    const results = await Promise.allSettled([...channels.keys()].map((channel) => client.subscribe(channel)));
    const refused = results.find((result) => result.status === "rejected");
    if (refused === undefined) return watch.up();
    // A connection that broke shows as an event.
    if (isStopped || client.status !== "ready") return;
    watch.down(reasonOf(refused.reason));
    setTimeout(() => client.status === "ready" && void subscribe(), AGAIN_MS).unref();
  };

  let isPinging = false;
  const ping = async (): Promise<void> => {
    // While nothing is read, no answer is, either.
    if (isPinging || isPaused || client.status !== "ready") return;
    isPinging = true;
    const wasHeard = watch.state.connected;
    try {
      await noteSilence(
        SILENCE_MS,
        () => client.ping(),
        (problem) => watch.down(problem),
      );
      if (wasHeard) watch.up();
    } catch {
      // The connection broke, which shows as an event.
    } finally {
      isPinging = false;
    }
  };

  watchClosing(client, watch, () => isStopped);
  client.on("close", () => {
    isPaused = false;
  });
  client.on("ready", () => void subscribe());
  client.on("messageBuffer", (channel: Buffer, value: Buffer) => {
    const source = channel.toString("utf8");
    counts.counted(source, "received", 1);
    deliver({ source, entryId: null, value, seenAt: now(), again: false });
    if (isPaused || (underWay.messages <= MAX_UNDER_WAY && underWay.bytes <= MAX_UNDER_WAY_BYTES)) return;
    isPaused = true;
    client.stream?.pause();
  });
  // What fails here is reported by the events.
  client.connect().catch(() => {});
  const pings = setInterval(() => void ping(), PING_EVERY_MS).unref();
  const prunings = setInterval(() => {
    kept.prune(now());
    isDropping &&= kept.size > 0;
  }, KEEP_MS / 2).unref();

  return {
    lookAgain() {
      takeovers += 1;
      for (const message of kept.takeAll(now())) deliver({ ...message, again: true });
    },
    get connection() {
      return watch.state;
    },
    stop() {
      isStopped = true;
      clearInterval(pings);
      clearInterval(prunings);
      client.disconnect();
    },
  };
}
