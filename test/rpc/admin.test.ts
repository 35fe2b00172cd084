/** AdminService over the wire, at one instance and at two. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { AdminService } from "../../src/gen/orchestrator/v1/admin_service_pb.ts";
import { LogLevel } from "../../src/gen/orchestrator/v1/run_event_pb.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

const { method } = AdminService;
let tested: TestApi;
let client: ReturnType<typeof openGrpcClient>;

beforeEach(async () => {
  tested = await startApi();
  client = openGrpcClient({ address: tested.address, headers: { "x-orchestrator-actor": "ann" } });
});

afterEach(async () => {
  await client.close();
  await tested.api.close(50);
});

test("a level is set for a time, with who and why, and set back", async () => {
  const { instances } = await client.call(method.setLogLevel, {
    ...{ level: LogLevel.DEBUG, component: "kafka", duration: { seconds: 60n }, reason: "late messages" },
  });
  expect(instances).toMatchObject([
    {
      ...{ instanceId: "a", configuredLevel: LogLevel.INFO },
      overrides: [{ component: "kafka", level: LogLevel.DEBUG, actor: "ann", reason: "late messages" }],
    },
  ]);
  const until = Number(instances[0]?.overrides[0]?.expireTime?.seconds) * 1_000;
  expect(until - Date.now()).toBeGreaterThan(30_000);
  expect(until - Date.now()).toBeLessThan(61_000);
  await client.call(method.setLogLevel, { component: "kafka" });
  expect((await client.call(method.getLogLevels, {})).instances).toMatchObject([{ instanceId: "a", overrides: [] }]);
});

test("an instance that is not there is not found", async () => {
  for (const call of [
    client.call(method.setLogLevel, { level: LogLevel.DEBUG, instanceId: "b" }),
    client.call(method.getDiagnostics, { instanceId: "b" }),
  ])
    await expect(call).rejects.toMatchObject({ code: "INSTANCE_NOT_FOUND" });
});

test.each([
  { level: 9 as LogLevel },
  { component: "kitchen" },
  { duration: { seconds: 86_401n } },
  { duration: { seconds: -1n } },
])("%o is refused", async (request) => {
  await expect(client.call(method.setLogLevel, request)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
});

test("the instance that takes the call tells of the database, too", async () => {
  const all = await client.call(method.getDiagnostics, {});
  expect(all.knownInstanceIds).toContain("a");
  expect(all.files.map(({ name }) => name)).toEqual(["metrics.txt", "database/server.json"]);
  const own = await client.call(method.getDiagnostics, { instanceId: "a" });
  expect(own.files.map(({ name }) => name)).toEqual(["metrics.txt"]);
});
