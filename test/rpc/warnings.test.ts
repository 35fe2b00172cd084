import { afterAll, beforeAll, expect, test } from "vitest";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { openClients, type ProtocolClient } from "./support/clients.ts";
import { WARNING } from "./support/fake-flows.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

const PROTOCOLS = ["grpc", "grpc-web", "connect json", "connect proto", "rest"];
let tested: TestApi;
let clients: readonly ProtocolClient[];

beforeAll(async () => {
  tested = await startApi();
  clients = openClients(tested.address);
});

afterAll(async () => {
  for (const client of clients) client.close();
  await tested.api.close(100);
});

test.each(PROTOCOLS)("a registration over %s answers its warnings, stored or only checked", async (protocol) => {
  const client = clients.find(({ name }) => name === protocol);
  for (const validateOnly of [true, false]) {
    const definition = { case: "document", value: { id: "warned", warned: true } } as const;
    const answer = await client?.ask(FlowService.method.registerFlow, { definition, validateOnly });
    expect(answer?.ok === true ? answer.json : answer).toMatchObject({
      warnings: [WARNING],
      flow: { flowId: "warned" },
    });
  }
});
