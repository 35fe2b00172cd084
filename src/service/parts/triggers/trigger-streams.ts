/** Streams of Redis that triggers read. Nothing is loaded or opened before one does. */
import type { Log } from "../../../base/log.ts";
import type { TriggerStreams } from "../../../bus/redis/trigger-streams.ts";
import type { Config } from "../../../config/settings.ts";
import type { TriggerEvents } from "../../../engine/ports/bus/triggers.ts";
import type { Parts } from "../parts.ts";
import { ownRedisNames, redisAddressOf } from "../redis.ts";
import { countMessages } from "../redis-messages.ts";

export interface TriggerStreamNeeds {
  readonly instanceId: string;
  readonly triggerEvents: TriggerEvents;
  readonly now: () => number;
}

/** Reads the Streams of triggers until the parts close, if the configuration names a server. */
export function openTriggerStreams(config: Config, needs: TriggerStreamNeeds, log: Log, parts: Parts): void {
  const { instanceId: consumer, triggerEvents, now } = needs;
  const counts = countMessages(parts);
  const address = redisAddressOf(config);
  if (address === null) return;
  // The configuration may have changed since the trigger was put.
  const own = ownRedisNames(config);
  const events: TriggerEvents = {
    ...triggerEvents,
    list: () =>
      triggerEvents.list().filter(({ compiled }) => {
        const source = compiled?.document.source;
        return source?.type === "redis" && !own.has(source.stream);
      }),
  };
  let opening: Promise<TriggerStreams> | null = null;
  let streams: TriggerStreams | null = null;
  const open = async (): Promise<TriggerStreams> => {
    const { readTriggerStreams } = await import("../../../bus/redis/trigger-streams.ts");
    streams = readTriggerStreams({
      ...{ address, consumer, counts, now, events, group: config.redis.consumerGroup, log },
      pauseMs: config.testing.suspectPause,
    });
    return streams;
  };
  const follow = async (): Promise<void> => {
    if (events.list().length === 0 && opening === null) return;
    opening ??= open();
    (await opening).follow();
  };
  triggerEvents.onChange(() => void follow());
  void follow();
  // Redis is well when every connection is.
  const others = parts.connections.get("redis") ?? (() => null);
  parts.reports("redis", () => {
    const states = [others(), ...(streams?.connections ?? [])].filter((state) => state !== null);
    return states.find(({ connected }) => !connected) ?? states[0] ?? null;
  });
  parts.onClose(async () => (await opening)?.stop());
}
