/** A registry of services that is there, away, slow, wrong, or empty. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { systemClock } from "../../../src/base/time/clock.ts";
import type { HttpToolPolicy } from "../../../src/tools/http/address-policy.ts";
import { createAdapters } from "../../../src/tools/index.ts";
import { createToolCaller } from "../../../src/tools/path/caller.ts";
import { createRegistry, type Registry, type RegistryOptions } from "../../../src/tools/services/registry.ts";
import { createRegistryCopy } from "../../../src/tools/services/registry-copy.ts";
import { eventually } from "../../support/eventually.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { aCall } from "../../unit/tools/a-call.ts";
import { startFakeTool } from "./fake-tool.ts";

/** What the registry answers next: a list, a status, or nothing at all. */
type Answer = { readonly list: unknown } | { readonly status: number } | { readonly text: string } | "silence";

const BILLING = { name: "billing", endpoint: "http://127.0.0.1:9" };

/** A registry that answers what the test says, by path. */
async function openRegistryServer(answers: Record<string, Answer>) {
  const asked: string[] = [];
  const listener: RequestListener = ({ url = "" }, response) => {
    asked.push(url);
    const answer = answers[url] ?? { status: 404 };
    if (answer === "silence") return;
    response.statusCode = "status" in answer ? answer.status : 200;
    response.end("text" in answer ? answer.text : "list" in answer ? JSON.stringify(answer.list) : "");
  };
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, answers };
}

function open(url: string, more: Partial<RegistryOptions> & { readonly folder?: string } = {}): Registry {
  const { folder = createTemporaryFolder(), ...options } = more;
  const registry = createRegistry({
    url,
    paths: ["/droplets", "/registry"],
    intervalMs: 20,
    timeoutMs: 5_000,
    expiryMs: 300_000,
    copy: createRegistryCopy(folder, url, silentLog),
    clock: systemClock,
    log: silentLog,
    ...options,
  });
  onTestFinished(() => registry.stop());
  return registry;
}

test("the list is read at once and again after each interval; nothing is read before it begins", async () => {
  const server = await openRegistryServer({ "/droplets": { list: [BILLING] } });
  const registry = open(server.url);
  expect(registry.status()).toMatchObject({ state: "unavailable", servedFrom: "none", syncedAt: null });
  expect(server.asked).toEqual([]);
  await registry.begin();
  expect(registry.find("billing")?.baseUrl.href).toBe("http://127.0.0.1:9/");
  expect(registry.status()).toMatchObject({ state: "active", servedFrom: "registry", problem: "", skipped: 0 });
  server.answers["/droplets"] = { list: { droplets: [{ name: "mail", url: "http://127.0.0.1:8" }] } };
  await eventually(() => expect(registry.names()).toEqual(["mail"]));
});

test("who waits for a registry that has not begun waits for nothing, and does not begin it", async () => {
  const server = await openRegistryServer({ "/droplets": { list: [BILLING] } });
  const registry = open(server.url);
  await registry.settle("some-flow");
  expect([server.asked, registry.names()]).toEqual([[], []]);
  void registry.begin();
  await registry.settle("some-flow");
  expect(registry.names()).toEqual(["billing"]);
});

test("a registry without the first path is read at the second", async () => {
  const server = await openRegistryServer({ "/registry": { list: [BILLING] } });
  const registry = open(server.url);
  await registry.begin();
  expect(registry.names()).toEqual(["billing"]);
  expect(server.asked.slice(0, 2)).toEqual(["/droplets", "/registry"]);
});

test.each<[string, Answer, RegExp]>([
  ["answers an error", { status: 500 }, /answered 500/],
  ["answers no JSON", { text: "<html>" }, /JSON/],
  ["answers something else", { list: { services: [] } }, /neither a list/],
  ["does not answer", "silence", /did not answer in time/],
  ["answers an empty list after a full one", { list: [] }, /the list is empty/],
])("while it %s, the last list is served as stale until it expires", async (_, answer, problem) => {
  let now = 1_000_000;
  const server = await openRegistryServer({ "/droplets": { list: [BILLING] } });
  const registry = open(server.url, { clock: { ...systemClock, now: () => now }, timeoutMs: 200 });
  await registry.begin();
  server.answers["/droplets"] = answer;
  await eventually(() => expect(registry.status()).toMatchObject({ state: "stale", servedFrom: "registry" }));
  expect(registry.status().problem).toMatch(problem);
  expect(registry.names()).toEqual(["billing"]);
  now += 300_001;
  expect(registry.status()).toMatchObject({ state: "unavailable", servedFrom: "none", services: [] });
  expect(registry.find("billing")).toBeNull();
});

