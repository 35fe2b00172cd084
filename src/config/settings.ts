/**
 * Every setting of the product, in the sections of `orchestrator.yaml`. From this table come the file's JSON Schema, the variables, the flags
 * and docs/config.md. Variables without the prefix are those of the systems whose documents this product keeps.
 */
import type { z } from "zod";
import { INTEGRATION_SETTINGS } from "./integration-settings.ts";
import {
  booleanSetting,
  choiceSetting,
  databaseUrlSetting,
  durationSetting,
  integerSetting,
  listSetting,
  numberSetting,
  portSetting,
  type Setting,
  setting,
  sizeSetting,
  textSetting,
} from "./setting-types.ts";

const MB = 1_024 * 1_024;

/** Sections and their settings. */
const SETTINGS = {
  server: {
    host: setting({
      schema: textSetting("an address to listen at"),
      default: "127.0.0.1",
      env: ["ORCHESTRATOR_HOST"],
      text: "Address to listen at. `0.0.0.0` listens on every interface; traffic is then open to everybody who reaches the machine.",
    }),
    port: setting({
      schema: portSetting(),
      default: 8_002,
      env: ["ORCHESTRATOR_PORT", "ORCHESTRATOR_HTTP_PORT", "PORT"],
      text: "The one port of gRPC, gRPC-Web, Connect and REST. 0 takes any free one.",
    }),
    advertisedAddress: setting({
      schema: textSetting("an address"),
      env: ["ORCHESTRATOR_ADVERTISED_ADDRESS"],
      text: "Where other instances on the database reach this one, `host:port`. Without it the address to listen at, or with `0.0.0.0` the machine's first address in its network.",
    }),
    reflection: setting({
      schema: booleanSetting(),
      default: false,
      env: ["ORCHESTRATOR_REFLECTION"],
      text: "Serve gRPC reflection, so that tools such as grpcurl need no proto files.",
    }),
    corsOrigins: setting({
      schema: listSetting(),
      default: [],
      env: ["ORCHESTRATOR_CORS_ORIGINS"],
      text: "Origins whose pages may call the service from a browser, exactly as the browser sends them: `https://console.example.com`. The service's own origin too, when it is reached by a name.",
    }),
    allowedHosts: setting({
      schema: listSetting(),
      default: [],
      env: ["ORCHESTRATOR_ALLOWED_HOSTS"],
      text: "Names under which the service may be called, beside IP addresses and `localhost`: the host that a reverse proxy passes on, for instance `orchestrator.example.com`, without a port. A service that listens on loopback refuses other names, which protects it from web pages that rebind their DNS name to this machine; elsewhere other names are refused once this list names any. `*` allows every name.",
    }),
    drainTimeout: setting({
      schema: durationSetting(),
      default: "30s",
      env: ["ORCHESTRATOR_DRAIN_TIMEOUT"],
      text: "How long a stop waits for calls and tasks that are under way.",
    }),
  },
  store: {
    dataDir: setting({
      schema: textSetting("a folder"),
      default: "./data",
      env: ["ORCHESTRATOR_DATA_DIR"],
      text: "Folder of the embedded database and of other files that must stay. Only one service may use it.",
    }),
    databaseUrl: setting({
      schema: databaseUrlSetting(),
      env: ["ORCHESTRATOR_DATABASE_URL", "DATABASE_URL"],
      secret: true,
      text: "PostgreSQL 15 or newer: `postgresql://user:password@host:5432/database`. Without it the service runs its own PostgreSQL in the data folder.",
    }),
    preparedStatements: setting({
      schema: booleanSetting(),
      default: true,
      env: ["ORCHESTRATOR_PREPARED_STATEMENTS"],
      text: "Prepare statements. A connection pooler (PgBouncer) is noticed, and then nothing is prepared, whatever this says. Set to false where one is not noticed and SQLSTATE 42P05 or 26000 shows in the log.",
    }),
    readConnections: setting({
      schema: integerSetting(1, 64),
      default: 8,
      env: ["ORCHESTRATOR_READ_CONNECTIONS"],
      text: "Largest number of database connections that answer callers; the journal has its own.",
    }),
  },
  log: {
    level: setting({
      schema: choiceSetting(["trace", "debug", "info", "warn", "error"], {
        warning: "warn",
        critical: "error",
        fatal: "error",
      }),
      default: "info",
      env: ["ORCHESTRATOR_LOG_LEVEL", "LOG_LEVEL"],
      text: "Least important level that is logged: trace, debug, info, warn, error.",
    }),
    format: setting({
      schema: choiceSetting(["auto", "json", "pretty"]),
      default: "auto",
      env: ["ORCHESTRATOR_LOG_FORMAT"],
      text: "`json` one object a line, `pretty` for people; `auto` is pretty on a terminal.",
    }),
  },
  metrics: {
    enabled: setting({
      schema: booleanSetting(),
      default: true,
      env: ["ORCHESTRATOR_METRICS_ENABLED"],
      text: "Serve `/metrics` and `/health` on the metrics port.",
    }),
    port: setting({
      schema: portSetting(),
      default: 9_090,
      env: ["ORCHESTRATOR_METRICS_PORT"],
      text: "Port of metrics and health. When it is busy and was not set, the service says so and goes on without.",
    }),
  },
  engine: {
    instanceId: setting({
      schema: textSetting("a name"),
      env: ["ORCHESTRATOR_INSTANCE_ID"],
      text: "Name of this instance among those that share a database. Made of host name and process when absent.",
    }),
    shards: setting({
      schema: integerSetting(1, 4_096),
      default: 64,
      env: ["ORCHESTRATOR_SHARDS"],
      text: "Number of shards of a new database; an existing one keeps its number.",
    }),
    lanes: setting({
      schema: integerSetting(1, 16),
      default: 2,
      env: ["ORCHESTRATOR_LANES"],
      text: "Connections over which batches of the journal are committed.",
    }),
    leaseTtl: setting({
      schema: durationSetting(1_000),
      default: "10s",
      env: ["ORCHESTRATOR_LEASE_TTL"],
      text: "How long an instance that says nothing keeps its shards. Another takes over after it.",
    }),
    maxLoopStall: setting({
      schema: durationSetting(),
      default: "6s",
      env: ["ORCHESTRATOR_MAX_LOOP_STALL"],
      text: "How long the event loop may stand still. Then the watchdog names the run in hand, if there is one, and ends the process with exit code 142. At most 0.6 × the lease time; 0 switches the watchdog off. It does not judge while the process is stopped or debugged.",
    }),
    defaultRunTimeout: setting({
      schema: durationSetting(),
      default: 0,
      env: ["ORCHESTRATOR_DEFAULT_RUN_TIMEOUT", "DEFAULT_WORKFLOW_TIMEOUT"],
      text: "Timeout of runs whose flow gives none; 0 is none.",
    }),
    defaultTaskTimeout: setting({
      schema: durationSetting(),
      default: "300s",
      env: ["ORCHESTRATOR_TASK_TIMEOUT_DEFAULT"],
      text: "Timeout of one attempt of a task that calls something outside when neither its flow nor its type gives one (`http`: 30 s).",
    }),
    maxRetryAttempts: setting({
      schema: integerSetting(0, 1_000),
      default: 3,
      env: ["ORCHESTRATOR_MAX_RETRY_ATTEMPTS"],
      later: "Kafka",
      text: "Retries of a task from outside (Kafka) that gives no number.",
    }),
    retryBackoffBase: setting({
      schema: numberSetting(1, 100),
      default: 2,
      env: ["ORCHESTRATOR_RETRY_BACKOFF_BASE"],
      later: "Kafka",
      text: "Base of the exponential backoff of those retries: the n-th waits base^n seconds.",
    }),
  },
  limits: {
    maxPayloadBytes: setting({
      schema: sizeSetting(1_024, 4 * MB),
      default: "2MB",
      env: ["ORCHESTRATOR_MAX_PAYLOAD_BYTES"],
      text: "Largest input, signal or form, as JSON.",
    }),
    maxInlinePayloadBytes: setting({
      schema: sizeSetting(1_024, 4 * MB),
      default: "256KB",
      env: ["ORCHESTRATOR_MAX_INLINE_PAYLOAD_BYTES"],
      text: "Payloads above this are answered as a reference, unless the read mask asks for their JSON.",
    }),
    maxFlowBytes: setting({
      schema: sizeSetting(1_024, 256 * 1_024),
      default: "256KB",
      env: ["ORCHESTRATOR_MAX_FLOW_BYTES"],
      text: "Largest source text of a flow.",
    }),
    maxMessageBytes: setting({
      schema: sizeSetting(64 * 1_024, 64 * MB),
      default: "4MB",
      env: ["ORCHESTRATOR_MAX_MESSAGE_BYTES"],
      text: "Largest request of any protocol.",
    }),
  },
  templates: {
    dir: setting({
      schema: textSetting("a folder"),
      default: "./templates",
      env: ["ORCHESTRATOR_TEMPLATES"],
      text: "Folder of flow templates (YAML). When it does not exist the templates that come with the service are used.",
    }),
  },
  graphs: {
    modules: setting({
      schema: listSetting(),
      default: [],
      env: ["ORCHESTRATOR_GRAPH_MODULES"],
      text: "Modules (paths) that export compiled LangGraph graphs for `graph` flows. They run with the rights of the service: name only your own.",
    }),
    timeout: setting({
      schema: durationSetting(1_000),
      default: "10m",
      env: ["ORCHESTRATOR_GRAPH_TIMEOUT"],
      text: "Longest attempt of a graph. A flow may set a shorter one (`attempt_timeout`).",
    }),
    maxMemory: setting({
      schema: sizeSetting(32 * MB, 16_384 * MB),
      default: "256MB",
      env: ["ORCHESTRATOR_GRAPH_MAX_MEMORY"],
      text: "Heap of a worker for graphs, and apart from it its memory outside the heap.",
    }),
    maxSteps: setting({
      schema: integerSetting(1, 1_000_000),
      default: 1_000,
      env: ["ORCHESTRATOR_GRAPH_MAX_STEPS"],
      text: "Most steps of a graph in one attempt.",
    }),
    workers: setting({
      schema: integerSetting(1, 64),
      default: 4,
      env: ["ORCHESTRATOR_GRAPH_WORKERS"],
      text: "Graphs that run at the same time, each in a worker thread of its own.",
    }),
  },
  http: {
    allow: setting({
      schema: listSetting(),
      default: [],
      env: ["ORCHESTRATOR_HTTP_ALLOW"],
      text: "Hosts that `http` tasks may call although they are private addresses or speak plain HTTP: `host`, `host:port`, address, or CIDR such as `10.1.0.0/16`.",
    }),
    maxResponseBytes: setting({
      schema: sizeSetting(1_024, 4 * MB),
      default: "2MB",
      env: ["ORCHESTRATOR_HTTP_MAX_RESPONSE_BYTES"],
      text: "Largest answer that an `http` task reads.",
    }),
    maxRedirects: setting({
      schema: integerSetting(0, 10),
      default: 3,
      env: ["ORCHESTRATOR_HTTP_MAX_REDIRECTS"],
      text: "Redirects that an `http` task follows; each target is checked like the first.",
    }),
  },
  tools: {
    breakerFailures: setting({
      schema: integerSetting(1, 1_000_000),
      default: 10,
      env: ["ORCHESTRATOR_TOOLS_BREAKER_FAILURES"],
      text: "Retryable failures in a row after which the calls of a task to an origin are deferred (`BREAKER_OPEN`). A 429 does not count.",
    }),
    breakerOpen: setting({
      schema: durationSetting(),
      default: "1s",
      env: ["ORCHESTRATOR_TOOLS_BREAKER_OPEN"],
      text: "How long an open breaker defers calls before it lets one through; doubles with each failure of that call.",
    }),
    breakerMaxOpen: setting({
      schema: durationSetting(),
      default: "30s",
      env: ["ORCHESTRATOR_TOOLS_BREAKER_MAX_OPEN"],
      text: "Longest time for which a breaker stays open, and for which it defers one attempt.",
    }),
    maxConcurrent: setting({
      schema: integerSetting(1, 100_000),
      default: 100,
      env: ["ORCHESTRATOR_TOOLS_MAX_CONCURRENT"],
      text: "Calls of one task to one origin that one instance makes at the same time.",
    }),
    maxQueued: setting({
      schema: integerSetting(0, 1_000_000),
      default: 1_000,
      env: ["ORCHESTRATOR_TOOLS_MAX_QUEUED"],
      text: "Calls that wait for one of those to end; more are deferred (`BULKHEAD_FULL`).",
    }),
  },
  ...INTEGRATION_SETTINGS,
  testing: {
    enabled: setting({
      schema: booleanSetting(),
      default: false,
      env: ["ORCHESTRATOR_TESTING"],
      text: "Allows what only tests of the service may do. Never set it where the service has work to do.",
    }),
    failPoints: setting({
      schema: textSetting("fail points"),
      env: ["ORCHESTRATOR_FAIL_POINTS"],
      text: "Places where the process dies, throws or stands still: `commit.after=kill@17`. Refused unless testing is allowed.",
    }),
  },
} as const satisfies Record<string, Record<string, Setting>>;

