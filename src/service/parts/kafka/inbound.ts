/** What comes from Kafka: starts of runs, and answers of executors. */
import type { Log } from "../../../base/log.ts";
import type { Handle } from "../../../bus/kafka/broker-reads.ts";
import { createInbound } from "../../../bus/kafka/inbound.ts";
import { createInlineFlows } from "../../../bus/kafka/inline-flows.ts";
import { createOutsideFlows } from "../../../bus/kafka/outside-flows.ts";
import { startReader } from "../../../bus/kafka/reader.ts";
import { createInboundTopics } from "../../../bus/kafka/rewind.ts";
import type { ConnectionOptions } from "../../../bus/kafka/sender.ts";
import { Trials } from "../../../bus/kafka/trials.ts";
import { followTriggerTopics } from "../../../bus/kafka/trigger-topics.ts";
import { OwnerDeaths } from "../../../bus/owner-deaths.ts";
import type { Config } from "../../../config/settings.ts";
import type { RejectedMessages } from "../../../engine/ports/bus/inbound.ts";
import { DEAD_LETTER_TOPIC } from "../../../engine/ports/bus/outbox.ts";
import { INBOUND_TOPICS, type InboundTopics } from "../../../engine/ports/bus/topics.ts";
import { DEFAULT_TENANT } from "../../../engine/ports/caller.ts";
import type { OutsideRegistry } from "../../../flows/ports/outside-registry.ts";
import { fromShort } from "../../../flows/short/short-flow.ts";
import { createInboundOffsets, createRejectedMessages } from "../../../store/bus/inbound.ts";
import { createMessageSuspects, createPartitionReaders } from "../../../store/bus/suspects.ts";
import { createCommands } from "../bus-commands.ts";
import type { Parts } from "../parts.ts";
import type { KafkaNeeds } from "./kafka.ts";

/** The word for "each message names its tenant". */
const FROM_MESSAGE = "message";

export interface KafkaInboundNeeds extends KafkaNeeds {
  readonly connection: ConnectionOptions;
  /** A dead letter was written. */
  written(): void;
}

/** Reads until the parts close. */
export async function openKafkaInbound(
  config: Config,
  needs: KafkaInboundNeeds,
  log: Log,
  parts: Parts,
): Promise<InboundTopics> {
  const { consumerGroup: group, autoOffsetReset, topicPrefix: prefix = "", tenantFrom } = config.kafka;
  const { maxPayloadBytes: maxBytes } = config.limits;
  const { connection, database, instanceId, engine, flows } = needs;
  const { metrics } = parts;
  const { shards } = engine;
  const inlineFlows = createInlineFlows(flows, (definition, inputs) =>
    fromShort(definition, inputs, config.engine.retryBackoffBase),
  );
  const registry = await openRegistry(config, log, parts);
  const stopping = new AbortController();
  const rejected = keepRejected(needs);
  const trials = new Trials({
    ...{ suspects: createMessageSuspects(database), rejected, stopping: stopping.signal, log },
    pauseMs: config.testing.suspectPause,
  });
  const ownerDeaths = new OwnerDeaths({ stopping: stopping.signal, pauseMs: config.testing.suspectPause });
  const inbound = createInbound({
    ...{ inlineFlows, maxBytes, rejected, trials, ownerDeaths, stopping: stopping.signal, log },
    commands: createCommands(config, instanceId, engine),
    findOutside: registry === null ? null : createOutsideFlows(registry, inlineFlows),
    ignored: (reason) => metrics.counter("orchestrator_kafka_ignored_answers_total", reason).add(),
    tenantOf: (given) => (tenantFrom === FROM_MESSAGE ? given || DEFAULT_TENANT : tenantFrom),
  });
  const topics = new Map<string, Handle>(
    (Object.keys(INBOUND_TOPICS) as (keyof typeof INBOUND_TOPICS)[]).map((kind) => [
      prefix + INBOUND_TOPICS[kind],
      inbound[kind],
    ]),
  );
  const resets = new Map<string, "latest" | "earliest">();
  const follow = followTriggerTopics({
    ...{ topics, resets, events: needs.triggerEvents, rejected, trials, ownerDeaths, stopping: stopping.signal, log },
  });
  needs.triggerEvents.onChange(follow);
  follow();
  const offsets = createInboundOffsets(database);
  const reader = startReader({
    ...{ connection, group, autoOffsetReset, resets, shards, topics, offsets, trials, log },
    readers: createPartitionReaders(database),
    optional: new Set([prefix + INBOUND_TOPICS.taskStarted]),
    jumped: (topic) => metrics.counter("orchestrator_kafka_jumps_total", topic).add(),
  });
  parts.onClose(offsets.listen(() => reader.moved()));
  parts.reports("kafka", () => reader.connection);
  parts.onClose(() => {
    stopping.abort();
    return reader.stop();
  });
  return createInboundTopics({ connection, offsets, group, prefix, topics });
}

/** Keeps rejected messages, and has their dead letters sent. */
function keepRejected({ database, engine: { shards }, written }: KafkaInboundNeeds): RejectedMessages {
  // A shard of ours, so that this instance sends it; the owner of the partition's, if it has none left.
  const rejected = createRejectedMessages(
    database,
    DEAD_LETTER_TOPIC,
    ({ topic, partition }) => shards.pick() ?? shards.shardOf(`${topic}/${partition}`),
  );
  return {
    async keep(...args) {
      await rejected.keep(...args);
      written();
    },
  };
}

/** The outside registry of flows; null: there is none, or it is our own database. */
async function openRegistry({ store, kafka }: Config, log: Log, parts: Parts): Promise<OutsideRegistry | null> {
  const { flowRegistryUrl: url, flowRegistryTable: table } = kafka;
  if (url === undefined) return null;
  const { isSameDatabase, openOutsideRegistry } = await import("../../../store/outside-registry.ts");
  if (store.databaseUrl !== undefined && isSameDatabase(store.databaseUrl, url)) return null;
  const registry = await openOutsideRegistry(url, table, log);
  parts.onClose(() => registry.close());
  return registry;
}
