/** Request ids of batches, over every protocol. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { openClients, type ProtocolClient } from "./support/clients.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

let tested: TestApi;
let clients: ReadonlyMap<string, ProtocolClient>;
const PROTOCOLS = ["grpc", "grpc-web", "connect json", "connect proto", "rest"];

beforeAll(async () => {
  tested = await startApi();
  clients = new Map(openClients(tested.address).map((client) => [client.name, client]));
});

afterAll(async () => {
  for (const client of clients.values()) client.close();
  await tested.api.close(100);
});

// Cause: only the starts of a batch had ids, by their places; other starts in other places were new.
test.each(PROTOCOLS)(
  "%s: a batch with the id of another batch or start is refused under the id that was sent",
  async (protocol) => {
    const client = clients.get(protocol) as ProtocolClient;
    const { batchStartRuns, startRun } = RunService.method;
    const id = `batch-${protocol.replaceAll(" ", "-")}`;
    const [a, b] = [
      { flowId: "f", userId: "a" },
      { flowId: "f", userId: "b" },
    ];
    const bad = { flowId: "f", inputValue: { case: "inputJson" as const, value: Buffer.from("{") } };
    const batch = (requests: object[]) => client.ask(batchStartRuns, { requestId: id, requests });
    const first = await batch([a]);
    const runs = tested.engine.states.size;
    expect(first).toMatchObject({ ok: true });
    expect(await batch([a])).toMatchObject({ ok: true, json: first.ok ? first.json : {} });
    const reused = { ok: false, reason: "REQUEST_ID_REUSED", metadata: { requestId: id } };
    for (const requests of [[a, a], [b], [b, a], [bad]]) expect(await batch(requests)).toMatchObject(reused);
    expect(await client.ask(startRun, { ...a, requestId: id })).toMatchObject(reused);
    expect(tested.engine.states.size).toBe(runs);
  },
);

// Cause: one start that broke a rule of its fields refused the other 999.
test.each(PROTOCOLS)("%s: a start that breaks a rule fails, and the others are made", async (protocol) => {
  const client = clients.get(protocol) as ProtocolClient;
  const starts = [{ flowId: "f" }, { flowId: "" }, { flowId: "f", runId: "a b" }, { flowId: "f" }];
  const answer = await client.ask(RunService.method.batchStartRuns, { requests: starts });
  expect(answer).toMatchObject({
    ok: true,
    json: {
      results: [
        { run: { flowId: "f" } },
        { error: { message: expect.stringContaining("requests[1].flow_id: must not be empty") } },
        { error: { message: expect.stringContaining("requests[2].run_id: must start with") } },
        { run: { flowId: "f" } },
      ],
    },
  });
});