type Sections = typeof SETTINGS;

type Value<S extends Setting> = S extends { readonly default: unknown }
  ? z.output<S["schema"]>
  : z.output<S["schema"]> | undefined;

/** The configuration after all sources are merged: durations in milliseconds, sizes in bytes. */
export type Config = {
  readonly [S in keyof Sections]: {
    readonly [K in keyof Sections[S]]: Sections[S][K] extends Setting ? Value<Sections[S][K]> : never;
  };
};

/** A setting with its place. */
export interface NamedSetting extends Setting {
  readonly section: string;
  readonly key: string;
  /** As the file writes it: `server.cors_origins`. */
  readonly path: string;
  /** As the command line writes it: `--cors-origins`. */
  readonly flag: string;
}

/** All settings in the order of the table. */
export function listSettings(): readonly NamedSetting[] {
  return Object.entries(SETTINGS).flatMap(([section, settings]) =>
    Object.entries(settings as Record<string, Setting>).map(([key, declared]) => ({
      ...declared,
      section,
      key,
      path: `${section}.${toSnake(key)}`,
      flag: `--${declared.env[0]
        .replace(/^ORCHESTRATOR_/, "")
        .toLowerCase()
        .replaceAll("_", "-")}`,
    })),
  );
}

function toSnake(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
