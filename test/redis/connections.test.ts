/** The ways to a Redis server: TLS, passwords, users with few rights, databases. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, inject, onTestFinished, test } from "vitest";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { runRedisCommand, startRedisForTest } from "../support/redis-server.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const skips = inject("redis") === 0;

/** A service with these settings does a run, and `read` finds its state. */
async function shows(env: Readonly<Record<string, string>>, read: (key: string) => string): Promise<void> {
  const { url } = await createTestDatabase();
  const bed = await openWorkerBed({ DATABASE_URL: url, ...env });
  await bed.register("short", "  tasks:\n    - {id: only, type: noop}\n");
  const runId = await bed.start("short");
  await bed.reaches(runId, RunState.COMPLETED);
  await eventually(() => expect(read(`run:${runId}:state`)).toContain('"status":"COMPLETED"'));
  const lines = bed.service().output();
  expect(lines).toContain("Redis answers");
  expect(lines).not.toContain("secret");
}

test.skipIf(skips)("a host with a password and a database, as the document of templates writes it", async () => {
  const redis = await startRedisForTest("--requirepass", "secret");
  const env = {
    REDIS_HOST: "127.0.0.1",
    REDIS_PORT: String(redis.port),
    REDIS_PASSWORD: "secret",
    REDIS_DATABASE: "3",
  };
  await shows(env, (key) => redis.cli("-a", "secret", "-n", "3", "GET", key));
});

test.skipIf(skips)("a user who may write these keys and no more", async () => {
  const redis = await startRedisForTest();
  redis.cli("ACL", "SETUSER", "shows", "on", ">secret", "~orch:run:*", "-@all", "+set", "+info", "+client|setname");
  const url = `redis://shows:secret@127.0.0.1:${redis.port}/0`;
  await shows({ ORCHESTRATOR_REDIS_URL: url, ORCHESTRATOR_REDIS_KEY_PREFIX: "orch:" }, (key) =>
    redis.cli("GET", `orch:${key}`),
  );
});

test.skipIf(skips)("TLS, with an authority of one's own", async () => {
  const folder = createTemporaryFolder();
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=redis",
    ].concat(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]),
    { stdio: "ignore" },
  );
  const redis = await startRedisForTest();
  for (const [name, value] of [
    ["tls-cert-file", certificate],
    ["tls-key-file", key],
    ["tls-auth-clients", "no"],
    ["tls-port", String(redis.port + 1)],
  ] as const)
    expect(redis.cli("CONFIG", "SET", name, value), name).toBe("OK");
  onTestFinished(() => void redis.cli("CONFIG", "SET", "tls-port", "0"));
  const env = { ORCHESTRATOR_REDIS_URL: `rediss://127.0.0.1:${redis.port + 1}`, NODE_EXTRA_CA_CERTS: certificate };
  await shows(env, (name) => redis.cli("GET", name));
});

test.skipIf(skips)(
  "the owner after a killed one shows the runs that it goes on with",
  { timeout: 120_000 },
  async () => {
    const port = inject("redis");
    const { url } = await createTestDatabase();
    const env = {
      DATABASE_URL: url,
      ORCHESTRATOR_REDIS_URL: `redis://127.0.0.1:${port}`,
      ORCHESTRATOR_REDIS_KEY_PREFIX: "over:",
      ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1",
    };
    const bed = await openWorkerBed(env);
    await bed.register(
      "hold",
      "  tasks:\n    - {id: held, type: http, parameters: {url: 'http://127.0.0.1:9/'}, retry_policy: {max_retries: 1000, initial_delay: 0.5, backoff_type: fixed}}\n",
    );
    const runId = await bed.start("hold");
    const read = () => JSON.parse(runRedisCommand(port, "GET", `over:run:${runId}:state`) || "{}");
    await eventually(() => expect(read()).toMatchObject({ run_id: runId, tasks: { held: { status: "RETRYING" } } }));
    await bed.service().stop("SIGKILL");
    runRedisCommand(port, "DEL", `over:run:${runId}:state`);
    await bed.restart();
    await eventually(() => expect(read()).toMatchObject({ run_id: runId, status: "RUNNING" }), { timeoutMs: 60_000 });
  },
);
