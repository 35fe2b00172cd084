/** Triggers: events from outside that start flows and signal runs. */
import { createTriggerCalls } from "../../../api/trigger-calls.ts";
import { isOrchestratorError } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import type { Secrets } from "../../../base/secrets/secrets.ts";
import type { Config } from "../../../config/settings.ts";
import { DEAD_LETTER_TOPIC, TASK_CONTROL_TOPIC } from "../../../engine/ports/bus/outbox.ts";
import { INBOUND_TOPICS } from "../../../engine/ports/bus/topics.ts";
import type { TriggerEvents, Triggers } from "../../../engine/ports/bus/triggers.ts";
import { countEvents } from "../../../engine/triggers/event-counts.ts";
import { KnownTriggers } from "../../../engine/triggers/known-triggers.ts";
import { createTriggerEvents } from "../../../engine/triggers/trigger-events.ts";
import { createTriggers } from "../../../engine/triggers/triggers.ts";
import type { FlowRegistry } from "../../../flows/ports/registry.ts";
import { toInvalid } from "../../../flows/triggers/compile-trigger.ts";
import type { TriggerDocument } from "../../../flows/triggers/trigger-document.ts";
import { createTriggerStore } from "../../../store/bus/triggers.ts";
import { DEFAULT_TOPIC } from "../../../tasks/queue.ts";
import { createCommands } from "../bus-commands.ts";
import type { RunningEngine } from "../engine.ts";
import type { Parts } from "../parts.ts";
import { ownRedisNames, redisAddressOf } from "../redis.ts";
import type { Store } from "../store.ts";

export interface TriggerNeeds {
  readonly instanceId: string;
  readonly store: Store;
  readonly engine: RunningEngine;
  readonly flows: FlowRegistry;
  readonly secrets: Secrets;
}

/** What triggers are for the rest of the service. */
export interface TriggerParts {
  readonly triggers: Triggers;
  readonly triggerEvents: TriggerEvents;
}

/** Reads the triggers and follows their changes. */
export async function openTriggers(
  config: Config,
  { instanceId, store: { database, alone }, engine, flows, secrets }: TriggerNeeds,
  log: Log,
  parts: Parts,
): Promise<TriggerParts> {
  const { runControl, runReader, runKeys, peers, sharedClock } = engine;
  const now = (): number => sharedClock.now();
  const stopping = new AbortController();
  const store = createTriggerStore(database, { alone });
  const known = new KnownTriggers(store, log);
  const metrics = {
    counted: (trigger: string, outcome: string) =>
      parts.metrics.counter("orchestrator_trigger_events_total", trigger, outcome).add(),
  };
  const counts = countEvents({ store, metrics, now, log });
  const triggerEvents = createTriggerEvents({
    ...{ known, runKeys, counts, now, log, maxInputBytes: config.limits.maxPayloadBytes },
    commands: createCommands(config, instanceId, engine),
    calls: createTriggerCalls({
      ...{ runControl, runReader, flows, limits: config.limits, route: peers.route, stopping: stopping.signal },
    }),
  });
  const triggers = createTriggers({ store, known, flows, log, checkServed: createServedCheck(config, secrets) });
  await known.open();
  parts.onClose(async () => {
    stopping.abort();
    await known.stop();
    await counts.stop();
  });
  return { triggers, triggerEvents };
}

/** Topics with a meaning of their own: a trigger of dead letters that fails would make dead letters forever. */
const OWN_TOPICS: readonly string[] = [
  DEFAULT_TOPIC,
  ...Object.values(INBOUND_TOPICS),
  TASK_CONTROL_TOPIC,
  DEAD_LETTER_TOPIC,
];

/** What a definition needs and this service has not. */
function createServedCheck(config: Config, secrets: Secrets) {
  const { triggers, kafka } = config;
  const prefix = kafka.topicPrefix ?? "";
  return async ({ source }: TriggerDocument): Promise<void> => {
    const refuse = (field: string, description: string): never => {
      throw toInvalid([{ field, description }]);
    };
    if (source.type === "kafka") {
      if ((kafka.bootstrapServers ?? []).length === 0)
        refuse("source.type", "the service has no Kafka; set kafka.bootstrap_servers");
      // A trigger of dead letters that fails would make dead letters forever.
      if (OWN_TOPICS.some((name) => prefix + name === source.topic))
        refuse("source.topic", "the service uses this topic itself; name another one");
    }
    if (source.type === "redis") {
      if (redisAddressOf(config) === null) refuse("source.type", "the service has no Redis; set redis.url");
      if (ownRedisNames(config).has(source.stream))
        refuse("source.stream", "the service uses this Stream itself; name another one");
    }
    if (source.type !== "webhook") return;
    if (source.scheme === "none" && !triggers.allowUnsigned)
      return refuse(
        "source.scheme",
        "the service takes no webhooks without a signature; set triggers.allow_unsigned (ORCHESTRATOR_TRIGGERS_ALLOW_UNSIGNED), or sign",
      );
    for (const [index, reference] of (source.secrets ?? []).entries())
      await secrets.resolve(reference).catch((error: unknown) => {
        if (!isOrchestratorError(error)) throw error;
        return refuse(`source.secrets[${index}]`, error.message);
      });
  };
}