test("an empty list is taken when the services that were known have expired", async () => {
  let now = 1_000_000;
  const server = await openRegistryServer({ "/droplets": { list: [BILLING] } });
  const registry = open(server.url, { clock: { ...systemClock, now: () => now } });
  await registry.begin();
  server.answers["/droplets"] = { list: [] };
  await eventually(() => expect(registry.status().state).toBe("stale"));
  now += 300_001;
  await eventually(() => expect(registry.status()).toMatchObject({ state: "active", services: [] }));
});

test("a start while the registry is away serves the copy on disk, as long as that has not expired", async () => {
  const folder = join(createTemporaryFolder(), "new", "cache");
  const server = await openRegistryServer({ "/droplets": { list: [BILLING] } });
  const first = open(server.url, { folder });
  await first.begin();
  await first.stop();
  expect(readdirSync(folder)).toEqual(["orchestrator_droplets.json"]);

  server.answers["/droplets"] = { status: 503 };
  const second = open(server.url, { folder });
  await second.begin();
  expect(second.status()).toMatchObject({ state: "stale", servedFrom: "disk", services: [{ name: "billing" }] });

  const third = open(server.url, { folder, clock: { ...systemClock, now: () => Date.now() + 300_001 } });
  await third.begin();
  expect(third.status()).toMatchObject({ state: "unavailable", servedFrom: "none" });
});

test.each([
  ["a list alone", JSON.stringify([BILLING])],
  ["a list as droplets", JSON.stringify({ droplets: [BILLING], timestamp: 1 })],
])("a copy that is %s is read, and its age is that of its file", async (_, text) => {
  const folder = createTemporaryFolder();
  writeFileSync(join(folder, "orchestrator_droplets.json"), text);
  const registry = open("http://127.0.0.1:1", { folder });
  await registry.begin();
  expect(registry.status()).toMatchObject({ servedFrom: "disk", services: [{ name: "billing" }] });
});

test.each(["", "{", "null", '"text"', '{"droplets": 7}', '{"saved_at": "yesterday", "droplets": []}'])(
  "the damaged copy %j is not used, and replaced by the next sync",
  async (text) => {
    const folder = createTemporaryFolder();
    const path = join(folder, "orchestrator_droplets.json");
    writeFileSync(path, text);
    const server = await openRegistryServer({ "/droplets": { list: [BILLING] } });
    const registry = open(server.url, { folder });
    await registry.begin();
    expect(registry.status()).toMatchObject({ servedFrom: "registry", state: "active" });
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ droplets: [BILLING] });
  },
);

test("a copy that cannot be written costs nothing but the copy", async () => {
  const folder = join(createTemporaryFolder(), "file");
  writeFileSync(folder, "this is no folder");
  const server = await openRegistryServer({ "/droplets": { list: [BILLING] } });
  const registry = open(server.url, { folder: join(folder, "below") });
  await registry.begin();
  expect(registry.status().state).toBe("active");
});

/** Calls a service of a registry that names one place. */
async function callAt(endpoint: string, registryPolicy: HttpToolPolicy) {
  const server = await openRegistryServer({ "/droplets": { list: [{ name: "billing", endpoint }] } });
  const services = open(server.url);
  await services.begin();
  const policy = { allowPrivate: false, allow: ["127.0.0.1", "169.254.169.254"] };
  const adapters = createAdapters({ http: { policy, clock: systemClock, services, registryPolicy } });
  const tools = createToolCaller({ adapters, log: silentLog, clock: systemClock });
  onTestFinished(() => tools.close());
  return tools.call(aCall("http", { service: "billing", path: "/echo" }), new AbortController());
}

test("a service of the registry may be private and plain, but neither special nor a port of this service", async () => {
  const tool = await startFakeTool();
  onTestFinished(() => tool.close());
  const policy = { allowPrivate: true, allowPlain: true, allow: [] };
  await expect(callAt(tool.origin, policy)).resolves.toMatchObject({ ok: true });
  const refused = { ok: false, error: { type: "ADDRESS_REFUSED", retryable: false } };
  await expect(callAt(tool.origin, { ...policy, ownPorts: [tool.port] })).resolves.toMatchObject(refused);
  await expect(callAt(tool.origin, { ...policy, networks: ["10.0.0.0/8"] })).resolves.toMatchObject(refused);
  await expect(callAt(tool.origin, { ...policy, networks: ["127.0.0.0/8"] })).resolves.toMatchObject({ ok: true });
  // The metadata service of clouds, although http.allow lists it for tasks with a URL.
  await expect(callAt("http://169.254.169.254", policy)).resolves.toMatchObject(refused);
  expect(tool.requests).toHaveLength(2);
});
