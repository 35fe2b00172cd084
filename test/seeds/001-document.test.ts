/**
 * The document of seed 001 with what ships: its variables in a shell, its commands on the built-in templates with the
 * agents, and a client of the message bus in another language.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { expect, inject, test } from "vitest";
import { parse } from "yaml";
import { ROOT, runProgram } from "../clients/programs.ts";
import { PYTHON_MISSING, preparePackages } from "../clients/python-environment.ts";
import { type AgentPlace, serviceVariables, startAgent } from "../support/agent-processes.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { startRedisForTest } from "../support/redis-server.ts";
import { cleanEnvironment, startServeForTest } from "../support/serve-process.ts";
import { createFileFolder, createTemporaryFolder } from "../support/temporary-folder.ts";
import { openRuns, startInstance } from "../support/workflow-requests.ts";

const port = inject("redis");

/** The block of the document. */
const VARIABLES = `# Redis Configuration
REDIS_HOST=localhost
REDIS_PORT=6379
REDIS_PASSWORD=
REDIS_DATABASE=0

# Server Configuration
ORCHESTRATOR_PORT=8080
ORCHESTRATOR_HOST=0.0.0.0

# Service Configuration
MAX_CONCURRENT_WORKFLOWS=10
DEFAULT_WORKFLOW_TIMEOUT=3600s
EXECUTION_TTL=24h
RECOVERY_ENABLED=true
RECOVERY_INTERVAL=5m

# Templates and Workspace
ORCHESTRATOR_TEMPLATES=./templates
ORCHESTRATOR_WORKSPACE=/tmp/orchestrator
`;

test("the block of variables, exported by a shell, is the configuration", () => {
  const printed = execFileSync(
    "bash",
    ["-c", 'set -a; eval "$1"; exec "$2" src/main.ts config print', "-", VARIABLES, process.execPath],
    {
      ...{ cwd: ROOT, encoding: "utf8", env: cleanEnvironment() },
    },
  );
  expect(parse(printed)).toMatchObject({
    redis: { host: "localhost", port: 6379, database: 0, execution_ttl: "86400s" },
    server: { port: 8080, host: "0.0.0.0" },
    engine: { default_run_timeout: "3600s" },
    workflows: {
      ...{ max_concurrent: 10, recovery_enabled: true, recovery_interval: "300s" },
      workspace: "/tmp/orchestrator",
    },
    templates: { dir: "./templates" },
  });
  expect(printed).toContain("  # password:\n");
  for (const [, name = ""] of VARIABLES.matchAll(/^(\w+)=./gm)) expect(printed, name).toContain(`# from ${name}`);
});

test.skipIf(port === 0)("the commands of the document run the built-in template with the agents", async () => {
  const place: AgentPlace = { port, prefix: `t${randomBytes(4).toString("hex")}:`, isStream: false };
  const { url } = await createTestDatabase();
  const service = await startServeForTest({
    folder: createFileFolder(),
    env: { DATABASE_URL: url, ...serviceVariables(place), ORCHESTRATOR_TEMPLATES: "./templates" },
  });
  await Promise.all((["data", "ai", "exec"] as const).map((kind) => startAgent(kind, place)));
  const curl = (...args: string[]) =>
    JSON.parse(execFileSync("curl", ["--silent", "--show-error", ...args], { encoding: "utf8" }));
  const at = `http://localhost:${service.port}`;
  const { templates, total } = curl(`${at}/api/v1/templates`);
  expect(total).toBe(templates.length);
  expect(templates).toMatchObject([
    { id: "ai-content-pipeline" },
    { id: "approval-gate" },
    { id: "data-analysis-basic", name: expect.any(String), category: expect.any(String), version: expect.any(String) },
    { id: "http-check" },
  ]);
  const started = curl(
    ...["-X", "POST", `${at}/api/v1/workflows`, "-H", "Content-Type: application/json", "-d"],
    `{
    "correlation_id": "workflow-001",
    "workflow_template": "data-analysis-basic",
    "variables": {
      "query_limit": 50,
      "analysis_prompt": "Identify key trends in the data"
    }
  }`,
  );
  expect(started).toMatchObject({ correlation_id: "workflow-001", workflow_template: "data-analysis-basic" });
  const ended = await eventually(
    () => {
      const status = curl(`${at}/api/v1/workflows/${started.execution_id}/status`);
      expect(status).toMatchObject({ status: "completed" });
      return status;
    },
    { timeoutMs: 30_000, intervalMs: 200 },
  );
  // A traversal, a search, their combination, an analysis, a report.
  const types = ended.tasks.map(({ type }: { readonly type: string }) => type);
  expect(types).toEqual(["data", "data", "exec", "ai", "exec"]);
  expect(ended).toMatchObject({
    progress: 1,
    error: null,
    output: { report: expect.stringContaining("# Data analysis") },
  });
  expect(curl(`${at}/health`)).toEqual({ status: "healthy" });
});

