import { afterAll, beforeAll, expect, test } from "vitest";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { openClients, type ProtocolClient } from "./support/clients.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

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

// Cause: a start could take the slots of goals.
test("no start names a limit of the service", async () => {
  const request = { flowId: "f", limit: { name: "orchestrator.dev/goals", key: "" } };
  for (const client of clients)
    expect(await client.ask(RunService.method.startRun, request), client.name).toMatchObject({
      reason: "INVALID_REQUEST",
      violations: [{ field: "limit.name", description: expect.stringContaining("belong to the service") }],
    });
});
