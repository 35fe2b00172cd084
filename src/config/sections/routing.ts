import { servicesSetting } from "../service-entries.ts";
import { durationSetting, integerSetting, listSetting, setting, textSetting, urlSetting } from "../setting-types.ts";

/** Services that are called by name, and their registry. */
export const ROUTING = {
  services: setting({
    schema: servicesSetting(),
    default: {},
    env: ["ORCHESTRATOR_ROUTING_SERVICES"],
    text: "Services that `http` tasks name, each `{url, headers, timeout}` and further keys. Paths of tasks are below `url`, whose address may be private and speak plain HTTP. Values of `headers` may be references to secrets (`secret://billing`); they are sent to that origin only. `timeout` bounds one request, whatever the task allows. `retry` says which failures may be retried: those that the task retries (`task`, the default), those of requests that change nothing or did not arrive (`safe`), or none (`never`). `max_concurrent`, `max_queued`, `breaker_failures`, `breaker_open`, and `breaker_max_open` replace the settings `tools.*` for its calls. `limit` names a declared limit of which each call takes a slot, unless its task has a limit of its own. `health_path` is called to see whether it can be reached; without one, a connection is enough.",
  }),
  registryUrl: setting({
    schema: urlSetting("http", "https"),
    env: ["ORCHESTRATOR_REGISTRY_URL", "REGISTRY_URL"],
    text: "Registry of services: its list (`GET /droplets`, else `GET /registry`) says where further services are that `http` tasks name. By default `http://localhost:8000`, which is read from the first call on that routes a task or lists services. Entries of `routing.services` and services that were put hide those of the same name.",
  }),
  registrySyncInterval: setting({
    schema: durationSetting(1_000),
    default: 60,
    env: ["REGISTRY_SYNC_INTERVAL"],
    text: "How often to read the registry.",
  }),
  registryTimeout: setting({
    schema: durationSetting(1),
    default: 5,
    env: ["REGISTRY_TIMEOUT"],
    text: "How long to wait for an answer of the registry.",
  }),
  registryCacheDir: setting({
    schema: textSetting("a folder"),
    env: ["REGISTRY_CACHE_DIR"],
    text: "Folder for the copy of the registry on disk, from which a service starts while the registry is away. By default `/var/cache/fpai` if it can be written to, else the data folder.",
  }),
  registryCacheExpiry: setting({
    schema: durationSetting(),
    default: 300,
    env: ["REGISTRY_CACHE_EXPIRY"],
    text: "How long the newest list that was read is used, on disk and in memory.",
  }),
  registryPath: setting({
    schema: textSetting("a path"),
    env: ["REGISTRY_PATH"],
    text: "Path of the list at the registry, if it is another one.",
  }),
  registryNetworks: setting({
    schema: listSetting(),
    default: [],
    env: ["ORCHESTRATOR_ROUTING_REGISTRY_NETWORKS"],
    text: "Networks that services of the registry may be in: `10.1.0.0/16`. By default all, private ones included; link-local and other special addresses never.",
  }),
  taskTimeout: setting({
    schema: durationSetting(1),
    default: 30,
    env: ["TASK_TIMEOUT"],
    text: "How long one call of a routed task may take.",
  }),
  taskMaxRetries: setting({
    schema: integerSetting(0, 100),
    default: 3,
    env: ["TASK_MAX_RETRIES"],
    text: "Calls of a routed task after the first one, after 1, 2, 4 s, and so on.",
  }),
  taskMaxHistory: setting({
    schema: integerSetting(1, 10_000_000),
    default: 10_000,
    env: ["TASK_MAX_HISTORY"],
    text: "Number of routed tasks that each tenant keeps; older ones are deleted, and those that ended more than 24 hours ago.",
  }),
} as const;
