/** Deletion of flow versions over every protocol, against a service with its own store. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { openTestService, type TestService } from "../clients/service.ts";
import { type Answer, openClients, type ProtocolClient } from "./support/clients.ts";

let service: TestService;
let clients: readonly ProtocolClient[];

beforeAll(async () => {
  service = await openTestService();
  clients = openClients(service.address);
}, 90_000);

afterAll(async () => {
  for (const client of clients) client.close();
  await service.close();
});

function jsonOf(answer: Answer) {
  if (!answer.ok) throw new Error(`${answer.reason}: ${answer.message}`);
  return answer.json as Record<string, unknown>;
}

const reasonOf = (answer: Answer): string => (answer.ok ? "OK" : answer.reason);

test("a version that no run uses is deleted, and the request that is sent again is answered as before", async () => {
  const { registerFlow, deleteFlowVersion, getFlow, listFlowVersions } = FlowService.method;
  const { startRun, terminateRun, deleteRun } = RunService.method;
  for (const [index, client] of clients.entries()) {
    const flowId = `deleted-${index}`;
    const register = (version: string) =>
      client.ask(registerFlow, {
        definition: {
          case: "source",
          value: `{id: ${flowId}, version: "${version}", workflow: {tasks: [{id: a, type: signal, parameters: {name: s}}]}}`,
        },
      });
    await register("1.0");
    await register("1.1");
    const runId = `run-of-${index}`;
    jsonOf(await client.ask(startRun, { flowId, runId }));
    const remove = (version: string, requestId = "") => client.ask(deleteFlowVersion, { flowId, version, requestId });
    const refused = await remove("1.1");
    expect(refused, client.name).toMatchObject({
      ok: false,
      reason: "FLOW_IN_USE",
      message: `flow ${flowId} version 1.1 is used by 1 run(s), for instance ${runId}; delete those runs first`,
    });
    jsonOf(await client.ask(terminateRun, { runId }));
    expect(reasonOf(await remove("1.1"))).toBe("FLOW_IN_USE");
    expect(jsonOf(await client.ask(deleteRun, { runId }))).toMatchObject({ runId });
    const first = jsonOf(await remove("1.1", `r-${index}`));
    expect(first).toMatchObject({ flowId, version: "1.1", deleteTime: expect.stringMatching(/^20/) });
    expect(jsonOf(await remove("1.1", `r-${index}`))).toEqual(first);
    expect(reasonOf(await remove("1.0", `r-${index}`))).toBe("REQUEST_ID_REUSED");
    expect(reasonOf(await remove("1.1"))).toBe("FLOW_NOT_FOUND");
    expect(jsonOf(await client.ask(getFlow, { flowId }))).toMatchObject({ flow: { version: "1.0", latest: true } });
    expect(reasonOf(await client.ask(startRun, { flowId, version: "1.1" }))).toBe("FLOW_NOT_FOUND");
    jsonOf(await remove("1.0"));
    expect(reasonOf(await client.ask(listFlowVersions, { flowId }))).toBe("FLOW_NOT_FOUND");
  }
});

test("REST deletes by DELETE, with the request id in the query, and says so in Allow and to browsers", async () => {
  const url = `http://${service.address}`;
  const [client] = clients;
  jsonOf(
    await (client as ProtocolClient).ask(FlowService.method.registerFlow, {
      definition: { case: "source", value: '{id: rest, version: "1", workflow: {tasks: [{id: a, type: noop}]}}' },
    }),
  );
  const path = `${url}/v1/flows/rest/versions/1`;
  const posted = await fetch(path, { method: "POST", body: "{}", headers: { "content-type": "application/json" } });
  expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD, DELETE"]);
  const foreign = await fetch(path, { method: "DELETE", headers: { origin: "http://elsewhere.example" } });
  expect(foreign.status).toBe(403);
  for (const _ of ["first", "again"]) {
    const deleted = await fetch(`${path}?requestId=rest-1`, { method: "DELETE" });
    expect([deleted.status, await deleted.json()]).toMatchObject([200, { flowId: "rest", version: "1" }]);
  }
  const gone = await fetch(path, { method: "DELETE" });
  expect([gone.status, gone.headers.get("content-type")]).toEqual([404, expect.stringContaining("json")]);
  expect((await fetch(`${url}/v1/runs/none`, { method: "DELETE" })).status).toBe(404);
});

// Cause: goals and generations failed with FLOW_NOT_FOUND until the service was restarted.
test("a version of a flow of the service cannot be deleted", async () => {
  for (const client of clients) {
    for (const flowId of ["orchestrator-goal", "orchestrator-goal-plan", "orchestrator-generation"])
      expect(reasonOf(await client.ask(FlowService.method.deleteFlowVersion, { flowId, version: "1" }))).toBe(
        "FLOW_RESERVED",
      );
  }
});
