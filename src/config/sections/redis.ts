import { durationSetting, integerSetting, portSetting, setting, textSetting, urlSetting } from "../setting-types.ts";

/** Redis. */
export const REDIS = {
  url: setting({
    schema: urlSetting("redis", "rediss"),
    env: ["ORCHESTRATOR_REDIS_URL", "REDIS_URL"],
    secret: true,
    later: "Redis",
    text: "Redis for hot state and messages: `redis://:password@host:6379/0`.",
  }),
  host: setting({
    schema: textSetting("a host"),
    env: ["REDIS_HOST"],
    later: "Redis",
    text: "Host of Redis, if there is no URL.",
  }),
  port: setting({
    schema: portSetting(),
    default: 6_379,
    env: ["REDIS_PORT"],
    later: "Redis",
    text: "Port of that host.",
  }),
  password: setting({
    schema: textSetting(),
    env: ["REDIS_PASSWORD"],
    secret: true,
    later: "Redis",
    text: "Password for that host.",
  }),
  database: setting({
    schema: integerSetting(0, 15),
    default: 0,
    env: ["REDIS_DATABASE"],
    later: "Redis",
    text: "Database number on that host.",
  }),
  keyTtl: setting({
    schema: durationSetting(),
    default: 3_600,
    env: ["ORCHESTRATOR_REDIS_KEY_TTL"],
    later: "Redis",
    text: "How long the state of a run stays in Redis.",
  }),
  executionTtl: setting({
    schema: durationSetting(),
    default: "24h",
    env: ["EXECUTION_TTL"],
    later: "Redis",
    text: "How long the state of a workflow execution stays in Redis.",
  }),
} as const;
