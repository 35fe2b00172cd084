/**
 * The document of seed 003 with what ships: its block of variables, a client in its language, several instances, and
 * services that call each other.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { ROOT, runProgram } from "../clients/programs.ts";
import { PYTHON_MISSING, preparePackages } from "../clients/python-environment.ts";
import { startDroplet } from "../support/droplet.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { cleanEnvironment, startServeForTest } from "../support/serve-process.ts";
import { createFileFolder, createTemporaryFolder } from "../support/temporary-folder.ts";
import { startRegistryServer } from "./003/registry-server.ts";
import { curl } from "./curl.ts";

/** The table of the document, as a file of variables with its defaults. */
const VARIABLES = `REGISTRY_URL=http://localhost:8000
REGISTRY_SYNC_INTERVAL=60
REGISTRY_TIMEOUT=5.0
REGISTRY_CACHE_DIR=/var/cache/fpai
REGISTRY_CACHE_EXPIRY=300
TASK_TIMEOUT=30
TASK_MAX_RETRIES=3
TASK_MAX_HISTORY=10000
LOG_LEVEL=INFO
`;

function print(variables: string): string {
  return execFileSync(
    "bash",
    ["-c", 'set -a; eval "$1"; exec "$2" src/main.ts config print', "-", variables, process.execPath],
    { cwd: ROOT, encoding: "utf8", env: cleanEnvironment() },
  );
}

test("the variables of the document are the configuration, and its defaults are ours", () => {
  const printed = print(VARIABLES);
  const { routing, log } = parse(printed);
  expect(routing).toMatchObject({
    ...{ registry_url: "http://localhost:8000", registry_sync_interval: "60s", registry_timeout: "5s" },
    ...{ registry_cache_dir: "/var/cache/fpai", registry_cache_expiry: "300s" },
    ...{ task_timeout: "30s", task_max_retries: 3, task_max_history: 10_000 },
  });
  expect(log.level).toBe("info");
  for (const [, name = ""] of VARIABLES.matchAll(/^(\w+)=/gm)) expect(printed, name).toContain(`# from ${name}`);
  const { registry_url: _, registry_cache_dir: __, ...defaults } = parse(print("")).routing;
  expect(routing).toMatchObject(defaults);
  for (const level of ["DEBUG", "INFO", "WARNING", "ERROR"]) expect(() => print(`LOG_LEVEL=${level}`)).not.toThrow();
});

const CLIENT = `
import asyncio, sys, httpx

async def main(base):
    async with httpx.AsyncClient(base_url=base, timeout=60) as client:
        health = (await client.get("/orchestrator/health")).json()
        assert health["status"] == "ok" and health["service"] == "orchestrator", health
        def order(path, **more):
            return client.post("/orchestrator/tasks", json={"droplet_name": "registry", "path": path, **more})
        answers = await asyncio.gather(*[order(f"/echo/{at}", method="POST", payload={"at": at}) for at in range(50)])
        for at, answer in enumerate(answers):
            answer.raise_for_status()
            body = answer.json()
            assert body["status"] == "success" and body["response_body"]["payload"] == {"at": at}, body
        assert len({answer.json()["task_id"] for answer in answers}) == 50
        flaky = (await order("/flaky/python/1", method="GET", payload=None, meta={"requested_by": "python"})).json()
        assert flaky["retry_count"] == 1 and flaky["duration_ms"] >= 1000, flaky
        record = (await client.get(f"/orchestrator/tasks/{flaky['task_id']}")).json()
        assert record["meta"] == {"requested_by": "python"} and record["response_body"] == flaky["response_body"], record
        missing = await client.post("/orchestrator/tasks", json={"droplet_name": "unknown", "path": "/"})
        assert missing.status_code == 404 and missing.json()["error"]["code"] == "DROPLET_NOT_FOUND", missing.text
        listed = (await client.get("/orchestrator/tasks", params={"status": "success", "limit": 50})).json()
        assert len(listed["tasks"]) == 50 and listed["total"] == 51, listed["total"]
        metrics = (await client.get("/orchestrator/metrics")).json()
        print(metrics["tasks"]["total"], metrics["tasks"]["success_rate_percent"], metrics["retry"]["total_retries"])

asyncio.run(main(sys.argv[1]))
`;

