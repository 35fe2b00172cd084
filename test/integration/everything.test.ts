/**
 * The flow of examples/everything.yaml over gRPC against the real service: to its end, and across a kill in the middle.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { ApiClient } from "../../src/api/client/client.ts";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { printMessage } from "../../src/api/http/print.ts";
import { eventName } from "../../src/cli/terminal/print.ts";
import { watchRun } from "../../src/cli/watch-run.ts";
import { ApprovalDecision } from "../../src/gen/orchestrator/v1/approval_pb.ts";
import { ApprovalService } from "../../src/gen/orchestrator/v1/approval_service_pb.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunSchema, RunState, type RunTask, TaskState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

/** A shop that refuses the first call of each path, and remembers who called. */
async function openShop() {
  const calls: { path: string; key: string }[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    const isFirst = calls.every((call) => call.path !== path);
    calls.push({ path, key: String(request.headers["idempotency-key"]) });
    const body =
      path === "/price" ? { price: 250, items: ["a", "b", "c"] } : { item: path.split("/").at(-1), count: path.length };
    response.writeHead(isFirst ? 503 : 200, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { host, url: `http://${host}`, calls };
}

async function startEverything(client: ApiClient, url: string, delay: string): Promise<string> {
  for (const name of ["everything-loop", "everything"]) {
    const value = readFileSync(`examples/${name}.yaml`, "utf8");
    await client.call(FlowService.method.registerFlow, { definition: { case: "source", value } });
  }
  const input = { service: url, rounds: 4, delay };
  const { run } = await client.call(RunService.method.startRun, {
    flowId: "everything",
    inputValue: { case: "inputJson", value: Buffer.from(JSON.stringify(input)) },
    requestId: crypto.randomUUID(),
  });
  return run?.runId ?? "";
}

async function tasksOf(client: ApiClient, runId: string): Promise<ReadonlyMap<string, RunTask>> {
  const { tasks } = await client.call(RunService.method.listRunTasks, { runId });
  return new Map(tasks.map((task) => [task.taskId, task]));
}

async function untilBothWait(client: ApiClient, runId: string): Promise<ReadonlyMap<string, RunTask>> {
  return eventually(
    async () => {
      const tasks = await tasksOf(client, runId);
      for (const id of ["ask", "go"]) expect(tasks.get(id)?.state, id).toBe(TaskState.WAITING);
      return tasks;
    },
    { timeoutMs: 30_000 },
  );
}

async function answer(client: ApiClient, runId: string): Promise<void> {
  await client.call(RunService.method.signalRun, {
    runId,
    signalName: "go",
    dataValue: { case: "dataJson", value: Buffer.from('"now"') },
    requestId: crypto.randomUUID(),
  });
  const { APPROVED: decision } = ApprovalDecision;
  const { approvals } = await client.call(ApprovalService.method.listApprovals, { filter: `run_id == "${runId}"` });
  const { approvalId = "" } = approvals[0] ?? {};
  await client.call(ApprovalService.method.decideApproval, { runId, approvalId, decision, requestId: "decision-1" });
}

const REPORT = {
  price: 250,
  stock: ["a", "b", "c"].map((item) => ({ item, count: 8 })),
  approved: true,
  counted: 4,
  word: "now",
};

test("branches, retries, a map, a condition, a loop, a timer, a signal and an approval: the run ends with its report", async () => {
  const shop = await openShop();
  const folder = createTemporaryFolder();
  const service = await startServeForTest({ folder, env: { ORCHESTRATOR_HTTP_ALLOW: shop.host } });
  const client = openGrpcClient({ address: service.address });
  const runId = await startEverything(client, shop.url, "300ms");
  const frames: { kind: string; sequence: number }[] = [];
  const watched = (async () => {
    for await (const { frame } of watchRun(client, runId)) {
      const isEvent = frame.case === "event";
      frames.push({
        kind: isEvent ? eventName(frame.value.kind) : String(frame.case),
        sequence: isEvent ? frame.value.sequence : 0,
      });
      if (frame.case === "end") return frame.value.run;
    }
    return undefined;
  })();
  const waiting = await untilBothWait(client, runId);
  expect(waiting.get("fetch")?.attempt).toBe(2);
  expect(waiting.get("stock.1")?.attempt).toBe(2);
  await answer(client, runId);
  const ended = await watched;
  expect(ended?.state).toBe(RunState.COMPLETED);
  expect(JSON.parse(printMessage(RunSchema, ended ?? ({} as never))).output).toEqual(REPORT);
  const tasks = await tasksOf(client, runId);
  expect(tasks.get("cheap")?.state).toBe(TaskState.SKIPPED);
  expect(tasks.get("release")).toBeUndefined();
  expect(frames[0]?.kind).toBe("snapshot");
  const sequences = frames.filter(({ sequence }) => sequence > 0).map(({ sequence }) => sequence);
  expect(sequences).toEqual(sequences.map((_, index) => (sequences[0] ?? 0) + index));
  expect(frames.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(["task.retrying", "signal.received", "run.completed", "end"]),
  );
  // The timer held nothing up but what depends on it.
  const { fetch, pause } = Object.fromEntries(tasks) as Record<string, RunTask>;
  expect(Number(fetch?.startTime?.seconds)).toBeLessThanOrEqual(Number(pause?.endTime?.seconds));
  await client.close();
  expect(await service.stop()).toBe(0);
});

test("killed with everything under way and while it waits, the run goes on at the next start and gives the same report", async () => {
  const shop = await openShop();
  const folder = createTemporaryFolder();
  const env = { ORCHESTRATOR_HTTP_ALLOW: shop.host };
  const first = await startServeForTest({ folder, env });
  const client = openGrpcClient({ address: first.address });
  const runId = await startEverything(client, shop.url, "2s");
  await first.stop("SIGKILL");
  const second = await startServeForTest({ folder, env, port: first.port });
  await untilBothWait(client, runId);
  await second.stop("SIGKILL");
  const third = await startServeForTest({ folder, env, port: first.port });
  await answer(client, runId);
  const { run } = await client.call(
    RunService.method.waitRun,
    { runId, wait: { seconds: 30n } },
    { timeoutMs: 60_000 },
  );
  expect(run?.state).toBe(RunState.COMPLETED);
  expect(JSON.parse(printMessage(RunSchema, run ?? ({} as never))).output).toEqual(REPORT);
  // Calls may be repeated, but only under the key of the first.
  const keys = new Map(shop.calls.map(({ path, key }) => [path, key]));
  for (const { path, key } of shop.calls) expect(key).toBe(keys.get(path));
  await client.close();
  expect(await third.stop()).toBe(0);
});
