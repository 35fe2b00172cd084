/**
 * What operators ask of two processes on one database: levels of their logs, and the file for support, in which nothing
 * is that is nobody's business.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RunState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { runCommand } from "../../support/run-command.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { openWorkerBed, type WorkerBed } from "../../support/worker-service.ts";

/** What must not leave the machine. */
const PLANTED = {
  file: "canary-secret-in-a-file-4711",
  variable: "canary-secret-in-a-variable-4712",
  key: "canary-token-key-of-32-byte-4713",
  password: "canary-password-in-a-url-4714",
  input: "canary-input-of-a-run-4715",
  output: "canary-output-of-a-run-4716",
  message: "canary-message-of-an-error-4717",
} as const;

async function openBeds(): Promise<readonly [WorkerBed, WorkerBed]> {
  const { url } = await createTestDatabase();
  const secrets = createTemporaryFolder();
  writeFileSync(join(secrets, "models"), `${PLANTED.file}\n`);
  const env = {
    DATABASE_URL: url,
    ORCHESTRATOR_SECRETS_DIR: secrets,
    ORCHESTRATOR_SECRET_OTHER: PLANTED.variable,
    ORCHESTRATOR_TOKEN_KEYS: `2:${Buffer.from(PLANTED.key).toString("base64")}`,
    ORCHESTRATOR_REDIS_URL: `redis://user:${PLANTED.password}@127.0.0.1:1`,
    ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1",
    ORCHESTRATOR_MODELS_PROVIDERS: JSON.stringify({
      open: { kind: "openai", base_url: "http://127.0.0.1:1/v1", api_key: "secret://models", models: { small: {} } },
    }),
    ORCHESTRATOR_WEBHOOKS_ENDPOINTS: JSON.stringify({ b: { url: "http://127.0.0.1:1/", secret: "secret://other" } }),
    ORCHESTRATOR_CANARY_INTERVAL: "1s",
  };
  const first = await openWorkerBed({ ...env, ORCHESTRATOR_INSTANCE_ID: "one" });
  return [first, await openWorkerBed({ ...env, ORCHESTRATOR_INSTANCE_ID: "two" })];
}

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) =>
    statSync(join(folder, path)).isFile(),
  );
}

test("the bundle has what both instances and the database tell, and none of the planted texts", async () => {
  const [one] = await openBeds();
  await one.register(
    "tells",
    `  tasks:
    - {id: out, type: transform, parameters: {output: "${PLANTED.output}"}}
    - {id: ask, type: ai, depends_on: [out], parameters: {prompt: "\${vars.text}", model: small, provider: open}, retry_policy: {max_retries: 0}, on_error: continue}
    - {id: tell, type: emit, depends_on: [ask], parameters: {webhook: b, payload: {text: "\${vars.text}"}}}
    - {id: fail, type: http, depends_on: [out], parameters: {url: "http://127.0.0.1:1/${PLANTED.message}"}, retry_policy: {max_retries: 0}}`,
    "variables:\n  - {name: text, type: string, required: true}\n",
  );
  const runId = await one.start("tells", { text: PLANTED.input });
  await one.reaches(runId, RunState.FAILED);
  await eventually(() => expect(one.service().output()).toContain("dead letter"));
  const folder = createTemporaryFolder();
  const file = join(folder, "bundle.tar.gz");
  const { code, out, err } = await runCommand(["support", "bundle", "-o", file, "--server", one.address], folder, {});
  expect([code, out.trim(), err]).toEqual([0, file, ""]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  execFileSync("tar", ["-xzf", file, "-C", folder]);
  const found = filesIn(folder).filter((path) => !path.endsWith(".tar.gz"));
  for (const id of ["one", "two"])
    for (const name of [
      "configuration.yaml",
      "process.json",
      "health.json",
      "cluster.json",
      "log-levels.json",
      "metrics.txt",
      "warnings.jsonl",
    ])
      expect(found).toContain(`instances/${id}/${name}`);
  const read = (path: string): string => readFileSync(join(folder, path), "utf8");
  for (const name of ["server", "settings", "migrations", "instances", "leases", "runs", "tables", "sessions"])
    expect(JSON.parse(read(`database/${name}.json`)), name).toBeInstanceOf(Array);
  expect(JSON.parse(read("database/leases.json"))).toHaveLength(64);
  expect(read("instances/one/warnings.jsonl")).toContain("dead letter");
  expect(read("instances/two/metrics.txt")).toContain("orchestrator_owned_shards ");
  expect(read("instances/one/configuration.yaml")).toContain("secrets:");
  // The secrets were read, and the texts are in the run: there was something to find.
  const everything = found.map((path) => `${path}\n${read(path)}`).join("\n");
  const planted = [...Object.values(PLANTED), Buffer.from(PLANTED.key).toString("base64")];
  expect(planted.filter((text) => everything.includes(text))).toEqual([]);
});

test("a level set at one instance holds at both, ends by itself, and says who set it", async () => {
  const [one, two] = await openBeds();
  const folder = createTemporaryFolder();
  const admin = (...args: string[]) =>
    runCommand(["admin", "log-level", ...args, "--server", one.address], folder, { ORCHESTRATOR_BY: "ann" });
  const set = await admin("debug", "--for", "3s", "--reason", "late", "-o", "json");
  expect(set.code, set.err).toBe(0);
  const { instances } = JSON.parse(set.out) as { instances: { instanceId: string; overrides: unknown[] }[] };
  expect(instances.map(({ instanceId, overrides }) => [instanceId, overrides.length])).toEqual([
    ["one", 1],
    ["two", 1],
  ]);
  for (const bed of [one, two]) {
    await eventually(() => expect(bed.service().output()).toContain("the log level was set for a time"));
    expect(bed.service().output()).toMatch(/"by":"ann","why":"late"/);
    await eventually(() => expect(bed.service().output()).toContain("the time of a log level is up"), {
      timeoutMs: 10_000,
    });
  }
  // Canaries are told at debug only.
  expect(one.service().output()).toContain('"level":"debug"');
  const only = await admin("warn", "--instance", "two");
  expect(only.out).toMatch(/two +all +warn/);
  expect(only.out).not.toContain("one");
  const unknown = await admin("warn", "--instance", "six");
  expect([unknown.code, unknown.err]).toEqual([4, expect.stringContaining("no instance six")]);
});
