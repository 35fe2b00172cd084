import { choiceSetting, databaseUrlSetting, listSetting, setting, textSetting } from "../setting-types.ts";

/** Kafka. */
export const KAFKA = {
  bootstrapServers: setting({
    schema: listSetting(),
    env: ["ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS"],
    later: "Kafka",
    text: "Brokers, `host:port`. Without them Kafka is not used.",
  }),
  consumerGroup: setting({
    schema: textSetting("a name"),
    default: "orchestrator-service",
    env: ["ORCHESTRATOR_KAFKA_CONSUMER_GROUP"],
    later: "Kafka",
    text: "Consumer group of the service.",
  }),
  autoOffsetReset: setting({
    schema: choiceSetting(["latest", "earliest"]),
    default: "latest",
    env: ["ORCHESTRATOR_KAFKA_AUTO_OFFSET_RESET"],
    later: "Kafka",
    text: "Where a new consumer group begins.",
  }),
  flowRegistryUrl: setting({
    schema: databaseUrlSetting(),
    env: ["ORCHESTRATOR_FLOW_REGISTRY_URL"],
    secret: true,
    later: "Kafka",
    text: "Database of an outside flow registry that events refer to.",
  }),
} as const;