test.skipIf(port === 0)("keys are in the database that is named, and channels are heard all the same", async () => {
  const redis = await startRedisForTest();
  const { url } = await createTestDatabase();
  await startInstance(url, redis, {
    ...{ REDIS_URL: "", REDIS_HOST: "127.0.0.1", REDIS_PORT: String(redis.port), REDIS_DATABASE: "3" },
  });
  const body = '{"correlation_id": "three", "workflow_template": "sum", "variables": {"a": 1}}';
  await eventually(() => expect(redis.cli("PUBLISH", "workflow-requests", body)).toBe("1"));
  const run = await eventually(async () => {
    const [found] = await openRuns(url).list();
    expect(found?.state).toBe("COMPLETED");
    return found?.run_id;
  });
  await eventually(() => expect(redis.cli("-n", "3", "GET", `run:${run}:state`)).toContain("COMPLETED"));
  expect(redis.cli("-n", "0", "EXISTS", `run:${run}:state`)).toBe("0");
});

const CLIENT = `
import json, sys, redis
server = redis.Redis(host="localhost", port=int(sys.argv[1]))
heard = server.pubsub(ignore_subscribe_messages=True)
heard.subscribe("workflow-responses")
heard.get_message(timeout=5)
request = {"correlation_id": "from-python", "workflow_template": "sum", "variables": {"a": 41}}
assert server.publish("workflow-requests", json.dumps(request)) == 1
for message in heard.listen():
    answer = json.loads(message["data"])
    print(answer["correlation_id"], answer["status"], json.dumps(answer["output"]))
    if answer["status"] != "running":
        break
`;

test.skipIf(port === 0 || PYTHON_MISSING)(
  "a client in Python asks, and hears the answers",
  { timeout: 240_000 },
  async () => {
    const redis = await startRedisForTest();
    const { url } = await createTestDatabase();
    const service = await startInstance(url, redis);
    await eventually(() => expect(service.output()).toContain('"message":"channels are heard"'));
    const python = await preparePackages("redis", ["redis==8.1.0"]);
    expect(await runProgram(python, ["-c", CLIENT, String(redis.port)])).toBe(
      'from-python running null\nfrom-python completed {"sum": 42}\n',
    );
  },
);

test("pages of an origin that is named may call, and others may not", async () => {
  const { url } = await createTestDatabase();
  const service = await startServeForTest({
    folder: createTemporaryFolder(),
    env: { DATABASE_URL: url, ORCHESTRATOR_CORS_ORIGINS: "https://app.example" },
  });
  const head = (origin: string, ...args: string[]): string =>
    execFileSync(
      "curl",
      [
        "--silent",
        "--include",
        "-H",
        `Origin: ${origin}`,
        ...args,
        `http://localhost:${service.port}/api/v1/workflows`,
      ],
      { encoding: "utf8" },
    ).toLowerCase();
  const asks = ["-X", "OPTIONS", "-H", "Access-Control-Request-Method: POST"];
  const asked = [...asks, "-H", "Access-Control-Request-Headers: content-type"];
  expect(head("https://app.example", ...asked)).toMatch(
    /^http\/1\.1 20[04][\s\S]*access-control-allow-methods: [^\n]*post/,
  );
  expect(head("https://app.example")).toContain("access-control-allow-origin: https://app.example\r\n");
  expect(head("https://evil.example", ...asked)).not.toContain("access-control-allow-origin");
  expect(head("https://evil.example")).not.toContain("access-control-allow-origin");
});
