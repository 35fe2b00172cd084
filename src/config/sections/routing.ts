import { durationSetting, integerSetting, setting, textSetting, urlSetting } from "../setting-types.ts";

/** The registry of services. */
export const ROUTING = {
  registryUrl: setting({
    schema: urlSetting("http", "https"),
    env: ["ORCHESTRATOR_REGISTRY_URL", "REGISTRY_URL"],
    later: "routing",
    text: "Registry of named services that routed tasks go to.",
  }),
  registrySyncInterval: setting({
    schema: durationSetting(1_000),
    default: 60,
    env: ["REGISTRY_SYNC_INTERVAL"],
    later: "routing",
    text: "How often to read the registry.",
  }),
  registryTimeout: setting({
    schema: durationSetting(1),
    default: 5,
    env: ["REGISTRY_TIMEOUT"],
    later: "routing",
    text: "How long to wait for an answer of the registry.",
  }),
  registryCacheDir: setting({
    schema: textSetting("a folder"),
    env: ["REGISTRY_CACHE_DIR"],
    later: "routing",
    text: "Folder for the copy of the registry on disk; by default in the data folder.",
  }),
  registryCacheExpiry: setting({
    schema: durationSetting(),
    default: 300,
    env: ["REGISTRY_CACHE_EXPIRY"],
    later: "routing",
    text: "Age at which that copy is no longer used.",
  }),
  taskTimeout: setting({
    schema: durationSetting(1),
    default: 30,
    env: ["TASK_TIMEOUT"],
    later: "routing",
    text: "How long to wait for an answer of the target of a routed task.",
  }),
  taskMaxRetries: setting({
    schema: integerSetting(0, 100),
    default: 3,
    env: ["TASK_MAX_RETRIES"],
    later: "routing",
    text: "Retries of a routed task.",
  }),
  taskMaxHistory: setting({
    schema: integerSetting(1, 10_000_000),
    default: 10_000,
    env: ["TASK_MAX_HISTORY"],
    later: "routing",
    text: "Number of routed tasks that the list shows.",
  }),
} as const;
