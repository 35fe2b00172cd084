import {
  durationSetting,
  integerSetting,
  listSetting,
  portSetting,
  redisUrlSetting,
  setting,
  sizeSetting,
  textSetting,
} from "../setting-types.ts";

/** Redis. */
export const REDIS = {
  url: setting({
    schema: redisUrlSetting(),
    env: ["ORCHESTRATOR_REDIS_URL", "REDIS_URL"],
    secret: true,
    text: "Redis server for the state of runs: `redis://:password@host:6379/0`, or `rediss://` with TLS; with Sentinels `redis+sentinel://:password@host:26379,host:26379/service/0`. Without it Redis is not used.",
  }),
  host: setting({
    schema: textSetting("a host"),
    env: ["REDIS_HOST"],
    text: "Host of Redis, if there is no URL.",
  }),
  port: setting({
    schema: portSetting(),
    default: 6_379,
    env: ["REDIS_PORT"],
    text: "Port of that host.",
  }),
  password: setting({
    schema: textSetting(),
    env: ["REDIS_PASSWORD"],
    secret: true,
    text: "Password for that host.",
  }),
  database: setting({
    schema: integerSetting(0, 15),
    default: 0,
    env: ["REDIS_DATABASE"],
    text: "Database number on that host.",
  }),
  keyPrefix: setting({
    schema: textSetting("a prefix"),
    env: ["ORCHESTRATOR_REDIS_KEY_PREFIX"],
    text: "Put before the names of all keys, for instance `orch:`.",
  }),
  keyTtl: setting({
    schema: durationSetting(1_000),
    default: 3_600,
    env: ["ORCHESTRATOR_REDIS_KEY_TTL"],
    text: "How long the state of a run stays in Redis after its last change.",
  }),
  workflowRequests: setting({
    schema: listSetting(),
    default: ["workflow-requests"],
    env: ["ORCHESTRATOR_WORKFLOW_REQUESTS"],
    text: "Where requests to start workflows come from: channels, and Streams with the prefix `stream:`. `[]`: nowhere.",
  }),
  workflowResponses: setting({
    schema: listSetting(),
    default: ["workflow-responses"],
    env: ["ORCHESTRATOR_WORKFLOW_RESPONSES"],
    text: "Where it is told that executions of workflows have begun and ended: channels, and Streams with the prefix `stream:`. `[]`: nowhere.",
  }),
  channelPrefix: setting({
    schema: textSetting("a prefix"),
    env: ["ORCHESTRATOR_REDIS_CHANNEL_PREFIX"],
    text: "Put before the names of all channels and Streams, for instance `orch:`.",
  }),
  streamMaxLength: setting({
    schema: integerSetting(100, 1_000_000_000),
    default: 100_000,
    env: ["ORCHESTRATOR_REDIS_STREAM_MAX_LENGTH"],
    text: "About how many entries Streams keep that the service writes.",
  }),
  maxUnsentMessages: setting({
    schema: integerSetting(1, 1_000_000_000),
    default: 1_000_000,
    env: ["ORCHESTRATOR_REDIS_MAX_UNSENT_MESSAGES"],
    text: "Events for Streams, and answers of executions, that may wait while Redis is away, each. When there are more, `emit` tasks for Streams wait, and the oldest answers are dropped; everything else goes on.",
  }),
  maxUnsentBytes: setting({
    schema: sizeSetting(1_024, 1_024 ** 4),
    default: "1GB",
    env: ["ORCHESTRATOR_REDIS_MAX_UNSENT_BYTES"],
    text: "Bytes that may wait, as `max_unsent_messages`.",
  }),
  consumerGroup: setting({
    schema: textSetting("a name"),
    default: "orchestrator",
    env: ["ORCHESTRATOR_REDIS_CONSUMER_GROUP"],
    text: "Consumer group of Streams of Redis: one for each service, shared by its instances.",
  }),
  executionTtl: setting({
    schema: durationSetting(1_000),
    default: "24h",
    env: ["EXECUTION_TTL"],
    text: "The same for executions of workflows, those that are started over `/api/v1/workflows` or by a request over Redis. The history of an execution stays.",
  }),
} as const;
