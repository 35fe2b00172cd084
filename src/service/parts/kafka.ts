/** Kafka: the outbox relay and the reader of inbound topics. Not loaded unless the configuration names brokers. */
import { createHash } from "node:crypto";
import { invariant } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Config } from "../../config/settings.ts";
import { DEAD_LETTER_TOPIC } from "../../engine/ports/bus/outbox.ts";
import type { InboundTopics } from "../../engine/ports/bus/topics.ts";
import { sendsMessage } from "../../engine/runs/projections/outbox.ts";
import type { OutsideRegistry } from "../../flows/ports/outside-registry.ts";
import type { FlowRegistry } from "../../flows/ports/registry.ts";
import { createInboundOffsets, createRejectedMessages } from "../../store/bus/inbound.ts";
import { createOutbox, createRejectedTasks } from "../../store/bus/outbox.ts";
import type { Database } from "../../store/sql/pool.ts";
import { DEFAULT_TOPIC } from "../../tasks/queue.ts";
import type { RunningEngine } from "./engine.ts";
import type { Parts } from "./parts.ts";

/** The word for "each message names its tenant", and the tenant of those that do not. */
const FROM_MESSAGE = "message";
const DEFAULT_TENANT = "default";

/** Time to reach a broker, milliseconds. */
const TIMEOUT_MS = 10_000;

/** Counters of what happens to topics. */
export interface KafkaMetrics {
  /** The position of a topic had to be moved. */
  jumped(topic: string): void;
}

export interface KafkaNeeds {
  readonly metrics: KafkaMetrics;
  readonly database: Database;
  readonly instanceId: string;
  readonly engine: RunningEngine;
  readonly flows: FlowRegistry;
}

