/** Messages over Redis, for the parts that take them. Nothing is loaded or opened unless one of them asks for some. */
import type { Log } from "../../base/log.ts";
import type { ConnectionState } from "../../base/net/connection-state.ts";
import { type HandleMessages, type MessageCounts, STREAM_PREFIX } from "../../bus/redis/messages.ts";
import type { Config } from "../../config/settings.ts";
import type { RunningEngine } from "./engine.ts";
import type { Parts } from "./parts.ts";
import { redisAddressOf } from "./redis.ts";

/** Takes messages from now until it is started. */
export interface RedisMessages {
  /** Messages of a channel, or of a Stream (prefix `stream:`), go to `handle`. A source has one handler. */
  on(source: string, handle: HandleMessages): void;
  /** Begins to listen to all of them, if there are any and the configuration names a server. */
  start(): Promise<void>;
}

export interface RedisMessagesNeeds {
  readonly instanceId: string;
  readonly engine: Pick<RunningEngine, "observe" | "sharedClock">;
  readonly counts: MessageCounts;
}

export function createRedisMessages(config: Config, needs: RedisMessagesNeeds, log: Log, parts: Parts): RedisMessages {
  const { instanceId, engine, counts } = needs;
  const { consumerGroup: group } = config.redis;
  const address = redisAddressOf(config);
  const sources = new Map<string, HandleMessages>();
  return {
    on: (source, handle) => void sources.set(source, handle),
    async start() {
      if (address === null || sources.size === 0) return;
      const now = (): number => engine.sharedClock.now();
      const common = { address, now, counts, log };
      const open: { readonly connection: ConnectionState }[] = [];
      const channels = new Map([...sources].filter(([source]) => !source.startsWith(STREAM_PREFIX)));
      if (channels.size > 0) {
        const { startSubscriber } = await import("../../bus/redis/subscriber.ts");
        const subscriber = startSubscriber({ ...common, channels });
        parts.onClose(() => subscriber.stop());
        engine.observe({ fenced: () => {}, committed: () => {}, takenOver: () => subscriber.lookAgain() });
        open.push(subscriber);
      }
      const { startStreamReader } = await import("../../bus/redis/stream-reader.ts");
      const readers = [...sources]
        .filter(([source]) => !channels.has(source))
        .map(([source, handle]) => startStreamReader({ ...common, source, handle, group, consumer: instanceId }));
      parts.onClose(() => Promise.all(readers.map((reader) => reader.stop())));
      open.push(...readers);
      // Redis is well when every connection is.
      const written = parts.connections.get("redis") ?? (() => null);
      parts.reports("redis", () => {
        const states = [written(), ...open.map(({ connection }) => connection)].filter((state) => state !== null);
        return states.find(({ connected }) => !connected) ?? states[0] ?? null;
      });
    },
  };
}
