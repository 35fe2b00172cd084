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

// Cause: StartRun answered -0 as it came, GetRun the 0 of the store.
test.each(["grpc", "grpc-web", "connect json", "connect proto", "rest"])(
  "over %s -0 of both forms of payloads is 0 in the first answer",
  async (protocol) => {
    const client = clients.find(({ name }) => name === protocol);
    for (const inputValue of [
      { case: "input" as const, value: { a: -0, list: [-0, -1] } },
      { case: "inputJson" as const, value: Buffer.from('{"a":-0,"list":[-0.0,-1]}') },
    ]) {
      const answer = await client?.ask(RunService.method.startRun, { flowId: "f", inputValue });
      if (answer?.ok !== true) throw new Error(JSON.stringify(answer));
      const { output } = answer.json["run"] as { output: { a: number; list: number[] } };
      expect(output).toEqual({ a: 0, list: [0, -1] });
    }
  },
);
