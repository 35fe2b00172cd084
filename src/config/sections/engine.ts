import { durationSetting, integerSetting, numberSetting, setting, textSetting } from "../setting-types.ts";

/** Shards, leases and defaults of runs. */
export const ENGINE = {
  instanceId: setting({
    schema: textSetting("a name"),
    env: ["ORCHESTRATOR_INSTANCE_ID"],
    text: "Name of this instance among those that share a database. By default made from host name and process.",
  }),
  shards: setting({
    schema: integerSetting(1, 4_096),
    default: 64,
    env: ["ORCHESTRATOR_SHARDS"],
    text: "Number of shards of a new database; an existing one keeps its number.",
  }),
  commitConnections: setting({
    schema: integerSetting(1, 16),
    default: 2,
    env: ["ORCHESTRATOR_COMMIT_CONNECTIONS"],
    text: "Connections over which batches of the journal are committed.",
  }),
  leaseTtl: setting({
    schema: durationSetting(1_000),
    default: "10s",
    env: ["ORCHESTRATOR_LEASE_TTL"],
    text: "How long an instance that does not renew its leases keeps its shards. Then another instance takes them over.",
  }),
  maxLoopStall: setting({
    schema: durationSetting(),
    default: "6s",
    env: ["ORCHESTRATOR_MAX_LOOP_STALL"],
    text: "How long the event loop may stand still. After that, the watchdog names the current run, if there is one, and ends the process with exit code 142. At most 0.6 × the lease time; 0 turns the watchdog off. It does nothing while the process is stopped or being debugged.",
  }),
  defaultRunTimeout: setting({
    schema: durationSetting(),
    default: 0,
    env: ["ORCHESTRATOR_DEFAULT_RUN_TIMEOUT", "DEFAULT_WORKFLOW_TIMEOUT"],
    text: "Timeout of runs whose flow sets none; 0 means no timeout.",
  }),
  defaultTaskTimeout: setting({
    schema: durationSetting(1),
    default: "300s",
    env: ["ORCHESTRATOR_TASK_TIMEOUT_DEFAULT"],
    text: "Timeout of one attempt of a task that calls something outside, or is done by an executor, if neither its flow nor its type sets one (`http`: 30 s).",
  }),
  maxRetryAttempts: setting({
    schema: integerSetting(0, 1_000),
    default: 3,
    env: ["ORCHESTRATOR_MAX_RETRY_ATTEMPTS"],
    text: "Retries of a `queue` task without `retry_policy`, and of a task in a message that sets no number.",
  }),
  retryBackoffBase: setting({
    schema: numberSetting(1, 100),
    default: 2,
    env: ["ORCHESTRATOR_RETRY_BACKOFF_BASE"],
    text: "Base of the exponential backoff of those retries, and of all tasks in the short format: the n-th waits base^n seconds, at most a day.",
  }),
} as const;
