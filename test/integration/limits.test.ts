/** Limits as operators see them: two instances in processes of their own, over gRPC, REST, and commands. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { toTimestamp } from "../../src/api/mapping/time.ts";
import { isOrchestratorError } from "../../src/base/errors.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { LimitSlotState } from "../../src/gen/orchestrator/v1/limit_pb.ts";
import { LimitService } from "../../src/gen/orchestrator/v1/limit_service_pb.ts";
import { RunFindingKind } from "../../src/gen/orchestrator/v1/run_diagnosis_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { runCommand } from "../support/run-command.ts";
import { type ServeProcess, startServe } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";

const { url } = await createTestDatabase();
const folder = createFileFolder();
let first: ServeProcess;
let second: ServeProcess;
let clients: ReturnType<typeof openGrpcClient>[];

/** Calls under way at a service that answers when it is told to. */
const calls = new Map<string, (() => void)[]>();
/** Each call that has begun: its run, and how many of its path were under way then, itself among them. */
const begun = new Map<string, { readonly runId: string; readonly underWay: number }[]>();
/** Calls that ended before they were answered. */
let brokenOff = 0;
const slow = createServer((request, response) => {
  const path = request.url ?? "";
  calls.set(path, [...(calls.get(path) ?? []), () => response.end("{}")]);
  const [runId = ""] = String(request.headers["idempotency-key"]).split("/");
  begun.set(path, [...(begun.get(path) ?? []), { runId, underWay: underWay(path) }]);
  response.on("close", () => {
    if (!response.writableEnded) brokenOff += 1;
  });
});
const underWay = (path: string): number => calls.get(path)?.length ?? 0;
const begunAt = (path: string) => begun.get(path) ?? [];
const answerOne = (path: string): void => calls.get(path)?.shift()?.();
const answerAll = (path: string): void => {
  for (const answer of calls.get(path)?.splice(0) ?? []) answer();
};

const flowOf = (id: string, limit: string): string => `id: ${id}
version: "1"
variables: [{name: key, type: any, default: ""}]
workflow:
  tasks:
    - id: call
      type: http
      parameters: {url: "http://127.0.0.1:${(slow.address() as AddressInfo).port}/${id}"}
      limit: ${limit}
`;

