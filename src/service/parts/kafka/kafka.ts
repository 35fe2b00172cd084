/** Kafka: what goes out, and what comes in. Not loaded unless the configuration names brokers. */
import { createHash } from "node:crypto";
import type { Log } from "../../../base/log.ts";
import type { Config } from "../../../config/settings.ts";
import type { InboundTopics } from "../../../engine/ports/bus/topics.ts";
import type { TriggerEvents } from "../../../engine/ports/bus/triggers.ts";
import type { FlowRegistry } from "../../../flows/ports/registry.ts";
import type { Database } from "../../../store/sql/pool.ts";
import type { RunningEngine } from "../engine.ts";
import type { Relays } from "../outgoing/relays.ts";
import type { Parts } from "../parts.ts";

/** Time to reach a broker, milliseconds. */
const TIMEOUT_MS = 10_000;

export interface KafkaNeeds {
  readonly database: Database;
  readonly instanceId: string;
  readonly engine: RunningEngine;
  readonly flows: FlowRegistry;
  readonly relays: Relays;
  readonly triggerEvents: TriggerEvents;
}

/** Sends and reads if the configuration names brokers; null otherwise. */
export async function openKafka(
  config: Config,
  needs: KafkaNeeds,
  log: Log,
  parts: Parts,
): Promise<InboundTopics | null> {
  const { bootstrapServers: brokers = [], consumerGroup: group } = config.kafka;
  if (brokers.length === 0) {
    parts.reports("kafka", () => null);
    return null;
  }
  const [{ toSecureOptions }, { openKafkaOutgoing }, { openKafkaInbound }] = await Promise.all([
    import("../../../bus/kafka/security.ts"),
    import("./outgoing.ts"),
    import("./inbound.ts"),
  ]);
  const connection = {
    clientId: `orchestrator-${createHash("sha256").update(needs.instanceId).digest("hex").slice(0, 12)}`,
    bootstrapBrokers: [...brokers],
    ...toSecureOptions(config.kafka),
    timeout: TIMEOUT_MS,
    retries: 2,
    retryDelay: 250,
  };
  const outgoing = openKafkaOutgoing(config, { ...needs, connection }, log, parts);
  const inbound = await openKafkaInbound(config, { ...needs, connection, written: outgoing.written }, log, parts);
  log.info("Kafka is used", { brokers, group });
  return inbound;
}
