import {
  booleanSetting,
  choiceSetting,
  databaseUrlSetting,
  integerSetting,
  listSetting,
  setting,
  sizeSetting,
  textSetting,
} from "../setting-types.ts";

/** Kafka. */
export const KAFKA = {
  bootstrapServers: setting({
    schema: listSetting(),
    env: ["ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS"],
    text: "Brokers, `host:port`. Without them Kafka is not used.",
  }),
  tls: setting({
    schema: booleanSetting(),
    default: false,
    env: ["ORCHESTRATOR_KAFKA_TLS"],
    text: "Whether the brokers are reached over TLS.",
  }),
  tlsCaFile: setting({
    schema: textSetting("a path"),
    env: ["ORCHESTRATOR_KAFKA_TLS_CA_FILE"],
    text: "File of the authorities that sign the certificates of the brokers, PEM; those of the system when absent.",
  }),
  tlsCertFile: setting({
    schema: textSetting("a path"),
    env: ["ORCHESTRATOR_KAFKA_TLS_CERT_FILE"],
    text: "File of the certificate that the service shows to the brokers, PEM.",
  }),
  tlsKeyFile: setting({
    schema: textSetting("a path"),
    env: ["ORCHESTRATOR_KAFKA_TLS_KEY_FILE"],
    text: "File of the key of that certificate, PEM.",
  }),
  saslMechanism: setting({
    schema: choiceSetting(["none", "plain", "scram-sha-256", "scram-sha-512"]),
    default: "none",
    env: ["ORCHESTRATOR_KAFKA_SASL_MECHANISM"],
    text: "How the service logs in at the brokers.",
  }),
  saslUsername: setting({
    schema: textSetting("a name"),
    env: ["ORCHESTRATOR_KAFKA_SASL_USERNAME"],
    text: "User of that login.",
  }),
  saslPassword: setting({
    schema: textSetting(),
    env: ["ORCHESTRATOR_KAFKA_SASL_PASSWORD"],
    secret: true,
    text: "Password of that login.",
  }),
  consumerGroup: setting({
    schema: textSetting("a name"),
    default: "orchestrator-service",
    env: ["ORCHESTRATOR_KAFKA_CONSUMER_GROUP"],
    text: "Consumer group that the service names to the brokers. Positions are kept in the database, not in the group.",
  }),
  autoOffsetReset: setting({
    schema: choiceSetting(["latest", "earliest"]),
    default: "latest",
    env: ["ORCHESTRATOR_KAFKA_AUTO_OFFSET_RESET"],
    text: "Where a topic begins that was never read.",
  }),
  topicPrefix: setting({
    schema: textSetting("a prefix"),
    env: ["ORCHESTRATOR_KAFKA_TOPIC_PREFIX"],
    text: "Put before the names of the service's own topics: `flow_runs`, `task_queue`, `task_started`, `task_done`, `task_failed`, `task_control`, and `dead_letter_queue`. The topics of flows are used as they are written.",
  }),
  taskControl: setting({
    schema: booleanSetting(),
    default: false,
    env: ["ORCHESTRATOR_KAFKA_TASK_CONTROL"],
    text: "Whether executors are told, on the topic `task_control`, of attempts that are over though nobody has answered: the run was canceled, terminated, or out of time, the attempt timed out, or somebody ended the task by a call.",
  }),
  maxUnsentMessages: setting({
    schema: integerSetting(1, 1_000_000_000),
    default: 1_000_000,
    env: ["ORCHESTRATOR_KAFKA_MAX_UNSENT_MESSAGES"],
    text: "Messages that may wait for the brokers. When there are more, tasks for topics and events wait before they become messages; starts and everything else go on.",
  }),
  maxUnsentBytes: setting({
    schema: sizeSetting(1_024, 1_024 ** 4),
    default: "1GB",
    env: ["ORCHESTRATOR_KAFKA_MAX_UNSENT_BYTES"],
    text: "Bytes that may wait for the brokers, as `max_unsent_messages`.",
  }),
  createTopics: setting({
    schema: booleanSetting(),
    default: false,
    env: ["ORCHESTRATOR_KAFKA_CREATE_TOPICS"],
    text: "Whether missing topics are created; otherwise they are waited for.",
  }),
  tenantFrom: setting({
    schema: textSetting("message, or a tenant"),
    default: "message",
    env: ["ORCHESTRATOR_KAFKA_TENANT_FROM"],
    text: "Tenant of the runs that messages start: `message` for what each says in `tenant_id` (`default` when it says nothing), or one tenant for all of them, whatever they say.",
  }),
  flowRegistryUrl: setting({
    schema: databaseUrlSetting(),
    env: ["ORCHESTRATOR_FLOW_REGISTRY_URL"],
    secret: true,
    text: "PostgreSQL database of an outside registry of flows: messages that name a flow which is not registered here get its latest version there. It is only read, at most once a minute for each flow; while it is away, messages wait for up to a minute. The service's own database counts as none.",
  }),
  flowRegistryTable: setting({
    schema: textSetting("the name of a table"),
    default: "flows",
    env: ["ORCHESTRATOR_FLOW_REGISTRY_TABLE"],
    text: "Table of that registry, with the columns `flow_id`, `version`, and `definition` (jsonb); `schema.table` if it is not in the search path.",
  }),
} as const;
