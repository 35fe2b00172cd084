/** UpgradeService over every protocol. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { UpgradeService } from "../../src/gen/orchestrator/v1/upgrade_service_pb.ts";
import { openClients, type ProtocolClient } from "./support/clients.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

const PROTOCOLS = ["grpc", "grpc-web", "connect json", "connect proto", "rest"];
const { getUpgrade, finalizeUpgrade } = UpgradeService.method;

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

test("an upgrade is shown, and finalized once, over every protocol", async () => {
  expect(clients.map(({ name }) => name)).toEqual(expect.arrayContaining(PROTOCOLS));
  for (const client of clients)
    expect(await client.ask(getUpgrade, {}), client.name).toMatchObject({
      json: {
        upgrade: {
          ...{ state: "UPGRADE_STATE_READY", schemaVersion: 50, minReader: 49 },
          ...{ journalVersion: 4, newestJournalVersion: 5 },
          instances: [{ instanceId: "a", address: "127.0.0.1:1", release: "0.2.0", readsJournalVersion: 5 }],
        },
      },
    });
  for (const client of clients)
    expect(await client.ask(finalizeUpgrade, {}), client.name).toMatchObject({
      json: { upgrade: { state: "UPGRADE_STATE_FINALIZED", journalVersion: 5 } },
    });
});
