/** Services that calls put: two instances, a real tool, the configuration before them, and what they never get. */
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { ApiClient } from "../../src/api/client/client.ts";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { LimitService } from "../../src/gen/orchestrator/v1/limit_service_pb.ts";
import { type Run, RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { NamedServiceSource, ServiceRetry, ToolService } from "../../src/gen/orchestrator/v1/tool_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { runCommand } from "../support/run-command.ts";
import { type ServeProcess, startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { type FakeTool, startFakeTool } from "./tools/fake-tool.ts";

const { method } = ToolService;
const CANARY = "Bearer canary-of-billing";

interface Instance {
  readonly service: ServeProcess;
  readonly client: ApiClient;
}

async function openTool(): Promise<FakeTool> {
  const tool = await startFakeTool();
  onTestFinished(() => tool.close());
  return tool;
}

/** What opens instances on one database, with the token of one origin. */
async function openBed(origin: string, more: Readonly<Record<string, string>> = {}) {
  const { url } = await createTestDatabase();
  const secrets = createTemporaryFolder();
  mkdirSync(secrets, { recursive: true });
  writeFileSync(join(secrets, "billing"), CANARY);
  const env = {
    ...{ DATABASE_URL: url, ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1", ORCHESTRATOR_SECRETS_DIR: secrets },
    ORCHESTRATOR_SECRETS_ORIGINS: JSON.stringify({ [origin]: { Authorization: "secret://billing" } }),
    ...more,
  };
  return async (own: Readonly<Record<string, string>> = {}): Promise<Instance> => {
    const service = await startServeForTest({ folder: createTemporaryFolder(), env: { ...env, ...own } });
    const client = openGrpcClient({ address: service.address, headers: { "x-orchestrator-actor": "alice" } });
    onTestFinished(() => client.close());
    return { service, client };
  };
}

async function register({ client }: Instance): Promise<void> {
  const value = `
id: calls
version: "1"
workflow:
  tasks:
    - {id: call, type: http, parameters: {service: billing, path: /echo}, retry_policy: {max_retries: 0}}
`;
  const { problems } = await client.call(FlowService.method.registerFlow, { definition: { case: "source", value } });
  expect(problems).toEqual([]);
}

async function runAt({ client }: Instance): Promise<Run | undefined> {
  const { run } = await client.call(RunService.method.startRun, { flowId: "calls", wait: { seconds: 30n } });
  return run;
}

const getAt = ({ client }: Instance) => client.call(method.getService, { name: "billing" });

test("a service that was put is called at every instance, until it is deleted, and has the token of its origin", async () => {
  const [billing, other] = [await openTool(), await openTool()];
  const open = await openBed(billing.origin);
  const [first, second] = [await open(), await open()];
  const entry = { url: `${billing.origin}/`, timeout: { seconds: 5n }, retry: ServiceRetry.SAFE, maxConcurrent: 7 };
  const { service, created } = await first.client.call(method.putService, {
    ...{ name: "billing", entry, changeReason: "moved", etag: "new", requestId: "put-1" },
  });
  expect(created).toBe(true);
  expect(service).toMatchObject({
    ...{ name: "billing", url: billing.origin, source: NamedServiceSource.CALL, hidden: false, actor: "alice" },
    ...{ changeReason: "moved", headerNames: ["Authorization"], entry },
  });

  // At once: an instance that does not know it yet reads again.
  await eventually(async () => expect((await getAt(second)).service?.etag).toBe(service?.etag), { timeoutMs: 5_000 });
  await register(second);
  expect((await runAt(second))?.state).toBe(RunState.COMPLETED);
  expect(billing.requests.at(-1)?.headers).toMatchObject({ authorization: CANARY });
  const { breakers } = await second.client.call(method.listBreakers, { service: "billing" });
  expect(breakers).toMatchObject([{ origin: billing.origin, maxConcurrent: 7 }]);

  // What has changed meanwhile is not overwritten; the same call again is no change.
  const changed = { name: "billing", entry: { url: other.origin }, etag: "new" };
  await expect(first.client.call(method.putService, changed)).rejects.toMatchObject({ code: "SERVICE_CHANGED" });
  const again = { name: "billing", entry, changeReason: "moved", etag: "new" };
  expect((await first.client.call(method.putService, again)).service?.etag).toBe(service?.etag);

  // Another origin: without the token, no matter who put it.
  await second.client.call(method.putService, { ...changed, etag: service?.etag ?? "" });
  await eventually(async () => expect((await getAt(first)).service?.url).toBe(other.origin), { timeoutMs: 5_000 });
  expect((await runAt(first))?.state).toBe(RunState.COMPLETED);
  expect(other.requests.at(-1)?.headers).not.toHaveProperty("authorization");
  expect((await getAt(first)).service?.headerNames).toEqual([]);

  // Those who come later know it, too.
  const third = await open();
  expect((await runAt(third))?.state).toBe(RunState.COMPLETED);
  expect(await third.client.call(method.deleteService, { name: "billing" })).toMatchObject({ wasPut: true });
  expect(await third.client.call(method.deleteService, { name: "billing" })).toMatchObject({ wasPut: false });
  await expect(getAt(third)).rejects.toMatchObject({ code: "SERVICE_UNKNOWN" });
  await eventually(async () =>
    expect(await getAt(first).catch((error: { code: string }) => error.code)).toBe("SERVICE_UNKNOWN"),
  );
  expect((await runAt(first))?.error).toMatchObject({ type: "SERVICE_NOT_FOUND" });
  for (const { service: one } of [first, second, third]) expect(one.output()).not.toContain(CANARY);
});

/** The URL of a registry that lists one service. */
async function openRegistry(name: string, endpoint: string): Promise<string> {
  const server = createServer((_request, response) => response.end(JSON.stringify([{ name, endpoint }])));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("the configuration goes before what was put, and that before the registry; hidden entries are listed", async () => {
  const [configured, put, listed] = [await openTool(), await openTool(), await openTool()];
  const open = await openBed(put.origin, { REGISTRY_URL: await openRegistry("billing", listed.origin) });
  const plain = await open();
  const said = { name: "billing", entry: { url: put.origin } };
  await register(plain);
  const calls = () => [configured, put, listed].map((tool) => tool.requests.length);
  expect((await runAt(plain))?.state).toBe(RunState.COMPLETED);
  expect(calls()).toEqual([0, 0, 1]);
  expect((await plain.client.call(method.putService, said)).service).toMatchObject({ hidden: false });
  expect((await runAt(plain))?.state).toBe(RunState.COMPLETED);
  expect(calls()).toEqual([0, 1, 1]);
  await plain.service.stop();

  const services = JSON.stringify({ billing: { url: configured.origin } });
  const strict = await open({ ORCHESTRATOR_ROUTING_SERVICES: services });
  expect((await runAt(strict))?.state).toBe(RunState.COMPLETED);
  expect(calls()).toEqual([1, 1, 1]);
  const { CALL, CONFIGURATION, REGISTRY } = NamedServiceSource;
  const pages: unknown[] = [];
  for (let pageToken = ""; ; ) {
    const page = await strict.client.call(method.listServices, { pageSize: 1, pageToken });
    pages.push(page.services.map(({ url, source, hidden, reachable }) => [url, source, hidden, reachable]));
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  expect(pages).toEqual([
    [[configured.origin, CONFIGURATION, false, true]],
    [[put.origin, CALL, true, true]],
    [[listed.origin, REGISTRY, true, true]],
  ]);
  expect(await getAt(strict)).toMatchObject({
    service: { source: CONFIGURATION, headerNames: [] },
    hiddenServices: [
      { source: CALL, headerNames: ["Authorization"] },
      { source: REGISTRY, headerNames: [] },
    ],
  });
  expect((await strict.client.call(method.putService, said)).service).toMatchObject({ hidden: true, source: CALL });
  const droplets = await fetch(`http://${strict.service.address}/orchestrator/droplets`);
  expect(await droplets.json()).toMatchObject({ droplets: [{ name: "billing", source: "configuration" }] });
});

test("a call opens no address: private ones, special ones, and ports for operators are refused", async () => {
  const tool = await openTool();
  const open = await openBed(tool.origin, { ORCHESTRATOR_HTTP_ALLOW: "localhost" });
  const only = await open();
  const put = (entry: object) => only.client.call(method.putService, { name: "billing", entry });
  for (const [entry, field, problem] of [
    [{ url: tool.origin }, "entry.url", /private or loopback .* http\.allow/],
    [{ url: "http://169.254.169.254" }, "entry.url", /special use/],
    [{ url: "http://8.8.8.8" }, "entry.url", /plain http/],
    [{ url: "https://user:pass@billing.example" }, "entry.url", /without user, password/],
    [{ url: "https://billing.example/?a=1" }, "entry.url", /without a query/],
    [{ url: "ftp://billing.example" }, "entry.url", /http:\/\/ or https:\/\//],
    [{ url: "https://billing.example", timeout: { seconds: 7_200n } }, "entry.timeout", /3600/],
    [{ url: "https://billing.example", breakerFailures: 0 }, "entry.breaker_failures", /1/],
    [{ url: "https://billing.example", maxQueued: -1 }, "entry.max_queued", /0/],
    [{ url: "https://billing.example", healthPath: "//evil" }, "entry.health_path", /slash in front/],
  ] as const)
    await expect(
      put(entry),
      JSON.stringify(entry, (_, value) => String(value)),
    ).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { field },
      message: expect.stringMatching(problem),
    });
  expect((await only.client.call(method.listServices, {})).services).toEqual([]);

  // A name is judged by the address that it has when it is called.
  await put({ url: `http://localhost:${only.service.metricsPort}` });
  await register(only);
  expect((await runAt(only))?.error).toMatchObject({
    ...{ type: "ADDRESS_REFUSED", message: expect.stringContaining("not for callers") },
  });
});

test("each call of a service takes a slot of its limit, and a retry asks for one anew", async () => {
  let [open, most] = [0, 0];
  const waiting: (() => void)[] = [];
  const statuses = [503];
  const server = createServer((_request, response) => {
    open += 1;
    most = Math.max(most, open);
    waiting.push(() => {
      open -= 1;
      response.writeHead(statuses.shift() ?? 200).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const bed = await openBed(url);
  const only = await bed();
  const entry = { url, limit: "partner" };
  await expect(only.client.call(method.putService, { name: "billing", entry })).rejects.toMatchObject({
    code: "LIMIT_NOT_DECLARED",
  });
  await only.client.call(LimitService.method.putLimit, { name: "partner", maxConcurrent: 1 });
  const { service } = await only.client.call(method.putService, { name: "billing", entry });
  expect(service?.entry?.limit).toBe("partner");
  const value = `
id: calls
version: "1"
variables:
  - {name: service, type: string, required: true}
workflow:
  tasks:
    - id: call
      type: http
      parameters: {service: "\${vars.service}", path: /echo}
      retry_policy: {max_retries: 1, initial_delay: 0}
`;
  await only.client.call(FlowService.method.registerFlow, { definition: { case: "source", value } });
  const runIds: string[] = [];
  for (let count = 0; count < 3; count += 1) {
    const input = { case: "input" as const, value: { service: "billing" } };
    const { run } = await only.client.call(RunService.method.startRun, { flowId: "calls", inputValue: input });
    runIds.push(run?.runId ?? "");
  }
  const held = async () => {
    const { limit } = await only.client.call(LimitService.method.getLimit, { name: "partner" });
    return [limit?.heldCount, limit?.waitingCount];
  };
  await eventually(async () => expect(await held()).toEqual([1, 2]));
  // Three calls and the repetition of one.
  for (let count = 0; count < 4; count += 1) {
    await eventually(() => expect(waiting.length).toBe(1), { timeoutMs: 20_000 });
    waiting.shift()?.();
  }
  for (const runId of runIds)
    await eventually(async () => {
      const { run } = await only.client.call(RunService.method.getRun, { runId });
      expect(run?.state).toBe(RunState.COMPLETED);
    });
  expect(most).toBe(1);
  const attempts = await Promise.all(
    runIds.map(async (runId) => (await only.client.call(RunService.method.listRunTasks, { runId })).tasks[0]?.attempt),
  );
  expect(attempts.toSorted()).toEqual([1, 1, 2]);
  expect(await held()).toEqual([0, 0]);
});

test("the command line puts, shows, lists, and deletes services", async () => {
  const tool = await openTool();
  const open = await openBed(tool.origin);
  const only = await open();
  const cli = async (...words: string[]) => {
    const { code, out, err } = await runCommand(
      ["services", ...words, "--server", only.service.address],
      createTemporaryFolder(),
      {},
    );
    expect([code, err]).toEqual([0, ""]);
    return out;
  };
  const put = await cli("put", "billing", tool.origin, "--timeout", "5s", "--retry", "never", "--reason", "new place");
  expect(put).toMatch(/billing +http:\/\/127\.0\.0\.1:\d+ +CALL/);
  expect(await cli("get", "billing")).toMatch(
    /timeout: 5s\nretry: NEVER\nheaders: Authorization\nput .*: new place; etag \d+/,
  );
  expect(await cli("list")).toMatch(/billing +http:\/\/127\.0\.0\.1:\d+ +CALL +yes/);
  expect(await cli("delete", "billing")).toBe("service billing is deleted\n");
  expect(await cli("delete", "billing")).toBe("service billing was not put\n");
});