/** Starts the relay and the reader if the configuration names brokers; null otherwise. */
export async function openKafka(
  config: Config,
  needs: KafkaNeeds,
  log: Log,
  parts: Parts,
): Promise<InboundTopics | null> {
  const { bootstrapServers, consumerGroup, autoOffsetReset, topicPrefix = "", createTopics, tenantFrom } = config.kafka;
  if (bootstrapServers === undefined || bootstrapServers.length === 0) {
    parts.reports("kafka", () => null);
    return null;
  }
  const [
    { toSecureOptions },
    { openSender },
    { startReader },
    { createInboundTopics },
    { createInbound },
    { startOutboxRelay },
    { failRejectedTasks },
    { keepOutboxLimits },
    { createInlineFlows },
    { fromShort },
    { createOutsideFlows },
    { createBusCommands },
  ] = await Promise.all([
    import("../../bus/kafka/security.ts"),
    import("../../bus/kafka/sender.ts"),
    import("../../bus/kafka/reader.ts"),
    import("../../bus/kafka/rewind.ts"),
    import("../../bus/kafka/inbound.ts"),
    import("../../bus/outbox-relay.ts"),
    import("../../bus/rejected-tasks.ts"),
    import("../../bus/outbox-limits.ts"),
    import("../../bus/kafka/inline-flows.ts"),
    import("../../flows/short/short-flow.ts"),
    import("../../bus/kafka/outside-flows.ts"),
    import("../../api/bus-commands.ts"),
  ]);
  const { database, instanceId, engine, flows, metrics } = needs;
  const { shards, outboxGate } = engine;
  invariant(outboxGate !== null, "the engine has no gate for the outbox");
  const connection = {
    clientId: `orchestrator-${createHash("sha256").update(instanceId).digest("hex").slice(0, 12)}`,
    bootstrapBrokers: [...bootstrapServers],
    ...toSecureOptions(config.kafka),
    timeout: TIMEOUT_MS,
    retries: 2,
    retryDelay: 250,
  };
  const sender = openSender(connection, {
    nameOf: (topic) => (topic === DEFAULT_TOPIC || topic === DEAD_LETTER_TOPIC ? topicPrefix + topic : topic),
    createTopics,
  });
  parts.onClose(() => sender.close());
  const { runControl, handOvers, cluster, peers } = engine;
  const rejections = failRejectedTasks({ rejected: createRejectedTasks(database), handOvers, shards, log });
  parts.onClose(() => rejections.stop());
  const outbox = createOutbox(database, "kafka");
  const { maxUnsentMessages: maxMessages, maxUnsentBytes } = config.kafka;
  const limits = keepOutboxLimits({ outbox, gate: outboxGate, maxMessages, maxBytes: maxUnsentBytes, log });
  parts.onClose(() => limits.stop());
  const relay = startOutboxRelay({
    ...{ outbox, destination: sender, shards, log },
    rejected: rejections.nudge,
  });
  parts.onClose(() => relay.stop());
  const look = (): void => {
    relay.nudge();
    rejections.nudge();
    limits.nudge();
  };
  engine.observe({
    fenced: () => {},
    takenOver: look,
    committed: (run, records) => {
      if (!records.some((record) => sendsMessage(run, record))) return;
      relay.nudge();
      limits.nudge();
    },
  });
  // Shards that are ours already.
  look();
  const commands = createBusCommands({
    ...{ instanceId, runControl, handOvers, cluster, sender: peers.sender },
    maxMessageBytes: config.limits.maxMessageBytes,
  });
  // A shard of ours, so that this instance sends it; the owner of the partition's, if it has none left.
  const rejectedMessages = createRejectedMessages(
    database,
    DEAD_LETTER_TOPIC,
    ({ topic, partition }) => shards.pick() ?? shards.shardOf(`${topic}/${partition}`),
  );
  const stopping = new AbortController();
  const inlineFlows = createInlineFlows(flows, (definition, inputs) =>
    fromShort(definition, inputs, config.engine.retryBackoffBase),
  );
  const registry = await openRegistry(config, log, parts);
  const inbound = createInbound({
    commands,
    inlineFlows,
    findOutside: registry === null ? null : createOutsideFlows(registry, inlineFlows),
    rejected: {
      keep: async (...args) => {
        await rejectedMessages.keep(...args);
        relay.nudge();
      },
    },
    tenantOf: (given) => (tenantFrom === FROM_MESSAGE ? given || DEFAULT_TENANT : tenantFrom),
    maxBytes: config.limits.maxPayloadBytes,
    stopping: stopping.signal,
    log,
  });
  const topics = new Map([
    [`${topicPrefix}flow_runs`, inbound.flowRuns],
    [`${topicPrefix}task_done`, inbound.taskDone],
    [`${topicPrefix}task_failed`, inbound.taskFailed],
  ]);
  const offsets = createInboundOffsets(database);
  const reader = startReader({
    ...{ connection, group: consumerGroup, autoOffsetReset, shards, log, jumped: metrics.jumped },
    ...{ topics, offsets },
  });
  parts.onClose(offsets.listen(() => reader.moved()));
  parts.reports("kafka", () => reader.connection);
  parts.onClose(() => {
    stopping.abort();
    return reader.stop();
  });
  log.info("Kafka is used", { brokers: bootstrapServers, group: consumerGroup });
  return createInboundTopics({
    ...{ connection, offsets, group: consumerGroup, prefix: topicPrefix },
    topics: [...topics.keys()],
  });
}

/** The outside registry of flows; null: there is none, or it is our own database. */
async function openRegistry({ store, kafka }: Config, log: Log, parts: Parts): Promise<OutsideRegistry | null> {
  const { flowRegistryUrl: url, flowRegistryTable: table } = kafka;
  if (url === undefined) return null;
  const { isSameDatabase, openOutsideRegistry } = await import("../../store/outside-registry.ts");
  if (store.databaseUrl !== undefined && isSameDatabase(store.databaseUrl, url)) return null;
  const registry = await openOutsideRegistry(url, table, log);
  parts.onClose(() => registry.close());
  return registry;
}
