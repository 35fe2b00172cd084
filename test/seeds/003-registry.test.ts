/** The registry of seed 003: what is read, kept, and served while it is away, and a registry that lies. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type Droplet, startDroplet } from "../support/droplet.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type ServeProcess, startServeForTest } from "../support/serve-process.ts";
import { createFileFolder, createTemporaryFolder } from "../support/temporary-folder.ts";
import { type RegistryServer, startRegistryServer } from "./003/registry-server.ts";
import { type Answered, curl } from "./curl.ts";

const FILE = "orchestrator_droplets.json";

/** A port whose queue is full: connections to it are neither taken nor refused. */
async function startSilentPort(): Promise<number> {
  const program =
    "import socket, sys\nserver = socket.socket()\nserver.bind(('127.0.0.1', 0))\nserver.listen(0)\n" +
    "held = [socket.socket() for _ in range(4)]\nfor one in held:\n one.setblocking(False)\n" +
    " one.connect_ex(server.getsockname())\nprint(server.getsockname()[1], flush=True)\nsys.stdin.read()\n";
  const child = spawn("python3", ["-c", program], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill());
  const [printed] = (await once(child.stdout, "data")) as [Buffer];
  return Number(printed.toString());
}

describe("seed 003: the registry", async () => {
  const { url: databaseUrl } = await createTestDatabase();
  const folder = createFileFolder();
  let worker: Droplet;
  beforeAll(async () => {
    worker = await startDroplet();
  });
  afterAll(() => worker.stop());

  /** A service that reads this registry every second and forgets it after a few. */
  async function open(
    registry: Pick<RegistryServer, "url">,
    { cache = createTemporaryFolder(), ...env }: { readonly cache?: string } & Readonly<Record<string, string>> = {},
  ) {
    const service: ServeProcess = await startServeForTest({
      folder,
      env: {
        ...{ DATABASE_URL: databaseUrl, REGISTRY_URL: registry.url, REGISTRY_CACHE_DIR: cache },
        ...{ REGISTRY_SYNC_INTERVAL: "1", REGISTRY_TIMEOUT: "10", REGISTRY_CACHE_EXPIRY: "5", TASK_MAX_RETRIES: "0" },
        ...env,
      },
    });
    const ask = (path: string, ...args: string[]): Promise<Answered> =>
      curl(`http://localhost:${service.port}`, path, ...args);
    const route = (droplet: string, path = "/echo"): Promise<Answered> =>
      ask(
        "/orchestrator/tasks",
        ...["-H", "Content-Type: application/json", "-d", JSON.stringify({ droplet_name: droplet, path })],
      );
    const shows = (expected: object): Promise<void> =>
      eventually(async () => expect((await ask("/orchestrator/droplets")).body).toMatchObject(expected), {
        timeoutMs: 20_000,
      });
    return { service, cache, ask, route, shows };
  }

  const listOf = (...names: readonly string[]) => ({
    droplets: names.map((name) => ({ name, endpoint: worker.url })),
  });

  test("it is read now and then; droplets that appear and move are found", async () => {
    const registry = await startRegistryServer(listOf("worker"));
    const { route, shows, ask } = await open(registry);
    await shows({ droplets: [{ name: "worker" }], cache_status: "active", served_from: "registry" });
    expect((await route("later")).status).toBe(404);
    registry.answer = listOf("worker", "later");
    await shows({ droplets: [{ name: "later" }, { name: "worker" }] });
    expect((await route("later")).body).toMatchObject({ status: "success" });
    const moved = await startDroplet();
    onTestFinished(() => moved.stop());
    registry.answer = [{ name: "worker", url: moved.url }];
    await shows({ droplets: [{ name: "worker", endpoint: moved.url }] });
    expect((await route("worker")).body.target_url).toBe(`${moved.url}/echo`);
    const { syncs_total, syncs_success, cache_age_seconds } = (await ask("/orchestrator/metrics")).body.registry;
    expect([syncs_total > 2, syncs_success, cache_age_seconds < 3]).toEqual([true, syncs_total, true]);
    expect(new Set(registry.asked)).toEqual(new Set(["/droplets"]));
  });

  test("away: the last list is used until it expires, then REGISTRY_ERROR, then all is well again", async () => {
    const registry = await startRegistryServer(listOf("worker"));
    const { route, shows, ask } = await open(registry);
    await shows({ cache_status: "active" });
    registry.answer = (to: ServerResponse) => to.writeHead(500).end();
    await shows({ droplets: [{ name: "worker" }], cache_status: "stale", served_from: "registry" });
    expect((await route("worker")).body).toMatchObject({ status: "success" });
    await shows({ droplets: [], cache_status: "unavailable" });
    expect(await route("worker")).toMatchObject({
      status: 503,
      body: { status: "error", error: { code: "REGISTRY_ERROR", message: expect.stringContaining("answered 500") } },
    });
    expect((await ask("/orchestrator/metrics")).body.registry).toMatchObject({ cache_status: "unavailable" });
    registry.answer = listOf("worker");
    await shows({ cache_status: "active" });
    expect((await route("worker")).body).toMatchObject({ status: "success" });
  });

  test("away at the start: the copy on disk is used, in its place and without remains of writing it", async () => {
    const registry = await startRegistryServer(listOf("worker"));
    const { cache, shows, service } = await open(registry);
    await shows({ cache_status: "active" });
    await eventually(() => expect(existsSync(join(cache, FILE))).toBe(true));
    await service.stop();
    expect(readdirSync(cache)).toEqual([FILE]);
    expect(JSON.parse(readFileSync(join(cache, FILE), "utf8"))).toMatchObject(listOf("worker"));
    registry.answer = (to: ServerResponse) => to.destroy();
    const again = await open(registry, { cache, REGISTRY_CACHE_EXPIRY: "300" });
    await again.shows({ droplets: [{ name: "worker" }], cache_status: "stale", served_from: "disk" });
    expect((await again.route("worker")).body).toMatchObject({ status: "success" });
  });

  test("the copy of another registry is not used", async () => {
    const registry = await startRegistryServer(listOf("worker"));
    const { cache, shows, service } = await open(registry);
    await shows({ cache_status: "active" });
    await eventually(() => expect(existsSync(join(cache, FILE))).toBe(true));
    await service.stop();
    const other = await startRegistryServer((to: ServerResponse) => to.destroy());
    const again = await open(other, { cache, REGISTRY_CACHE_EXPIRY: "300" });
    await again.shows({ droplets: [], cache_status: "unavailable" });
  });

  test.each([
    ["a list alone, as the older product wrote it", (url: string) => [{ name: "worker", endpoint: url }], "disk"],
    ["droplets by name", (url: string) => ({ droplets: { worker: { url } } }), "disk"],
    ["one that has expired", (url: string) => ({ ...{ droplets: [{ name: "worker", url }] }, saved_at: 1 }), undefined],
    ["half a file", () => '{"droplets": [{"name": "wor', undefined],
    ["something else", () => ({ droplets: "worker" }), undefined],
    ["nothing", () => "", undefined],
  ])("the copy on disk: %s", async (_what, content, from) => {
    const registry = await startRegistryServer((to: ServerResponse) => to.writeHead(503).end());
    const cache = createTemporaryFolder();
    const value = content(worker.url);
    writeFileSync(join(cache, FILE), typeof value === "string" ? value : JSON.stringify(value));
    const { shows, service } = await open(registry, { cache, REGISTRY_CACHE_EXPIRY: "60" });
    if (from === undefined) {
      await shows({ droplets: [], cache_status: "unavailable" });
      if (typeof value === "string") expect(service.output()).toMatch(/copy of the registry is damaged/);
    } else await shows({ droplets: [{ name: "worker" }], cache_status: "stale", served_from: from });
  });

  test("silent: the start does not wait for it, and health answers", async () => {
    const registry = await startRegistryServer(() => undefined);
    const { ask, route } = await open(registry, { REGISTRY_TIMEOUT: "2" });
    expect((await ask("/orchestrator/health")).body.status).toBe("ok");
    expect((await ask("/readyz")).status).toBe(200);
    expect(await route("worker")).toMatchObject({ status: 503, body: { error: { code: "REGISTRY_ERROR" } } });
  });

  test("empty after a full list: what was known stays until it expires", async () => {
    const registry = await startRegistryServer(listOf("worker"));
    const { shows, ask } = await open(registry);
    await shows({ cache_status: "active" });
    registry.answer = { droplets: [] };
    await shows({ droplets: [{ name: "worker" }], cache_status: "stale" });
    await shows({ droplets: [], cache_status: "active" });
    expect((await ask("/orchestrator/metrics")).body.registry.syncs_error).toBeGreaterThan(0);
  });

  test("lying: nothing is called that must not be, nothing is taken from the configuration", async () => {
    const registry = await startRegistryServer([]);
    const secret = createTemporaryFolder();
    writeFileSync(join(secret, "token"), "canary-4711");
    const config = join(secret, "orchestrator.yaml");
    writeFileSync(
      config,
      `routing: {services: {billing: {url: "${worker.url}/echo", headers: {Idempotency-Key: "secret://token"}}}}\n` +
        `secrets: {dir: ${JSON.stringify(secret)}}\n`,
    );
    const { shows, route, service, ask } = await open(registry, { ORCHESTRATOR_CONFIG: config });
    const entry = (name: string, endpoint: unknown) => ({ name, endpoint });
    registry.answer = [
      entry("billing", registry.url),
      entry("metadata", "http://169.254.169.254"),
      entry("mapped", "http://[::ffff:169.254.169.254]"),
      entry("decimal", "http://2852039166"),
      entry("metrics", `http://localhost:${service.metricsPort}`),
      entry("worker", worker.url),
      entry("worker", registry.url),
      ...[entry("file", "file:///etc/passwd"), entry("user", "http://a:b@localhost"), entry("hash", `${worker.url}#x`)],
      ...[entry("none", ""), entry("number", 7), entry("../x", worker.url), entry("a b", worker.url), null, "worker"],
      ...[entry("", worker.url), entry("x".repeat(5_000), worker.url), entry("__proto__", worker.url)],
    ];
    await eventually(async () =>
      expect((await ask("/orchestrator/droplets")).body.droplets.map(({ name }: { name: string }) => name)).toEqual(
        expect.arrayContaining(["billing", "decimal", "mapped", "metadata", "metrics", "worker"]),
      ),
    );
    const { droplets } = (await ask("/orchestrator/droplets")).body;
    expect(droplets).toHaveLength(6 + droplets.filter(({ name }: { name: string }) => name === "__proto__").length);
    for (const name of ["metadata", "mapped", "decimal", "metrics"])
      expect(await route(name), name).toMatchObject({
        status: 502,
        body: { error: { code: "DROPLET_UNREACHABLE", details: { last_error: expect.stringContaining("REFUSED") } } },
      });
    // Headers of the configuration go to its own address only.
    expect((await route("billing", "/a")).body).toMatchObject({
      target_url: `${worker.url}/echo/a`,
      response_body: { key: "canary-4711" },
    });
    expect((await route("worker")).body.response_body.key).not.toContain("canary");
    expect(registry.asked).not.toContain("/a");
    expect(service.output()).not.toContain("canary");
    await shows({ cache_status: "active" });
  });

  test.each<[string, (to: ServerResponse) => void, RegExp]>([
    ["a redirect", (to) => to.writeHead(302, { location: "/registry" }).end(), /redirect/],
    ["no JSON", (to) => to.end("<html>"), /JSON/],
    ["another form", (to) => to.end('{"services": []}'), /neither a list/],
    ["too much", (to) => to.end(`["${"x".repeat(5_000_000)}"]`), /more than 4194304 bytes/],
    ["nothing found", (to) => to.writeHead(404).end(), /answered 404/],
  ])("an answer that is none: %s", async (_what, answer, problem) => {
    const registry = await startRegistryServer(answer);
    const { route, service } = await open(registry);
    const { status, body } = await route("worker");
    expect([status, body.error]).toMatchObject([
      503,
      { code: "REGISTRY_ERROR", message: expect.stringMatching(problem) },
    ]);
    await eventually(() => expect(service.output()).toMatch(/registry of services cannot be read/));
  });

  test("a list of thousands of droplets that nobody answers for holds nobody up", async () => {
    const silent = await startSilentPort();
    const registry = await startRegistryServer(
      Array.from({ length: 4_000 }, (_, at) => ({ name: `d${at}`, endpoint: `http://127.0.0.1:${silent}` })),
    );
    const { ask, route } = await open(registry, { REGISTRY_CACHE_EXPIRY: "300" });
    const began = performance.now();
    expect((await ask("/orchestrator/droplets")).body.droplets).toHaveLength(4_000);
    expect((await route("unknown")).body.error.details.available_droplets).toHaveLength(4_000);
    expect((await ask("/orchestrator/metrics")).body).toMatchObject({ droplets_known: 4_000, droplets_reachable: 0 });
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
