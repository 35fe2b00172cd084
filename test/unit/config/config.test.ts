import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { renderConfigFiles } from "../../../scripts/config-docs.ts";
import type { OrchestratorError } from "../../../src/base/errors.ts";
import { isSet, type LoadedConfig, loadConfig } from "../../../src/config/config.ts";
import { printConfig } from "../../../src/config/print.ts";
import { listSettings } from "../../../src/config/settings.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";

function writeFile(text: string): string {
  const path = join(createTemporaryFolder(), "orchestrator.yaml");
  writeFileSync(path, text);
  return path;
}

async function load(env: Record<string, string> = {}, flags: Record<string, unknown> = {}): Promise<LoadedConfig> {
  return loadConfig({ env, flags });
}

async function problemsOf(loading: Promise<unknown>): Promise<Record<string, string>> {
  const error = await loading.then(
    () => expect.unreachable("the configuration should be refused"),
    (thrown: OrchestratorError) => thrown,
  );
  expect(error.code).toBe("CONFIG_INVALID");
  for (const { field, description } of error.violations) expect(error.message).toContain(`${field}: ${description}`);
  return Object.fromEntries(error.violations.map(({ field, description }) => [field, description]));
}

describe("the configuration", () => {
  test("has usable defaults when nothing is given", async () => {
    const { config, warnings } = await load();
    expect(config.server).toMatchObject({
      host: "127.0.0.1",
      port: 8002,
      reflection: false,
      corsOrigins: [],
      drainTimeout: 30_000,
    });
    expect(config.store).toMatchObject({ dataDir: "./data", databaseUrl: undefined });
    expect(config.limits.maxFlowBytes).toBe(256 * 1024);
    expect(warnings).toEqual([]);
  });

  test("takes lists in every form in which they reach it, also JSON whose quotes a shell took away", async () => {
    const listOf = async (text: string) =>
      (await load({ ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS: text })).config.kafka.bootstrapServers;
    expect(await listOf('["a:1", "b:2"]')).toEqual(["a:1", "b:2"]);
    expect(await listOf("[a:1, b:2]")).toEqual(["a:1", "b:2"]);
    expect(await listOf("a:1,b:2")).toEqual(["a:1", "b:2"]);
    expect(await listOf("[::1]:9092")).toEqual(["[::1]:9092"]);
    const refused = {
      ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS: 'expected a list: a, b or ["a", "b"], got "[\\"a:1, b:2]"',
    };
    expect(await problemsOf(load({ ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS: '["a:1, b:2]' }))).toEqual(refused);
  });

  // Cause: headers that the service sets itself were left out without a word.
  test("refuses headers of endpoints that the service sets itself", async () => {
    const endpoint = (name: string) => ({
      ORCHESTRATOR_WEBHOOKS_ENDPOINTS: JSON.stringify({
        billing: { url: "https://a.example", secret: "secret://billing", headers: { [name]: "x" } },
      }),
    });
    for (const name of ["Content-Type", "user-agent", "webhook-id", "Orchestrator-Run-Id", "Host"])
      expect(Object.values(await problemsOf(load(endpoint(name))))).toEqual([
        expect.stringMatching(`^endpoint billing.headers.${name}: the header ${name} is set by the service, `),
      ]);
    expect((await load(endpoint("x-webhook"))).config.webhooks.endpoints["billing"]?.headers).toEqual({
      "x-webhook": "x",
    });
  });

  // Cause: prompts went to metadata services, to the service itself, and to names that nobody can tell apart.
  test("refuses providers of models at addresses that are never called, and models with unseen characters", async () => {
    const provider = (base_url: string, model = "small") => ({
      ORCHESTRATOR_PORT: "8002",
      ORCHESTRATOR_METRICS_PORT: "9090",
      ORCHESTRATOR_MODELS_PROVIDERS: JSON.stringify({ open: { kind: "openai", base_url, models: { [model]: {} } } }),
    });
    for (const url of [
      "http://169.254.169.254/v1",
      "http://[fe80::1]/v1",
      "http://0.0.0.0:9",
      "http://[::ffff:a9fe:1]/",
    ])
      expect(Object.values(await problemsOf(load(provider(url))))).toEqual([
        expect.stringMatching(/^provider open.base_url: .*an address that is kept for special use/),
      ]);
    for (const url of [
      "http://127.0.0.1:8002/v1",
      "http://localhost:8002",
      "http://127.0.0.9:8002",
      "http://[::1]:9090",
    ])
      expect(Object.values(await problemsOf(load(provider(url))))).toEqual([
        expect.stringMatching(/^provider open.base_url: .* is this service itself/),
      ]);
    for (const url of ["http://127.0.0.1:11434/v1", "http://10.0.0.7/v1", "https://models.example/v1"])
      expect((await load(provider(url))).config.models.providers["open"]?.base_url).toBe(url);
    for (const name of [" small", "sm all", "small\u200b", "small\n", "sm\u3164all"])
      expect(Object.values(await problemsOf(load(provider("https://models.example/v1", name))))).toEqual([
        expect.stringMatching(/^provider open.models: .* no blanks, control characters, or invisible/),
      ]);
  });

  test("lets flags win over the environment, that over the file, that over the defaults", async () => {
    const file = writeFile("server:\n  port: 1\n  host: file\nengine: {shards: 8, lease_ttl: 20s}\n");
    const { config, origins } = await load(
      { ORCHESTRATOR_CONFIG: file, ORCHESTRATOR_PORT: "2", ORCHESTRATOR_SHARDS: "16" },
      { port: "3" },
    );
    expect([config.server.port, config.server.host, config.engine.shards, config.engine.leaseTtl]).toEqual([
      3,
      "file",
      16,
      20_000,
    ]);
    const from = Object.fromEntries(origins.map(({ setting, origin }) => [setting.path, origin]));
    expect(from).toMatchObject({
      "server.port": "--port",
      "server.host": `${file}:3 server.host`,
      "engine.shards": "ORCHESTRATOR_SHARDS",
      "engine.commit_connections": "default",
    });
  });

  test("accepts the variables of every merged system as their documents write them", async () => {
    const { config } = await load({
      ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS: '["localhost:9092"]',
      ORCHESTRATOR_KAFKA_CONSUMER_GROUP: "orchestrator-service",
      ORCHESTRATOR_KAFKA_AUTO_OFFSET_RESET: "latest",
      ORCHESTRATOR_REDIS_URL: "redis://localhost:6379",
      ORCHESTRATOR_REDIS_KEY_TTL: "3600",
      ORCHESTRATOR_DATABASE_URL: "postgresql+asyncpg://user:password@localhost:5432/octollm",
      ORCHESTRATOR_FLOW_REGISTRY_URL: "postgresql://postgres:postgres@localhost:5432/agent_framework",
      ORCHESTRATOR_MAX_RETRY_ATTEMPTS: "3",
      ORCHESTRATOR_RETRY_BACKOFF_BASE: "2",
      ORCHESTRATOR_TASK_TIMEOUT_DEFAULT: "300",
      ORCHESTRATOR_METRICS_PORT: "9090",
      ORCHESTRATOR_METRICS_ENABLED: "true",
      ORCHESTRATOR_LOG_LEVEL: "DEBUG",
      REDIS_HOST: "localhost",
      REDIS_PORT: "6379",
      REDIS_PASSWORD: "",
      REDIS_DATABASE: "0",
      ORCHESTRATOR_PORT: "8080",
      ORCHESTRATOR_HOST: "0.0.0.0",
      MAX_CONCURRENT_WORKFLOWS: "10",
      DEFAULT_WORKFLOW_TIMEOUT: "3600s",
      EXECUTION_TTL: "24h",
      RECOVERY_ENABLED: "true",
      RECOVERY_INTERVAL: "5m",
      ORCHESTRATOR_TEMPLATES: "./templates",
      ORCHESTRATOR_WORKSPACE: "/tmp/orchestrator",
      REGISTRY_URL: "http://localhost:8000",
      REGISTRY_SYNC_INTERVAL: "60",
      REGISTRY_TIMEOUT: "5.0",
      REGISTRY_CACHE_DIR: "/var/cache/fpai",
      REGISTRY_CACHE_EXPIRY: "300",
      TASK_TIMEOUT: "30",
      TASK_MAX_RETRIES: "3",
      TASK_MAX_HISTORY: "10000",
      ORCHESTRATOR_REFLEX_URL: "http://reflex:8080",
      ORCHESTRATOR_ENABLE_REFLEX_INTEGRATION: "true",
    });
    expect(config).toMatchObject({
      server: { port: 8080, host: "0.0.0.0" },
      store: { databaseUrl: "postgresql://user:password@localhost:5432/octollm" },
      log: { level: "debug" },
      kafka: { bootstrapServers: ["localhost:9092"] },
      redis: { keyTtl: 3_600_000, executionTtl: 86_400_000, password: undefined },
      routing: { registryTimeout: 5_000, taskTimeout: 30_000 },
      engine: { defaultRunTimeout: 3_600_000, defaultTaskTimeout: 300_000 },
    });
  });

  test("takes the generic names of hosting platforms, and says when two names disagree", async () => {
    const { config, warnings } = await load({
      PORT: "1234",
      DATABASE_URL: "postgres://u@h/d",
      LOG_LEVEL: "WARNING",
      ORCHESTRATOR_HTTP_PORT: "99",
    });
    expect([config.server.port, config.store.databaseUrl, config.log.level]).toEqual([
      99,
      "postgresql://u@h/d",
      "warn",
    ]);
    expect(warnings).toEqual(["ORCHESTRATOR_HTTP_PORT and PORT differ; ORCHESTRATOR_HTTP_PORT counts"]);
  });

  test("is not confused by the variables that Kubernetes makes for a Service of our name", async () => {
    const { config } = await load({
      ORCHESTRATOR_PORT: "tcp://10.3.0.1:8002",
      ORCHESTRATOR_SERVICE_HOST: "10.3.0.1",
      ORCHESTRATOR_SERVICE_PORT: "8002",
      ORCHESTRATOR_SERVICE_PORT_GRPC: "8002",
      ORCHESTRATOR_PORT_8002_TCP: "tcp://10.3.0.1:8002",
      ORCHESTRATOR_PORT_8002_TCP_ADDR: "10.3.0.1",
      PORT: "8005",
    });
    expect(config.server.port).toBe(8005);
  });

  test("refuses a Reflex that is this service itself, unless it is not asked", async () => {
    const reflex = { ORCHESTRATOR_REFLEX_URL: "http://localhost:8080", ORCHESTRATOR_ALSO_LISTEN: "8080" };
    await expect(load(reflex)).rejects.toThrow(
      "ORCHESTRATOR_REFLEX_URL: http://localhost:8080 is this service itself; set it to the other service",
    );
    const { config } = await load({ ...reflex, ORCHESTRATOR_ENABLE_REFLEX_INTEGRATION: "false" });
    expect(config.gate).toMatchObject({ reflexEnabled: false });
  });

  test("names every mistake of a gate policy with its line", async () => {
    const file = writeFile(
      [
        ...["version: 1", "goals:", "  rules:", "    pii.emial: deny", "    secret: redact"],
        ...["tenants:", "  acme:", "    goals: {max_bytes: 0}"],
      ].join("\n"),
    );
    const error = await load({ ORCHESTRATOR_GATE_POLICY: file }).catch((thrown: OrchestratorError) => thrown);
    const { violations } = error as OrchestratorError;
    expect(violations.map(({ field, description }) => `${field}: ${description}`)).toEqual([
      `${file}:5 goals.rules.secret: expected one of deny, report, ignore, got the string "redact"`,
      `${file}:4 goals.rules["pii.emial"]: unknown key "pii.emial"; did you mean "pii.email"?`,
      `${file}:8 tenants.acme.goals.max_bytes: expected at least 1`,
    ]);
    await expect(load({ ORCHESTRATOR_GATE_POLICY: "/nowhere.yaml" })).rejects.toThrow("/nowhere.yaml: cannot be read");
  });

  // Cause: the check looked at each setting alone, and called good what serve refused, or what could never do anything.
  // Cause: tests switch canaries off, which the lower bound of the setting refused.
  test("canaries are off, or rarer than each second and more often than they are remembered", async () => {
    const every = (interval: string) => load({ ORCHESTRATOR_CANARY_INTERVAL: interval });
    for (const interval of ["0", "1s", "15m"]) await every(interval);
    for (const interval of ["999ms", "901s"])
      expect(await problemsOf(every(interval))).toEqual({ ORCHESTRATOR_CANARY_INTERVAL: "0, or from 1s to 15m" });
  });

  test("refuses a standstill that could outlast the lease", async () => {
    const stalled = (maxLoopStall: string) =>
      load({ ORCHESTRATOR_MAX_LOOP_STALL: maxLoopStall, ORCHESTRATOR_LEASE_TTL: "5s" });
    expect(await problemsOf(stalled("3001ms"))).toEqual({
      ORCHESTRATOR_MAX_LOOP_STALL: expect.stringContaining("set at most 3000 ms"),
    });
    expect((await stalled("3s")).config.engine.maxLoopStall).toBe(3_000);
  });

  test("refuses what serve would refuse, and what does not go together", async () => {
    const problems = await problemsOf(
      load({
        ORCHESTRATOR_HTTP_ALLOW: "10.0.0.0/99",
        ORCHESTRATOR_GRAPH_MODULES: "/nowhere/graph.ts",
        ORCHESTRATOR_FAIL_POINTS: "commit.after=kill",
        ORCHESTRATOR_SUSPECT_PAUSE: "1ms",
        ORCHESTRATOR_MAX_PAYLOAD_BYTES: "1MB",
        ORCHESTRATOR_MAX_MESSAGE_BYTES: "64KB",
      }),
    );
    expect(problems).toEqual({
      ORCHESTRATOR_HTTP_ALLOW: expect.stringContaining('"10.0.0.0/99" is not a network'),
      ORCHESTRATOR_GRAPH_MODULES: "there is no file /nowhere/graph.ts",
      ORCHESTRATOR_FAIL_POINTS: expect.stringContaining("are for tests"),
      ORCHESTRATOR_SUSPECT_PAUSE: expect.stringContaining("are for tests"),
      ORCHESTRATOR_MAX_PAYLOAD_BYTES: expect.stringContaining("limits.max_message_bytes is 65536"),
    });
    const testing = { ORCHESTRATOR_TESTING: "true", ORCHESTRATOR_FAIL_POINTS: "commit.never=kill" };
    expect(await problemsOf(load(testing))).toEqual({
      ORCHESTRATOR_FAIL_POINTS: expect.stringContaining("commit.never"),
    });
    // A default that is above a limit which was lowered is no mistake of anybody.
    expect((await load({ ORCHESTRATOR_MAX_MESSAGE_BYTES: "64KB" })).config.limits.maxMessageBytes).toBe(65_536);
  });

  test("refuses half of a login at the brokers, and files that nobody would read", async () => {
    const kafka = (env: Readonly<Record<string, string>>) =>
      problemsOf(
        load(Object.fromEntries(Object.entries(env).map(([name, value]) => [`ORCHESTRATOR_KAFKA_${name}`, value]))),
      );
    expect(await kafka({ SASL_MECHANISM: "plain", SASL_USERNAME: "a" })).toEqual({
      ORCHESTRATOR_KAFKA_SASL_MECHANISM: "plain needs kafka.sasl_username and kafka.sasl_password",
    });
    expect(await kafka({ SASL_PASSWORD: "a" })).toMatchObject({
      ORCHESTRATOR_KAFKA_SASL_PASSWORD: expect.stringContaining("to plain, scram-sha-256, or scram-sha-512"),
    });
    expect(await kafka({ TLS: "true", TLS_CA_FILE: "/nowhere.pem" })).toEqual({
      ORCHESTRATOR_KAFKA_TLS_CA_FILE: "there is no file /nowhere.pem",
    });
    expect(await kafka({ TLS_CA_FILE: "package.json" })).toEqual({
      ORCHESTRATOR_KAFKA_TLS_CA_FILE: "it is used with TLS only: set kafka.tls",
    });
    expect(await kafka({ TLS: "true", TLS_CERT_FILE: "package.json" })).toMatchObject({
      ORCHESTRATOR_KAFKA_TLS_CERT_FILE: expect.stringContaining("needs both"),
    });
  });

  test.each([
    ["*", "wildcards are not supported"],
    ["https://*.example.com", "wildcards are not supported"],
    ["example.com", "is not an origin"],
    ["null", "is not an origin"],
    ["https://example.com/", "write https://example.com"],
    ["https://example.com:443", "write https://example.com"],
    ["HTTPS://Example.com", "write https://example.com"],
  ])("refuses the origin %s, which no browser sends", async (origin, sentence) => {
    expect(await problemsOf(load({ ORCHESTRATOR_CORS_ORIGINS: origin }))).toEqual({
      ORCHESTRATOR_CORS_ORIGINS: expect.stringContaining(sentence),
    });
  });

  test.each(["https://example.com", "http://localhost:5173", "http://[::1]:8080", "chrome-extension://abcdef"])(
    "takes the origin %s",
    async (origin) => {
      expect((await load({ ORCHESTRATOR_CORS_ORIGINS: origin })).config.server.corsOrigins).toEqual([origin]);
    },
  );

  test("reports everything that is wrong at once, with name, value and cure", async () => {
    const file = writeFile("server:\n  prot: 1\nstroe: {}\nlimits:\n  max_flow_bytes: much\n");
    const problems = await problemsOf(
      load(
        { ORCHESTRATOR_PROT: "1", ORCHESTRATOR_LOG_LEVEL: "loud", ORCHESTRATOR_METRICS_PORT: "70000" },
        { config: file, reflection: "perhaps" },
      ),
    );
    expect(problems).toEqual({
      ORCHESTRATOR_PROT: expect.stringContaining('did you mean "ORCHESTRATOR_PORT"?'),
      ORCHESTRATOR_LOG_LEVEL: 'expected one of trace, debug, info, warn, error, got "loud"',
      ORCHESTRATOR_METRICS_PORT: 'expected a whole number, 0 to 65535, got "70000"',
      "--reflection": 'expected true or false, got "perhaps"',
      [`${file}:2 server.prot`]: expect.stringContaining('did you mean "server.port"?'),
      [`${file}:3 stroe`]: expect.stringMatching(
        /^there is no such section; (did you mean "store"|known: server, store)/,
      ),
      [`${file}:5 limits.max_flow_bytes`]: expect.stringContaining("expected a size"),
    });
  });

  test("never repeats a secret that is wrong", async () => {
    const problems = await problemsOf(load({ DATABASE_URL: "mysql://u:hush@h/d", REDIS_URL: "http://:hush@h" }));
    expect(Object.keys(problems)).toEqual(["DATABASE_URL", "REDIS_URL"]);
    expect(JSON.stringify(problems)).not.toContain("hush");
  });

  test.each([
    ["server: [", /:1$/],
    ["server:\n  port: 1\n  port: 2\n", /:3$/],
    ["- a\n", /yaml$/],
    ["server: 5\n", /:1 server$/],
  ])("names the place in a file that is not right: %j", async (text, place) => {
    const problems = await problemsOf(load({}, { config: writeFile(text) }));
    expect(Object.keys(problems)).toEqual([expect.stringMatching(place)]);
  });

  test("names a file that was asked for and is not there", async () => {
    expect(await problemsOf(load({}, { config: "/nowhere/orchestrator.yaml" }))).toEqual({
      "/nowhere/orchestrator.yaml": expect.stringMatching(/cannot be read.*ENOENT/),
    });
  });

  test("is printed with origins, without secrets, and the print is a file again", async () => {
    const loaded = await load({
      DATABASE_URL: "postgresql://u:hush@h/d",
      ORCHESTRATOR_DRAIN_TIMEOUT: "1500ms",
      ORCHESTRATOR_CORS_ORIGINS: "https://a,https://b",
    });
    const text = printConfig(loaded);
    expect(text).not.toContain("hush");
    expect(text).toContain("  # database_url: (set, not shown) from DATABASE_URL\n");
    expect(text).toContain("  drain_timeout: 1500ms  # from ORCHESTRATOR_DRAIN_TIMEOUT\n");
    const again = await load({}, { config: writeFile(text) });
    expect({ ...again.config.store, databaseUrl: loaded.config.store.databaseUrl }).toEqual(loaded.config.store);
    expect({ ...again.config, store: null }).toEqual({ ...loaded.config, store: null });
  });

  test("tells what was set from what is a default", async () => {
    const loaded = await load({ ORCHESTRATOR_METRICS_PORT: "9090" });
    expect([isSet(loaded, "metrics.port"), isSet(loaded, "server.port")]).toEqual([true, false]);
  });
});

describe("the table of settings", () => {
  test("gives every flag and every variable to one setting", () => {
    const flags = listSettings().map((setting) => setting.flag);
    const variables = listSettings().flatMap((setting) => setting.env);
    expect(flags).toEqual([...new Set(flags)]);
    expect(variables).toEqual([...new Set(variables)]);
  });

  test("is what docs/config.md and the JSON Schema were generated from (node scripts/config-docs.ts)", () => {
    for (const [path, content] of Object.entries(renderConfigFiles()))
      expect(readFileSync(path, "utf8"), path).toBe(content);
  });
});
