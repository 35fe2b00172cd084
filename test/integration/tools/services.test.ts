/** Calls of services by name: what they get, and what they never get. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { Json } from "../../../src/base/json/json.ts";
import { silentLog } from "../../../src/base/log.ts";
import { createSecrets } from "../../../src/base/secrets/secrets.ts";
import { systemClock } from "../../../src/base/time/clock.ts";
import type { ToolCall } from "../../../src/engine/ports/tools.ts";
import { createAddressPolicy } from "../../../src/tools/http/address-policy.ts";
import { withServices } from "../../../src/tools/http/http.ts";
import { createServiceCatalogue } from "../../../src/tools/http/service-catalogue.ts";
import { createAdapters } from "../../../src/tools/index.ts";
import { createToolCaller } from "../../../src/tools/path/caller.ts";
import { createContacts } from "../../../src/tools/services/contacts.ts";
import { type ConfiguredService, createConfiguredServices } from "../../../src/tools/services/directory.ts";
import { aCall } from "../../unit/tools/a-call.ts";
import { type FakeTool, startFakeTool } from "./fake-tool.ts";

let tool: FakeTool;
let other: FakeTool;

beforeAll(async () => {
  tool = await startFakeTool();
  other = await startFakeTool();
});
afterAll(async () => {
  await tool.close();
  await other.close();
});

/** What calls a tool, where nothing but services may be private, with a folder of secrets. */
function openTools(services: Record<string, ConfiguredService>) {
  const dir = mkdtempSync(join(tmpdir(), "secrets-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const directory = createConfiguredServices(services, createSecrets({ dir, variable: () => undefined }));
  const policy = { allowPrivate: false, allow: [] };
  const adapters = createAdapters({ http: { policy, clock: systemClock, services: directory } });
  const policyOf = (service: string) => directory.find(service, null)?.policy ?? null;
  const tools = createToolCaller({ adapters, policyOf, log: silentLog, clock: systemClock });
  onTestFinished(() => tools.close());
  return {
    dir,
    tools,
    call: (parameters: Record<string, Json>, more: Partial<ToolCall> = {}) =>
      tools.call(aCall("http", parameters, more), new AbortController()),
  };
}

test("a path is called below the URL of its service, with a query and the parameters of the task", async () => {
  const { call } = openTools({ billing: { url: `${tool.origin}/echo/` } });
  for (const [path, query, url] of [
    ["/invoices/1", {}, "/echo/invoices/1"],
    ["/invoices?a=1", { b: 2 }, "/echo/invoices?a=1&b=2"],
    ["/a%2Fb", {}, "/echo/a%2Fb"],
  ] as const) {
    await call({ service: "billing", path, query });
    expect(tool.requests.at(-1)?.url).toBe(url);
  }
  await call({ service: "billing" });
  expect(tool.requests.at(-1)?.url).toBe("/echo/");
});

test("a service at a private address is called by its name only", async () => {
  const { call } = openTools({ billing: { url: tool.origin } });
  await expect(call({ service: "billing", path: "/echo" })).resolves.toEqual({ ok: true, output: { ok: true } });
  // The connection to the service is still open.
  await expect(call({ url: `${tool.origin}/echo` })).resolves.toMatchObject({
    error: { type: "ADDRESS_REFUSED", noEffect: true },
  });
});

test("headers of a service replace those of the task, and a changed secret counts from the next call", async () => {
  const { call, dir } = openTools({
    billing: { url: tool.origin, headers: { Authorization: "secret://token", "X-Team": "blue" } },
  });
  writeFileSync(join(dir, "token"), "Bearer first\n");
  const headers = { authorization: "mine", "X-TEAM": "red", "X-Own": "1" };
  await call({ service: "billing", path: "/echo", headers });
  expect(tool.requests.at(-1)?.headers).toMatchObject({
    authorization: "Bearer first",
    "x-team": "blue",
    "x-own": "1",
  });
  writeFileSync(join(dir, "token"), "Bearer second");
  await call({ service: "billing", path: "/echo" });
  expect(tool.requests.at(-1)?.headers).toMatchObject({ authorization: "Bearer second" });
  rmSync(join(dir, "token"));
  const calls = tool.requests.length;
  await expect(call({ service: "billing", path: "/echo" })).resolves.toMatchObject({
    error: { type: "SECRET_NOT_FOUND", message: expect.stringContaining("token") },
  });
  expect(tool.requests).toHaveLength(calls);
});

test.each([
  "echo",
  "",
  "//evil.example/echo",
  "/%2F%2Fevil.example/echo",
  "/%5cevil.example/echo",
  "/\\evil.example/echo",
  "\\\\evil.example",
  "/..",
  "/../admin",
  "/a/../../admin",
  "/a/%2e%2e/admin",
  "/a/..%2fadmin",
  "/a/%2E%2E%5cadmin",
  "/./a",
  "/a/..;/admin",
  "/a/%2e%2E;x=1/admin",
  "@evil.example/",
  "/a b",
  "/a\nb",
  "/a#b",
])("the path %j is refused, and nothing is sent", async (path) => {
  const { call } = openTools({ billing: { url: `${tool.origin}/echo` } });
  const before = tool.requests.length;
  const outcome = await call({ service: "billing", path });
  expect(outcome).toMatchObject({ ok: false, error: { type: "REQUEST_INVALID", retryable: false, noEffect: true } });
  expect(tool.requests).toHaveLength(before);
});

test("paths with dots in names, an @, and encoded characters stay what they are", async () => {
  const { call } = openTools({ billing: { url: `${tool.origin}/echo` } });
  for (const path of ["/a@b", "/...", "/a..b", "/.well-known/x", "/%20", "/a;b=1", "/a:b//c"]) {
    await call({ service: "billing", path });
    expect(tool.requests.at(-1)?.url).toBe(`/echo${path}`);
  }
});

test("a redirect inside the origin is followed with the headers of the service, another one is not", async () => {
  const { call, dir } = openTools({ billing: { url: tool.origin, headers: { Authorization: "secret://token" } } });
  writeFileSync(join(dir, "token"), "Bearer first");
  const inside = `/redirect?code=302&to=${encodeURIComponent("/echo")}`;
  await expect(call({ service: "billing", path: inside })).resolves.toMatchObject({ ok: true });
  expect(tool.requests.at(-1)).toMatchObject({ url: "/echo", headers: { authorization: "Bearer first" } });
  const outside = `/redirect?code=302&to=${encodeURIComponent(`${other.origin}/echo`)}`;
  await expect(call({ service: "billing", path: outside })).resolves.toMatchObject({
    error: { type: "REDIRECT_REFUSED", retryable: false },
  });
  expect(other.requests).toHaveLength(0);
});

test("the time limit of a service ends a request earlier than the task would, and can be retried", async () => {
  const { call } = openTools({ billing: { url: tool.origin, timeoutMs: 50 } });
  await expect(call({ service: "billing", path: "/hang" }, { timeoutMs: 60_000 })).resolves.toMatchObject({
    error: { type: "TIMEOUT", retryable: true },
  });
});

test("a service that is not there fails at once, with the names that are", async () => {
  const { call } = openTools({ billing: { url: tool.origin }, mail: { url: other.origin } });
  await expect(call({ service: "biling", path: "/echo" })).resolves.toMatchObject({
    error: {
      type: "SERVICE_NOT_FOUND",
      message: "there is no service biling; there are: billing, mail",
      retryable: false,
    },
  });
});

test("calls of a service have a breaker by its origin", async () => {
  const { call, tools } = openTools({ billing: { url: tool.origin } });
  await call({ service: "billing", path: "/status?code=503" });
  expect(tools.listBreakers()).toMatchObject([{ origin: tool.origin, failuresInRow: 1 }]);
});

test("a service says how many failures open its breaker, and how many calls there may be", async () => {
  const policy = { failuresToOpen: 2, maxConcurrent: 3, maxQueued: 4 };
  const { call, tools } = openTools({ billing: { url: tool.origin, policy } });
  const failing = { service: "billing", path: "/status?code=503" };
  await call(failing);
  await call(failing);
  await expect(call(failing)).resolves.toMatchObject({ error: { type: "BREAKER_OPEN" } });
  expect(tools.listBreakers()).toMatchObject([{ service: "billing", state: "OPEN", maxConcurrent: 3, maxQueued: 4 }]);
});

test.each([
  ["task", "POST", "/status?code=503", true],
  ["safe", "POST", "/status?code=503", false],
  ["safe", "GET", "/status?code=503", true],
  ["never", "GET", "/status?code=503", false],
] as const)("with retry: %s, a failure of %s %s is retried: %s", async (retry, method, path, retryable) => {
  const { call, tools } = openTools({ billing: { url: tool.origin, policy: { retry } } });
  await expect(call({ service: "billing", method, path })).resolves.toMatchObject({ error: { retryable } });
  // It is a failure all the same.
  expect(tools.listBreakers()).toMatchObject([{ failuresInRow: 1 }]);
});

test("with retry: safe, a request that did not arrive is retried", async () => {
  const gone = await startFakeTool();
  await gone.close();
  const { call } = openTools({ billing: { url: gone.origin, policy: { retry: "safe" } } });
  await expect(call({ service: "billing", method: "POST", path: "/" })).resolves.toMatchObject({
    error: { type: "CONNECTION_REFUSED", retryable: true },
  });
});

test.each([
  ["/status?code=204", true],
  ["/status?code=503", false],
  ["/hang", false],
])("a service whose health path is %s can be reached: %s", async (healthPath, reachable) => {
  const dir = mkdtempSync(join(tmpdir(), "secrets-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const secrets = createSecrets({ dir, variable: () => undefined });
  const directory = createConfiguredServices({ billing: { url: tool.origin, healthPath } }, secrets);
  const policy = createAddressPolicy(withServices({ allowPrivate: false, allow: [] }, directory));
  const catalogue = createServiceCatalogue({
    ...{
      directories: [directory],
      registry: null,
      contacts: createContacts(systemClock),
      freshMs: 1_000,
      clock: systemClock,
    },
    policies: { configuration: policy, call: policy, registry: policy },
  });
  expect(await catalogue.list("default")).toMatchObject([{ name: "billing", reachable }]);
});
