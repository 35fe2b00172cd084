/** Generations over every protocol, and over the paths of the merged workflow service. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GenerationService } from "../../src/gen/orchestrator/v1/generation_service_pb.ts";
import { openClients, type ProtocolClient } from "./support/clients.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

const PROTOCOLS = ["grpc", "grpc-web", "connect json", "connect proto", "rest"];

let tested: TestApi;
let clients: ReadonlyMap<string, ProtocolClient>;

beforeAll(async () => {
  tested = await startApi({});
  clients = new Map(openClients(tested.address).map((client) => [client.name, client]));
});

afterAll(async () => {
  for (const client of clients.values()) client.close();
  await tested.api.close(100);
});

const { startGeneration, getGeneration, listGenerations, approveGeneration, rejectGeneration } =
  GenerationService.method;
const HASH = "0".repeat(64);

describe.each(PROTOCOLS)("%s", (protocol) => {
  const client = () => clients.get(protocol) as ProtocolClient;

  test("a request is stored as the flow of the service, which a person has to approve", async () => {
    const request = {
      ...{ prompt: "Greet", domain: "fun", requiredServices: ["ai", "https://api.example"] },
      requestId: randomUUID(),
    };
    const first = await client().ask(startGeneration, request);
    expect(first).toMatchObject({
      json: { generation: { prompt: "Greet", domain: "fun", complexity: "GENERATION_COMPLEXITY_MEDIUM" } },
    });
    if (!first.ok) throw new Error("it was refused");
    const { generationId } = (first.json as { generation: { generationId: string } }).generation;
    const state = tested.engine.states.get(generationId);
    expect(state).toMatchObject({ flowId: "orchestrator-generation", vars: { approve: "person" } });
    expect(await client().ask(startGeneration, request)).toEqual(first);
    expect(await client().ask(startGeneration, { ...request, domain: "" })).toMatchObject({
      reason: "REQUEST_ID_REUSED",
    });
    expect(await client().ask(getGeneration, { generationId })).toMatchObject({ ok: true });
    expect(await client().ask(listGenerations, {})).toMatchObject({ ok: true });
    for (const decision of [
      client().ask(approveGeneration, { generationId, draftHash: HASH }),
      client().ask(rejectGeneration, { generationId }),
    ])
      expect(await decision).toMatchObject({ code: 9, reason: "GENERATION_NOT_DRAFT" });
  });

  test("what is no generation is not found", async () => {
    const { state } = (
      await tested.engine.startRun(
        { tenantId: "default", actor: "" },
        {
          ...{ flowId: "f", version: "", input: {}, requestId: "", requestHash: "", runId: randomUUID() },
          ...{ fromMessage: false, refusal: null, runKey: "", runKeyPolicy: "reject", labels: {}, userId: "" },
          ...{ correlationId: "", context: null, runTimeoutMs: null, startDelayMs: 0, signals: [] },
        },
        0,
      )
    ).run;
    for (const generationId of [state.runId, "no id"]) {
      expect(await client().ask(getGeneration, { generationId })).toMatchObject({ reason: "GENERATION_NOT_FOUND" });
      expect(await client().ask(approveGeneration, { generationId, draftHash: HASH })).toMatchObject({
        ...{ code: 5, reason: "GENERATION_NOT_FOUND" },
      });
    }
  });
});

test.each([
  [{ prompt: "" }, ["prompt"]],
  [{ prompt: "x", complexity: 9 as never }, ["complexity"]],
  [{ prompt: "x", requiredServices: Array(51).fill("ai") }, ["required_services"]],
  [{ prompt: "x", wait: { seconds: 51n } }, ["wait"]],
])("%o is refused by the names of its fields", async (request, fields) => {
  const answer = await (clients.get("grpc") as ProtocolClient).ask(startGeneration, request as never);
  expect(answer).toMatchObject({ reason: "INVALID_REQUEST" });
  expect(answer.ok ? [] : answer.violations.map(({ field }) => field)).toEqual(fields);
});

test("a required service that is none is refused by its place", async () => {
  const request = { prompt: "x", requiredServices: ["ai", "secrets:x"] };
  expect(await (clients.get("grpc") as ProtocolClient).ask(startGeneration, request)).toMatchObject({
    ...{ code: 3, reason: "REQUIRED_SERVICE_INVALID", violations: [{ field: "required_services[1]" }] },
  });
});

test.each([
  ["/api/v1/generate", {}, /prompt: is missing/],
  ["/api/v1/generate", { prompt: 1 }, /prompt: expected text/],
  ["/api/v1/generate", { prompt: "x", complexity: "huge" }, /complexity: expected one of low, medium, high/],
  ["/api/v1/generate", { prompt: "x", required_services: "ai" }, /required_services: expected a list/],
  ["/api/v1/generate", { prompt: "x", required_services: [1] }, /required_services\[0\]: expected text/],
  ["/api/v1/generate", { prompt: "x", approve: "none" }, /approve: unknown key/],
  ["/api/v1/generate/x/approve", {}, /draft_hash: is missing/],
  ["/api/v1/generate/x/approve", { draft_hash: "abc" }, /draft_hash: must be a SHA-256 hash/],
])("%s with %o is refused in the words of the merged service", async (path, body, message) => {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`http://${tested.address}${path}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  expect([response.status, await response.json()]).toEqual([
    400,
    { error: { code: "INVALID_REQUEST", message: expect.stringMatching(message) } },
  ]);
});
