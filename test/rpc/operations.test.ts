/** Operations over every protocol, on the real engine and store. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { OperationAction } from "../../src/gen/orchestrator/v1/operation_pb.ts";
import { OperationService } from "../../src/gen/orchestrator/v1/operation_service_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { openTestService, type TestService } from "../clients/service.ts";
import { type Answer, openClients, type ProtocolClient } from "./support/clients.ts";

const FLOW = `id: gate
version: "1"
workflow:
  tasks: [{id: go, type: signal, timeout: 1h}]
`;

let service: TestService;
let clients: readonly ProtocolClient[];

beforeAll(async () => {
  service = await openTestService();
  clients = openClients(service.address);
  const definition = { case: "source" as const, value: FLOW };
  for (const client of clients.slice(0, 1)) jsonOf(await client.ask(FlowService.method.registerFlow, { definition }));
}, 90_000);

afterAll(async () => {
  for (const client of clients) client.close();
  await service.close();
});

// biome-ignore lint/suspicious/noExplicitAny: answers of five protocols in their one JSON form
function jsonOf(answer: Answer): any {
  if (!answer.ok) throw new Error(`${answer.reason}: ${answer.message}`);
  return answer.json;
}

describe.each(["grpc", "grpc-web", "connect json", "connect proto", "rest"])("%s", (name) => {
  const ask: ProtocolClient["ask"] = (...call) => {
    const client = clients.find((one) => one.name === name);
    return client === undefined ? expect.unreachable(`no client ${name}`) : client.ask(...call);
  };
  const { startOperation, getOperation, waitOperation, cancelOperation, listOperations } = OperationService.method;
  const start = async (): Promise<string> =>
    jsonOf(await ask(RunService.method.startRun, { flowId: "gate", labels: { of: name } })).run.runId;

  test("an operation by filter terminates the runs that meet it, and no others", async () => {
    const runIds = [await start(), await start(), await start()];
    const [other = ""] = [jsonOf(await ask(RunService.method.startRun, { flowId: "gate" })).run.runId];
    const filter = `labels["of"] == "${name}"`;
    const request = {
      action: OperationAction.TERMINATE,
      filter,
      reason: "clean up",
      requestId: `terminate ${name}`.replaceAll(" ", "-"),
    };
    const { operation } = jsonOf(await ask(startOperation, request));
    expect(operation).toMatchObject({
      filter,
      reason: "clean up",
      matchedCount: 3,
      action: "OPERATION_ACTION_TERMINATE",
    });
    const { operationId } = operation;
    const ended = jsonOf(await ask(waitOperation, { operationId, wait: { seconds: 20n } })).operation;
    expect(ended).toMatchObject({ operationId, state: "OPERATION_STATE_COMPLETED", doneCount: 3 });
    expect(jsonOf(await ask(getOperation, { operationId })).operation).toEqual(ended);
    for (const runId of runIds)
      expect(jsonOf(await ask(RunService.method.getRun, { runId })).run).toMatchObject({
        state: "RUN_STATE_TERMINATED",
      });
    expect(jsonOf(await ask(RunService.method.getRun, { runId: other })).run).toMatchObject({
      state: "RUN_STATE_WAITING",
    });
    expect(jsonOf(await ask(startOperation, request)).operation).toEqual(ended);
    expect(await ask(startOperation, { ...request, reason: "other" })).toMatchObject({ reason: "REQUEST_ID_REUSED" });
    expect(jsonOf(await ask(cancelOperation, { operationId })).operation).toEqual(ended);
    const page = jsonOf(await ask(listOperations, { pageSize: 1 }));
    expect(page.operations).toEqual([ended]);
  });

  test("an operation over a list keeps the reasons of runs that it could not change", async () => {
    const runId = await start();
    const { operation } = jsonOf(await ask(startOperation, { action: OperationAction.DELETE, runIds: [runId, runId] }));
    const { operationId } = operation;
    const ended = jsonOf(await ask(waitOperation, { operationId, wait: { seconds: 20n } })).operation;
    expect(ended).toMatchObject({
      matchedCount: 1,
      failedCount: 1,
      failures: [{ runId, reason: "RUN_STATE_INVALID" }],
    });
  });

  test("a run that was deleted counts as done where its end is wanted, and cannot be resumed", async () => {
    const runId = await start();
    jsonOf(await ask(RunService.method.terminateRun, { runId }));
    jsonOf(await ask(RunService.method.deleteRun, { runId }));
    const endOf = async (action: OperationAction) => {
      const { operationId } = jsonOf(await ask(startOperation, { action, runIds: [runId] })).operation;
      return jsonOf(await ask(waitOperation, { operationId, wait: { seconds: 20n } })).operation;
    };
    for (const action of [OperationAction.CANCEL, OperationAction.TERMINATE, OperationAction.DELETE])
      expect(await endOf(action)).toMatchObject({ state: "OPERATION_STATE_COMPLETED", doneCount: 1 });
    expect(await endOf(OperationAction.RESUME)).toMatchObject({
      failedCount: 1,
      failures: [{ runId, reason: "RUN_DELETED" }],
    });
  });

  test("a list of operations takes a filter and an order, and goes on page by page", async () => {
    const started: string[] = [];
    for (const action of [OperationAction.CANCEL, OperationAction.RESUME, OperationAction.CANCEL]) {
      const { operation } = jsonOf(
        await ask(startOperation, { action, runIds: [`nobody-${name.replaceAll(" ", "-")}`] }),
      );
      started.push(operation.operationId);
      await ask(waitOperation, { operationId: operation.operationId, wait: { seconds: 20n } });
    }
    const [first = "", second = "", third = ""] = started;
    const since = `operation_id in ${JSON.stringify(started)}`;
    const list = async (filter: string, orderBy = ""): Promise<readonly string[]> => {
      const found: string[] = [];
      let pageToken = "";
      do {
        const page = jsonOf(await ask(listOperations, { filter, orderBy, pageToken, pageSize: 1 }));
        for (const { operationId } of page.operations ?? []) found.push(operationId);
        pageToken = page.nextPageToken ?? "";
      } while (pageToken !== "");
      return found;
    };
    expect(await list(since)).toEqual([third, second, first]);
    expect(await list(since, "create_time")).toEqual([first, second, third]);
    expect(await list(`${since} && action == "OPERATION_ACTION_CANCEL"`)).toEqual([third, first]);
    expect(await list(`${since} && action != "CANCEL"`)).toEqual([second]);
    expect(await list(`${since} && state == "COMPLETED" && failed_count == 1 && done_count < 1`)).toEqual([
      ...[third, second, first],
    ]);
    expect(await list(`${since} && end_time < timestamp("2020-01-01T00:00:00Z")`)).toEqual([]);
    expect(await list(`${since} && !has(end_time)`)).toEqual([]);
    for (const filter of ["state", 'state == "SLEEPING"', "problem == ''", 'run_id == "a"', "true", '"'.repeat(40)])
      expect(await ask(listOperations, { filter })).toMatchObject({ ok: false, reason: "FILTER_INVALID" });
    expect(await ask(listOperations, { orderBy: "state" })).toMatchObject({ ok: false, reason: "INVALID_REQUEST" });
    const page = jsonOf(await ask(listOperations, { pageSize: 1 }));
    expect(await ask(listOperations, { filter: since, pageToken: page.nextPageToken })).toMatchObject({
      reason: "PAGE_TOKEN_INVALID",
    });
  });

  test("what names no runs, both ways, or nothing to do is refused", async () => {
    const refused = { ok: false, reason: "INVALID_REQUEST" };
    expect(await ask(startOperation, { action: OperationAction.CANCEL })).toMatchObject(refused);
    expect(await ask(startOperation, { action: OperationAction.CANCEL, filter: "true", runIds: ["a"] })).toMatchObject(
      refused,
    );
    expect(await ask(startOperation, { action: 0, runIds: ["a"] })).toMatchObject(refused);
    expect(await ask(startOperation, { action: OperationAction.CANCEL, filter: "nothing ==" })).toMatchObject({
      reason: "FILTER_INVALID",
    });
    expect(await ask(getOperation, { operationId: "op~nobody" })).toMatchObject({ reason: "OPERATION_NOT_FOUND" });
  });
});
