/** Messages over Redis, for the parts that take them. Nothing is loaded or opened unless one of them asks for some. */
import type { Log } from "../../base/log.ts";
import type { ConnectionState } from "../../base/net/connection-state.ts";
import { type HandleMessages, type MessageCounts, STREAM_PREFIX } from "../../bus/redis/messages.ts";
import type { StreamReader } from "../../bus/redis/stream-reader.ts";
import type { Config } from "../../config/settings.ts";
import type { RunningEngine } from "./engine.ts";
import type { Parts } from "./parts.ts";
import { redisAddressOf } from "./redis.ts";

/** Takes messages from now until it is started. */
export interface RedisMessages {
  /** Messages of a channel, or of a Stream (prefix `stream:`), go to `handle`. A source has one handler. */
  on(source: string, handle: HandleMessages): void;
  /**
   * Messages of Streams that may never have any: they are read from the time on that `needed` says. It is called when
   * the messages start.
   */
  onceNeeded(streams: ReadonlyMap<string, HandleMessages>, needed: (open: () => void) => void): void;
  /** Begins to listen to all of them, if there are any and the configuration names a server. */
  start(): Promise<void>;
}

export interface RedisMessagesNeeds {
  readonly instanceId: string;
  readonly engine: Pick<RunningEngine, "observe" | "sharedClock">;
}

/** Counts messages of channels and Streams. */
export function countMessages({ metrics }: Parts): MessageCounts {
  return {
    counted: (source, what, count) => metrics.counter("orchestrator_redis_messages_total", source, what).add(count),
  };
}

export function createRedisMessages(config: Config, needs: RedisMessagesNeeds, log: Log, parts: Parts): RedisMessages {
  const { instanceId, engine } = needs;
  const { consumerGroup: group } = config.redis;
  const address = redisAddressOf(config);
  const channels = new Map<string, HandleMessages>();
  const streams = new Map<string, HandleMessages>();
  const later: Parameters<RedisMessages["onceNeeded"]>[] = [];
  return {
    on: (source, handle) => void (source.startsWith(STREAM_PREFIX) ? streams : channels).set(source, handle),
    onceNeeded: (of, needed) => void later.push([of, needed]),
    async start() {
      if (address === null || channels.size + streams.size + later.length === 0) return;
      const now = (): number => engine.sharedClock.now();
      const common = { address, now, counts: countMessages(parts), log };
      const open: { readonly connection: ConnectionState }[] = [];
      if (channels.size > 0) {
        const { startSubscriber } = await import("../../bus/redis/subscriber.ts");
        const subscriber = startSubscriber({ ...common, channels });
        parts.onClose(() => subscriber.stop());
        engine.observe({ committed: () => {}, takenOver: () => subscriber.lookAgain() });
        open.push(subscriber);
      }
      const { startStreamReader } = await import("../../bus/redis/stream-reader.ts");
      const readers: StreamReader[] = [];
      let isClosed = false;
      const read = (of: ReadonlyMap<string, HandleMessages>): void => {
        if (isClosed || of.size === 0) return;
        const reader = startStreamReader({ ...common, streams: of, group, consumer: instanceId });
        readers.push(reader);
        open.push(reader);
      };
      parts.onClose(async () => {
        isClosed = true;
        await Promise.all(readers.map((reader) => reader.stop()));
      });
      read(streams);
      for (const [of, needed] of later) needed(() => read(of));
      // Redis is well when every connection is.
      const written = parts.connections.get("redis") ?? (() => null);
      parts.reports("redis", () => {
        const states = [written(), ...open.map(({ connection }) => connection)].filter((state) => state !== null);
        return states.find(({ connected }) => !connected) ?? states[0] ?? null;
      });
    },
  };
}