beforeAll(async () => {
  await new Promise<void>((resolve) => slow.listen(0, "127.0.0.1", resolve));
  const env = { DATABASE_URL: url, ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1" };
  [first, second] = await Promise.all([startServe({ folder, env }), startServe({ folder, env })]);
  clients = [first, second].map(({ address }) =>
    openGrpcClient({ address, headers: { "x-orchestrator-actor": "ann" } }),
  );
}, 90_000);
afterAll(async () => {
  for (const path of calls.keys()) answerAll(path);
  await Promise.all(clients.map((client) => client.close()));
  await Promise.all([first?.stop(), second?.stop()]);
  slow.closeAllConnections();
  slow.close();
});

const client = (at: 0 | 1) => clients[at] ?? expect.unreachable("it is open");

const register = (id: string, limit: string) =>
  client(0).call(FlowService.method.registerFlow, { definition: { case: "source", value: flowOf(id, limit) } });

const start = async (at: 0 | 1, flowId: string, key: unknown = ""): Promise<string> =>
  (
    await client(at).call(RunService.method.startRun, {
      flowId,
      inputValue: { case: "input", value: { key } as never },
    })
  ).run?.runId ?? "";

/** Starts runs at both instances in turn. Their ids, by instance. */
const startMany = async (flowId: string, count: number, key: unknown = "") => {
  const started: readonly [string[], string[]] = [[], []];
  for (let n = 0; n < count; n += 1) started[n % 2]?.push(await start((n % 2) as 0 | 1, flowId, key));
  return started;
};

const rest = async (at: ServeProcess, path: string, method = "GET", body?: object) => {
  const answer = await fetch(`http://${at.address}${path}`, {
    method,
    headers: { "content-type": "application/json", "x-orchestrator-actor": "bob" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, json: (await answer.json()) as Record<string, never> };
};

const command = (...args: readonly string[]) =>
  runCommand(["limits", ...args], folder, { ORCHESTRATOR_SERVER: second.address });

const slotsOf = async (at: 0 | 1, name: string, more: object = {}) =>
  (await client(at).call(LimitService.method.listLimitSlots, { name, ...more })).slots.map(
    ({ state, position }) => `${state === LimitSlotState.WAITING ? "waits" : "holds"} ${position ?? "-"}`,
  );

const get = async (name: string) => client(1).call(LimitService.method.getLimit, { name });

test("a limit that is raised at one instance is obeyed by the other, and what runs is not stopped", async () => {
  await client(0).call(LimitService.method.putLimit, { name: "crm", maxConcurrent: 1, reason: "contract" });
  await register("raised", "{name: crm}");
  const [atFirst, atSecond] = await startMany("raised", 8);
  const counts = async (at: 0 | 1) => {
    const { limit } = await client(at).call(LimitService.method.getLimit, { name: "crm" });
    return [limit?.heldCount, limit?.waitingCount];
  };
  await eventually(async () => expect(await counts(1)).toEqual([1, 7]));
  expect((await get("crm")).limit).toMatchObject({ declaration: { maxConcurrent: 1, actor: "ann" } });
  const line = [1, 2, 3, 4, 5, 6, 7].map((position) => `waits ${position}`);
  expect(await slotsOf(1, "crm")).toEqual(["holds -", ...line]);
  const raised = await rest(second, "/v1/limits/crm:put", "POST", { maxConcurrent: 5, reason: "they allow more" });
  expect(raised).toMatchObject({ status: 200, json: { limit: { declaration: { maxConcurrent: 5, actor: "bob" } } } });
  await eventually(() => expect(underWay("/raised")).toBe(5));
  // Both instances have begun runs of theirs, in the order of the line, and one after the other as there was room.
  const began = begunAt("/raised");
  expect(began.map((call) => call.underWay)).toEqual([1, 2, 3, 4, 5]);
  for (const own of [atFirst, atSecond])
    expect(began.filter(({ runId }) => own.includes(runId)).length).toBeGreaterThan(1);
  await command("put", "crm", "--max-concurrent", "2");
  for (const left of [4, 3, 2]) {
    answerOne("/raised");
    await eventually(async () => expect(await counts(0)).toEqual([left, 3]));
  }
  for (const count of [6, 7, 8]) {
    answerOne("/raised");
    await eventually(() => expect(begunAt("/raised")).toHaveLength(count));
  }
  // Since it was lowered, none has begun beside more than one other, at either instance.
  expect(
    begunAt("/raised")
      .slice(5)
      .map((call) => call.underWay),
  ).toEqual([2, 2, 2]);
  for (const own of [atFirst, atSecond])
    expect(begunAt("/raised").filter(({ runId }) => own.includes(runId))).toHaveLength(4);
  await eventually(async () => {
    answerAll("/raised");
    expect(await slotsOf(0, "crm")).toEqual([]);
  });
  expect(brokenOff).toBe(0);
}, 60_000);

const codeOf = async (call: Promise<unknown>): Promise<string> => {
  const error = await call.then(
    () => expect.unreachable("it was accepted"),
    (cause: unknown) => cause,
  );
  return isOrchestratorError(error) ? error.code : String(error);
};

test("a flow without bounds needs a declaration, which then cannot be deleted unless forced", async () => {
  const refused = await register("relying", "{name: partner}").catch((error: unknown) => error);
  expect(String(refused)).toContain("orchestrator limits put partner --max-concurrent 5");
  expect(await codeOf(register("relying", "{name: partner}"))).toBe("FLOW_INVALID");
  const put = await command("put", "partner", "--rate", "100/1m", "--reason", "their terms");
  expect(put.out).toMatch(/partner +OPEN +100 may begin per 1m +0 +0/);
  await register("relying", "{name: partner}");
  await register("bounded", "{name: partner, max_concurrent: 2}");
  expect((await get("partner")).uses).toMatchObject([
    { flowId: "bounded", version: "1", relies: false },
    { flowId: "relying", version: "1", relies: true },
  ]);
  const kept = await command("delete", "partner");
  expect(kept).toMatchObject({ code: 4 });
  expect(kept.err).toContain(
    "1 flow version(s) and service(s) rely on the declaration of limit partner, for instance relying version 1",
  );
  expect((await get("partner")).limit?.declaration).toMatchObject({ rate: { count: 100 }, reason: "their terms" });
  expect((await command("delete", "partner", "--force")).out).toBe("limit partner is not declared any more\n");
  expect((await command("delete", "partner", "--force")).out).toBe("limit partner was not declared\n");
  const runId = await start(0, "relying");
  await eventually(async () => expect(await slotsOf(1, "partner")).toEqual(["waits 1"]));
  const { findings } = await client(1).call(RunService.method.diagnoseRun, { runId });
  expect(findings).toMatchObject([{ kind: RunFindingKind.LIMIT, method: "LimitService.PutLimit" }]);
  expect(underWay("/relying")).toBe(0);
  await client(1).call(LimitService.method.putLimit, { name: "partner", maxConcurrent: 1 });
  await eventually(() => expect(underWay("/relying")).toBe(1), { timeoutMs: 1_500 });
  answerAll("/relying");
}, 60_000);

test("a pause of a key or of all keys keeps attempts from beginning until it is resumed, or over", async () => {
  await register("paused", '{name: bank, key: "${vars.key}", max_concurrent: 3}');
  const key = "Müller & Söhne / 🦄 ?#%";
  const shown = await command("pause", "bank", "--key", key, "--for", "1h", "--reason", "over quota");
  expect(shown.out).toContain("KEYS PAUSED");
  await start(0, "paused", key);
  await start(0, "paused", "other");
  await eventually(() => expect(underWay("/paused")).toBe(1));
  const keys = await rest(first, "/v1/limits/bank/keys");
  expect(keys.json).toMatchObject({
    keys: [
      { key, waitingCount: 1, pause: { reason: "over quota", untilTime: expect.any(String) } },
      { key: "other", heldCount: 1 },
    ],
  });
  const line = await rest(first, `/v1/limits/bank/slots?key=${encodeURIComponent(key)}&state=LIMIT_SLOT_STATE_WAITING`);
  expect(line.json).toMatchObject({ slots: [{ key, position: 1, taskId: "call" }] });
  const all = await rest(second, "/v1/limits/bank:pause", "POST", { reason: "they are down" });
  expect(all.json).toMatchObject({ limit: { pause: { actor: "bob", reason: "they are down" }, pausedKeyCount: 1 } });
  await start(1, "paused", "third");
  await eventually(async () => expect((await get("bank")).limit).toMatchObject({ waitingCount: 2, heldCount: 1 }));
  expect((await command("get", "bank")).out).toMatch(/paused since .* by bob: they are down/);
  expect(underWay("/paused")).toBe(1);
  await command("resume", "bank");
  await eventually(() => expect(underWay("/paused")).toBe(3), { timeoutMs: 1_500 });
  answerAll("/paused");
  const untilTime = toTimestamp(Date.now() + 1_500);
  await client(0).call(LimitService.method.pauseLimit, { name: "bank", untilTime });
  await start(1, "paused", "third");
  await eventually(async () => expect((await get("bank")).limit?.waitingCount).toBe(1));
  expect(underWay("/paused")).toBe(0);
  await eventually(() => expect(underWay("/paused")).toBe(1));
  expect((await get("bank")).limit?.pause).toBeUndefined();
  answerAll("/paused");
}, 60_000);

test("what cannot be meant is refused and names its field; limits that nobody knows are not found", async () => {
  const { putLimit, getLimit, pauseLimit, deleteLimit, listLimitKeys } = LimitService.method;
  for (const name of ["", "ü", "a b", "a\0", "x".repeat(1_000_000)]) {
    expect(await codeOf(client(0).call(getLimit, { name }))).toBe("INVALID_REQUEST");
    expect(await codeOf(client(0).call(putLimit, { name, maxConcurrent: 1 }))).toBe("INVALID_REQUEST");
  }
  for (const key of ["a\0b", "a\nb", "x".repeat(257), "x".repeat(1_000_000)])
    expect(await codeOf(client(0).call(pauseLimit, { name: "odd", key }))).toBe("INVALID_REQUEST");
  for (const bounds of [{}, { maxConcurrent: 0 }, { maxConcurrent: 1_000_001 }, { rate: { count: 1 } }])
    expect(await codeOf(client(0).call(putLimit, { name: "odd", ...bounds }))).toBe("INVALID_REQUEST");
  const past = toTimestamp(Date.now() - 1_000);
  expect(await codeOf(client(0).call(pauseLimit, { name: "odd", untilTime: past }))).toBe("INVALID_REQUEST");
  expect(await codeOf(client(0).call(getLimit, { name: "odd" }))).toBe("LIMIT_NOT_FOUND");
  const unknown = await rest(first, "/v1/limits/odd");
  expect(unknown.status).toBe(404);
  expect(JSON.stringify(unknown.json)).toContain("LIMIT_NOT_FOUND");
  expect((await rest(first, "/v1/limits/a%00b")).status).toBe(400);
  expect((await client(0).call(listLimitKeys, { name: "odd" })).keys).toEqual([]);
  expect((await client(0).call(deleteLimit, { name: "odd" })).wasDeclared).toBe(false);
  const foreign = { name: "odd", pageToken: "bm90IG91cnM" };
  expect(await codeOf(client(0).call(listLimitKeys, foreign))).toBe("PAGE_TOKEN_INVALID");
});

test("two people do not undo each other's declaration, and a declaration can be repeated", async () => {
  const { putLimit, deleteLimit } = LimitService.method;
  const first = await client(0).call(putLimit, { name: "shared", maxConcurrent: 1 });
  const etag = first.limit?.declaration?.etag ?? "";
  const second = { name: "shared", maxConcurrent: 2, etag };
  const changed = await client(1).call(putLimit, second);
  expect((await client(1).call(putLimit, second)).limit).toEqual(changed.limit);
  expect(await codeOf(client(0).call(putLimit, { name: "shared", maxConcurrent: 3, etag }))).toBe("LIMIT_CHANGED");
  expect(await codeOf(client(0).call(deleteLimit, { name: "shared", etag }))).toBe("LIMIT_CHANGED");
  expect((await get("shared")).limit?.declaration?.maxConcurrent).toBe(2);
});

test("lists page over names and slots, and metrics have the tasks of the whole database once, without keys", async () => {
  await register("metered", '{name: metered, key: "${vars.key}", max_concurrent: 1}');
  for (const key of ["k1", "k2"]) await startMany("metered", 3, key);
  await eventually(async () => expect((await get("metered")).limit).toMatchObject({ waitingCount: 4, heldCount: 2 }));
  const pages: string[] = [];
  for (let pageToken = ""; ; ) {
    const page = await client(0).call(LimitService.method.listLimitSlots, { name: "metered", pageSize: 1, pageToken });
    pages.push(...page.slots.map(({ key, position }) => `${key} ${position ?? "holds"}`));
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  expect(pages).toEqual(["k1 holds", "k2 holds", "k1 1", "k1 2", "k2 1", "k2 2"]);
  const names: string[] = [];
  for (let pageToken = ""; ; ) {
    const page = await client(1).call(LimitService.method.listLimits, { pageSize: 2, pageToken });
    names.push(...page.limits.map(({ name }) => name));
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  expect(names).toEqual([...new Set(names)].sort());
  expect(names).toEqual(expect.arrayContaining(["bank", "crm", "metered", "partner", "shared"]));
  expect((await get("metered")).busiestKeys).toMatchObject([
    { key: "k1", waitingCount: 2 },
    { key: "k2", waitingCount: 2 },
  ]);
  await eventually(async () => {
    const texts = await Promise.all(
      [first, second].map(async ({ metricsPort }) => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()),
    );
    const found = texts
      .flatMap((text) => text.split("\n"))
      .filter((line) => line.startsWith("orchestrator_limit_tasks{") && line.includes('"metered"'));
    expect(found.sort()).toEqual([
      'orchestrator_limit_tasks{limit="metered",state="HELD"} 2',
      'orchestrator_limit_tasks{limit="metered",state="WAITING"} 4',
    ]);
    expect(texts.join("")).not.toContain('"k1"');
  });
  await eventually(async () => {
    answerAll("/metered");
    expect((await get("metered")).limit).toMatchObject({ waitingCount: 0, heldCount: 0 });
  });
}, 60_000);
