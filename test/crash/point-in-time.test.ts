/**
 * A database that is restored to a point in time, from a base backup and the archived log: the runs are as they were at
 * that time, and after `orchestrator restore finish` what is outside can tell the second time from the first.
 */
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import type { JsonObject } from "../../src/base/json/json.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunEventKind } from "../../src/gen/orchestrator/v1/run_event_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { runCommand } from "../support/run-command.ts";
import { type ServeProcess, startServe } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { serveTool, type ToolRequest } from "../support/tool-server.ts";
import { hasPostgres15, startArchivingServer } from "../support/wal-archive.ts";

if (!hasPostgres15) console.log("skipped: point in time, because this machine lacks PostgreSQL 15");
if (!hasPostgres15 && process.env.CI === "true") throw new Error("run scripts/ci-services.sh install as root");

const { method } = RunService;
const encode = (value: JsonObject): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const keyOf = ({ headers }: ToolRequest) => headers["idempotency-key"];
const tokenOf = ({ headers }: ToolRequest): number => Number(headers["x-orchestrator-fencing-token"]);

test.skipIf(!hasPostgres15)(
  "runs are restored to a point in time, and what came later may happen again",
  {
    timeout: 240_000,
  },
  async () => {
    const server = startArchivingServer();
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
    const start = (client: Client, flowId: string, runId: string) =>
      client.call(method.startRun, { flowId, runId, requestId: `start-${runId}` });
    const pay = async (client: Client, runId: string): Promise<ToolRequest> => {
      await client.call(method.signalRun, { runId, signalName: "go" });
      const charged = await shop.next();
      await eventually(async () => {
        const { run } = await client.call(method.waitRun, { runId, wait: { seconds: 5n } });
        expect(run).toMatchObject({ state: RunState.COMPLETED });
      });
      return charged;
    };

    const { client, service } = await serve(server.url);
    const call = (tool: { readonly address: string }) => ({ method: "POST", url: `http://${tool.address}/` });
    for (const flow of [
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
    ])
      await client.call(FlowService.method.registerFlow, { definition: { case: "documentJson", value: encode(flow) } });
    await start(client, "order", "before-backup");
    server.backUp();

    // After the backup, and before the point in time.
    await start(client, "slow", "slow");
    const first = await slow.next();
    await start(client, "order", "kept");
    await pay(client, "kept");
    const time = server.query("SELECT clock_timestamp()");

    // What the archive knows, but is to be forgotten.
    await start(client, "order", "lost");
    const forgotten = [await pay(client, "lost"), await pay(client, "before-backup")];
    await server.archive();
    await service.stop("SIGKILL");
    server.stop();

    const restored = await server.restore(time);
    const command = (...args: string[]) => runCommand(args, folder, envOf(restored.url));
    const report = await command("restore", "report");
    expect(report, report.err).toMatchObject({ code: 0 });
    expect(report.out).toContain("open runs    2 (");
    const [, row, ...others] = (await command("restore", "report", "--csv")).out.trimEnd().split("\r\n");
    expect(row).toContain("slow,default,slow,call,RUNNING,1,");
    expect(row).toContain(String(keyOf(first)));
    expect(others).toEqual([]);
    await eventually(
      async () => {
        const finished = await command("restore", "finish", "--by", "ann");
        expect(finished, finished.err).toMatchObject({ code: 0, out: expect.stringMatching(/^finished {5}2 /) });
      },
      { timeoutMs: 30_000, intervalMs: 500 },
    );

    const { client: later } = await serve(restored.url);
    const second = await slow.next();
    expect(keyOf(second)).toBe(keyOf(first));
    expect(tokenOf(second)).toBeGreaterThan(tokenOf(first));
    second.answer(200);
    expect((await later.call(method.getRun, { runId: "kept" })).run?.state).toBe(RunState.COMPLETED);
    await expect(later.call(method.getRun, { runId: "lost" })).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
    // The same call of the caller that kept its request id; the tool gets the same keys, and higher tokens.
    await start(later, "order", "lost");
    const again = [await pay(later, "lost"), await pay(later, "before-backup")];
    expect(again.map(keyOf)).toEqual(forgotten.map(keyOf));
    for (const [n, request] of again.entries())
      expect(tokenOf(request)).toBeGreaterThan(tokenOf(forgotten[n] ?? expect.fail("there are two")));
    const { events } = await later.call(method.listRunEvents, { runId: "before-backup" });
    expect(events.map(({ kind }) => kind)).toContain(RunEventKind.RUN_RESTORED);
  },
);