describe("with a database", async () => {
  const { url } = await createTestDatabase();
  const folder = createFileFolder();

  const open = (env: Readonly<Record<string, string>>, port?: number) =>
    startServeForTest({
      folder,
      ...(port === undefined ? {} : { port }),
      env: { DATABASE_URL: url, REGISTRY_CACHE_DIR: createTemporaryFolder(), ...env },
    });

  test.skipIf(PYTHON_MISSING)("a client in Python routes tasks, many at once", { timeout: 240_000 }, async () => {
    const droplet = await startDroplet();
    onTestFinished(() => droplet.stop());
    const service = await open({ REGISTRY_URL: droplet.url });
    const python = await preparePackages("httpx", ["httpx==0.28.1"]);
    expect(await runProgram(python, ["-c", CLIENT, `http://localhost:${service.port}`])).toBe("51 100 1\n");
  });

  test("a task of an instance that dies goes on at the other one, which knows it", { timeout: 240_000 }, async () => {
    const droplet = await startDroplet();
    onTestFinished(() => droplet.stop());
    const [one, other] = await Promise.all([open({ REGISTRY_URL: droplet.url }), open({ REGISTRY_URL: droplet.url })]);
    const body = JSON.stringify({ droplet_name: "registry", path: "/flaky/moved/2" });
    const args = ["-H", "Content-Type: application/json", "-H", "Idempotency-Key: moved", "-d", body];
    const first = curl(`http://localhost:${one.port}`, "/orchestrator/tasks", ...args).catch(() => "it has died");
    await eventually(async () => expect(await droplet.calls("/flaky/moved/2")).toBe(2), { timeoutMs: 20_000 });
    const pending = await curl(`http://localhost:${other.port}`, "/orchestrator/tasks?status=pending");
    expect(pending.body).toMatchObject({ tasks: [{ path: "/flaky/moved/2" }], total: 1 });
    await one.stop("SIGKILL");
    expect(await first).toBe("it has died");
    const [{ task_id: id }] = pending.body.tasks;
    await eventually(
      async () =>
        expect((await curl(`http://localhost:${other.port}`, `/orchestrator/tasks/${id}`)).body).toMatchObject({
          ...{ task_id: id, status: "success", retry_count: 2, response_status: 200 },
        }),
      { timeoutMs: 90_000, intervalMs: 500 },
    );
    expect((await curl(`http://localhost:${other.port}`, "/orchestrator/tasks", ...args)).body.task_id).toBe(id);
    expect(await droplet.calls("/flaky/moved/2")).toBe(3);
  });

  test("a loop through the service ends at once, with one call at each turn", async () => {
    const registry = await startRegistryServer([]);
    const service = await open({ REGISTRY_URL: registry.url });
    const own = `http://127.0.0.1:${service.port}`;
    registry.answer = [{ name: "self", endpoint: own }];
    const nested = (depth: number): object =>
      depth === 0
        ? { droplet_name: "self", method: "GET", path: "/orchestrator/health" }
        : { droplet_name: "self", method: "POST", path: "/orchestrator/tasks", payload: nested(depth - 1) };
    const ask = (depth: number) =>
      curl(own, "/orchestrator/tasks", "-H", "Content-Type: application/json", "-d", JSON.stringify(nested(depth)));
    await eventually(async () => expect((await ask(0)).status).toBe(200), { timeoutMs: 90_000, intervalMs: 1_000 });
    expect((await ask(3)).body.response_body.response_body.response_body.response_body).toMatchObject({ status: "ok" });
    const before = (await curl(own, "/orchestrator/tasks")).body.total;
    const began = performance.now();
    expect(await ask(12)).toMatchObject({ status: 508, body: { error: { code: "LOOP_DETECTED" } } });
    expect(performance.now() - began).toBeLessThan(20_000);
    expect((await curl(own, "/orchestrator/tasks")).body.total - before).toBe(8);
  });

  test("a body that is too large is refused, and the service goes on", async () => {
    const droplet = await startDroplet();
    onTestFinished(() => droplet.stop());
    const service = await open({ REGISTRY_URL: droplet.url });
    const own = `http://127.0.0.1:${service.port}`;
    const file = `${createTemporaryFolder()}/large.json`;
    const large = { droplet_name: "registry", method: "POST", path: "/echo", payload: "x".repeat(20_000_000) };
    writeFileSync(file, JSON.stringify(large));
    expect(
      await curl(own, "/orchestrator/tasks", "-H", "Content-Type: application/json", "-d", `@${file}`),
    ).toMatchObject({ status: 413, body: { error: { code: "PAYLOAD_TOO_LARGE" } } });
    expect((await curl(own, "/orchestrator/health")).status).toBe(200);
  });
});
