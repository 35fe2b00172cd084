/**
 * A backup is taken in the middle of the work, the service goes on, and then the backup is restored: what the service
 * did in between is forgotten, and may be done again. What is outside can tell the second time from the first.
 */
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import type { JsonObject } from "../../src/base/json/json.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunEventKind } from "../../src/gen/orchestrator/v1/run_event_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TaskReportOutcome } from "../../src/gen/orchestrator/v1/worker_pb.ts";
import { eventually } from "../support/eventually.ts";
import { holdTasks } from "../support/held-tasks.ts";
import { copyTestDatabase, createTestDatabase } from "../support/postgres.ts";
import { runCommand } from "../support/run-command.ts";
import { type ServeProcess, startServe } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { serveTool, type ToolRequest } from "../support/tool-server.ts";

// One for each try.
const databases = [await createTestDatabase(), await createTestDatabase()];

const { method } = RunService;
const encode = (value: JsonObject): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const keyOf = ({ headers }: ToolRequest) => headers["idempotency-key"];
const tokenOf = ({ headers }: ToolRequest): number => Number(headers["x-orchestrator-fencing-token"]);

test("a restored database is refused until the restore is finished, and then every number goes on rising", {
  timeout: 240_000,
}, async () => {
  const { url } = databases.shift() ?? expect.fail("there is no third try");
  const folder = createTemporaryFolder();
  const slow = await serveTool(null);
  const shop = await serveTool(200);
  const services: ServeProcess[] = [];
  onTestFinished(async () => {
    for (const service of services) await service.stop("SIGKILL");
  });
  const envOf = (database: string) => ({
    ORCHESTRATOR_DATABASE_URL: database,
    ORCHESTRATOR_LEASE_TTL: "3s",
    ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1",
  });
  const serve = async (database: string) => {
    const service = await startServe({ folder, env: envOf(database) });
    services.push(service);
    const client = openGrpcClient({ address: service.address });
    onTestFinished(() => client.close());
    return { service, client };
  };
  type Client = Awaited<ReturnType<typeof serve>>["client"];
  const start = (client: Client, flowId: string, runId: string) => client.call(method.startRun, { flowId, runId });
  const go = (client: Client, runId: string) => client.call(method.signalRun, { runId, signalName: "go" });
  const ended = (client: Client, runId: string) =>
    eventually(async () => {
      const { run } = await client.call(method.waitRun, { runId, wait: { seconds: 5n } });
      expect(run).toMatchObject({ state: RunState.COMPLETED });
    });

  // Before the backup.
  const before = await serve(url);
  const call = (tool: { readonly address: string }) => ({ method: "POST", url: `http://${tool.address}/` });
  const flows = [
    { id: "slow", workflow: { tasks: [{ id: "call", type: "http", parameters: call(slow), timeout: 60 }] } },
    {
      id: "order",
      workflow: {
        tasks: [
          { id: "paid", type: "signal", parameters: { name: "go" } },
          { id: "charge", type: "http", depends_on: ["paid"], parameters: call(shop) },
        ],
      },
    },
    { id: "family", workflow: { tasks: [{ id: "child", type: "subflow", parameters: { flow_id: "order" } }] } },
    { id: "remote", workflow: { tasks: [{ id: "work", type: "worker", parameters: { handler: "hand" } }] } },
  ];
  for (const flow of flows)
    await before.client.call(FlowService.method.registerFlow, {
      definition: { case: "documentJson", value: encode(flow) },
    });
  await start(before.client, "slow", "slow-1");
  await start(before.client, "order", "order-1");
  await start(before.client, "remote", "remote-1");
  const atBackup = await slow.next();
  await before.service.stop("SIGKILL");
  const restored = await copyTestDatabase(url, (drop) => onTestFinished(drop));

  // What the backup does not know.
  const lost = await serve(url);
  const again = await slow.next();
  expect(keyOf(again)).toBe(keyOf(atBackup));
  expect(tokenOf(again)).toBeGreaterThan(tokenOf(atBackup));
  await start(lost.client, "order", "order-2");
  await start(lost.client, "family", "family-1");
  const { runs } = await eventually(async () => {
    const found = await lost.client.call(method.listRuns, { filter: 'root_run_id == "family-1"' });
    expect(found.runs).toHaveLength(2);
    return found;
  });
  const child = runs.find(({ runId }) => runId !== "family-1")?.runId ?? "";
  const charged = new Map<string, ToolRequest>();
  for (const runId of ["order-1", "order-2", child]) {
    await go(lost.client, runId);
    charged.set(runId, await shop.next());
    await ended(lost.client, runId);
  }
  const worker = await holdTasks(lost.client, ["hand"]);
  const held = await worker.next();
  const { events } = await lost.client.call(method.listRunEvents, { runId: "order-1" });
  const cursor = events.at(-1)?.cursor ?? "";
  worker.close();
  await lost.service.stop("SIGKILL");

  // The backup is restored.
  const command = (...args: string[]) => runCommand(args, folder, envOf(restored));
  const refused = await command("serve", "--port", "0");
  expect(refused, refused.err).toMatchObject({ code: 5 });
  expect(refused.out + refused.err).toContain("run `orchestrator restore finish`");
  const report = await command("restore", "report");
  expect(report, report.err).toMatchObject({ code: 0 });
  expect(report.out).toMatch(/^backup {7}\d{4}-/);
  expect(report.out).toContain("open runs    3 (");
  expect(report.out).toContain("under way    1 (");
  const rows = (await command("restore", "report", "--csv")).out.trimEnd().split("\r\n");
  expect(rows).toHaveLength(2);
  expect(rows[1]).toContain(`slow-1,default,slow,call,RUNNING,1,`);
  expect(rows[1]).toContain(String(keyOf(atBackup)));
  await eventually(
    async () => {
      const finished = await command("restore", "finish", "--by", "ann");
      expect(finished, finished.err).toMatchObject({ code: 0, out: expect.stringMatching(/^finished {5}3 /) });
    },
    { timeoutMs: 30_000, intervalMs: 500 },
  );

  // The service goes on.
  const { client } = await serve(restored);
  const third = await slow.next();
  expect(keyOf(third)).toBe(keyOf(atBackup));
  expect(tokenOf(third)).toBeGreaterThan(tokenOf(again));
  third.answer(200);
  await ended(client, "slow-1");
  await start(client, "order", "order-2");
  await start(client, "family", "family-1");
  await eventually(() => client.call(method.getRun, { runId: child }));
  for (const [runId, first] of charged) {
    await go(client, runId);
    const second = await shop.next();
    expect(keyOf(second)).toBe(keyOf(first));
    expect(tokenOf(second), runId).toBeGreaterThan(tokenOf(first));
    await ended(client, runId);
  }
  await ended(client, "family-1");

  // A worker that has a task of the time between hears that it is outdated, and the task is handed out again.
  const late = await holdTasks(client, ["hand"]);
  const next = await late.next();
  expect(await late.report(held.taskToken, "succeeded")).toMatchObject({ outcome: TaskReportOutcome.OUTDATED });
  expect(await late.report(next.taskToken, "succeeded")).toMatchObject({ outcome: TaskReportOutcome.ACCEPTED });
  await ended(client, "remote-1");
  late.close();

  // A reader that resumes sees that the run was restored, and what follows.
  const kinds: RunEventKind[] = [];
  for await (const { frame } of client.stream(method.watchRun, { runId: "order-1", cursor })) {
    if (frame.case === "event") kinds.push(frame.value.kind);
    if (frame.case === "event" && frame.value.kind === RunEventKind.RUN_RESTORED)
      expect(frame.value.attributes).toMatchObject({ actor: "ann" });
  }
  expect(kinds[0]).toBe(RunEventKind.RUN_RESTORED);
  expect(kinds.at(-1)).toBe(RunEventKind.RUN_COMPLETED);
  const { run } = await client.call(method.getRun, { runId: "order-2" });
  expect(run?.sequence).toBeGreaterThan(1_000_000);

  const running = await command("restore", "finish");
  expect(running.code).toBeGreaterThan(0);
  expect(running.err).toContain("is registered until");
});
