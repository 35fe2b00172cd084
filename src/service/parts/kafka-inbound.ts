/** What comes from Kafka: starts of runs, and answers of executors. */
import type { Log } from "../../base/log.ts";
import { createInbound } from "../../bus/kafka/inbound.ts";
import { createInlineFlows } from "../../bus/kafka/inline-flows.ts";
import { createOutsideFlows } from "../../bus/kafka/outside-flows.ts";
import { startReader } from "../../bus/kafka/reader.ts";
import { createInboundTopics } from "../../bus/kafka/rewind.ts";
import type { ConnectionOptions } from "../../bus/kafka/sender.ts";
import type { Config } from "../../config/settings.ts";
import type { RejectedMessages } from "../../engine/ports/bus/inbound.ts";
import { DEAD_LETTER_TOPIC } from "../../engine/ports/bus/outbox.ts";
import type { InboundTopics } from "../../engine/ports/bus/topics.ts";
import { DEFAULT_TENANT } from "../../engine/ports/caller.ts";
import type { OutsideRegistry } from "../../flows/ports/outside-registry.ts";
import { fromShort } from "../../flows/short/short-flow.ts";
import { createInboundOffsets, createRejectedMessages } from "../../store/bus/inbound.ts";
import { createCommands } from "./bus-commands.ts";
import type { KafkaNeeds } from "./kafka.ts";
import type { Parts } from "./parts.ts";

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
  const { connection, database, instanceId, engine, flows, metrics } = needs;
  const { shards } = engine;
  const inlineFlows = createInlineFlows(flows, (definition, inputs) =>
    fromShort(definition, inputs, config.engine.retryBackoffBase),
  );
  const registry = await openRegistry(config, log, parts);
  const stopping = new AbortController();
  const inbound = createInbound({
    ...{ inlineFlows, maxBytes, stopping: stopping.signal, log },
    commands: createCommands(config, instanceId, engine),
    findOutside: registry === null ? null : createOutsideFlows(registry, inlineFlows),
    rejected: keepRejected(needs),
    ignored: metrics.ignored,
    tenantOf: (given) => (tenantFrom === FROM_MESSAGE ? given || DEFAULT_TENANT : tenantFrom),
  });
  const started = `${prefix}task_started`;
  const topics = new Map([
    [`${prefix}flow_runs`, inbound.flowRuns],
    [started, inbound.taskStarted],
    [`${prefix}task_done`, inbound.taskDone],
    [`${prefix}task_failed`, inbound.taskFailed],
  ]);
  const offsets = createInboundOffsets(database);
  const reader = startReader({
    ...{ connection, group, autoOffsetReset, shards, topics, offsets, log },
    optional: new Set([started]),
    jumped: metrics.jumped,
  });
  parts.onClose(offsets.listen(() => reader.moved()));
  parts.reports("kafka", () => reader.connection);
  parts.onClose(() => {
    stopping.abort();
    return reader.stop();
  });
  return createInboundTopics({ connection, offsets, group, prefix, topics: [...topics.keys()] });
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
  const { isSameDatabase, openOutsideRegistry } = await import("../../store/outside-registry.ts");
  if (store.databaseUrl !== undefined && isSameDatabase(store.databaseUrl, url)) return null;
  const registry = await openOutsideRegistry(url, table, log);
  parts.onClose(() => registry.close());
  return registry;
}
