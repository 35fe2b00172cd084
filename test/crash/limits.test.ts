/**
 * Three instances under contention for a few limits, killed and stopped at random. A service behind the calls counts
 * which tasks are under way: never more of a limit than it allows. In the end every run has ended, and no slot is left.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type ServeProcess, startServe } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const KEYS = 3;
const MOST = 2;
const RUNS = 90;
const FAULTS = 6;

const { url, database } = await createTestDatabase();

const flowAt = (address: string): string => `
id: contended
version: "1"
variables:
  - {name: n, type: integer, required: true}
workflow:
  tasks:
    - id: first
      type: http
      parameters: {url: "http://${address}/\${vars.n % ${KEYS}}"}
      limit: {name: crm, key: "\${vars.n % ${KEYS}}", max_concurrent: ${MOST}}
      retry_policy: {max_retries: 100, backoff_type: fixed, initial_delay: 100ms}
    - id: second
      type: http
      depends_on: [first]
      parameters: {url: "http://${address}/\${(vars.n + 1) % ${KEYS}}"}
      limit: {name: crm, key: "\${(vars.n + 1) % ${KEYS}}", max_concurrent: ${MOST}}
      retry_policy: {max_retries: 100, backoff_type: fixed, initial_delay: 100ms}
`;

/** Serves the calls of the flow, and counts the tasks under way for each key. */
async function serveSink() {
  const open = new Map<string, Map<string, number>>();
  const sink = { address: "", most: 0, calls: 0 };
  const fences = new Map<string, number>();
  const server = createServer((request, response) => {
    const { url: path = "" } = request;
    const task = String(request.headers["idempotency-key"]);
    const fence = Number(request.headers["x-orchestrator-fencing-token"]);
    // An instance that was stopped goes on with what has another owner: the service refuses it by its fencing token.
    if (fence < (fences.get(task) ?? 0)) {
      response.writeHead(409).end();
      return;
    }
    fences.set(task, fence);
    const tasks = open.get(path) ?? new Map<string, number>();
    open.set(path, tasks);
    tasks.set(task, (tasks.get(task) ?? 0) + 1);
    sink.calls += 1;
    sink.most = Math.max(sink.most, tasks.size);
    setTimeout(
      () => {
        const left = (tasks.get(task) ?? 1) - 1;
        if (left === 0) tasks.delete(task);
        else tasks.set(task, left);
        response.writeHead(204).end();
      },
      20 + Math.random() * 60,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  sink.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return sink;
}

async function serve(port: number): Promise<ServeProcess> {
  const env = {
    DATABASE_URL: url,
    ORCHESTRATOR_LEASE_TTL: "2s",
    ORCHESTRATOR_LOG_FORMAT: "json",
    ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1",
  };
  const service = await startServe({ folder: createTemporaryFolder(), port, env });
  onTestFinished(() => void service.child.kill("SIGKILL"));
  return service;
}

test("instances that are killed and stopped give out no slot twice, and lose none", { timeout: 280_000 }, async () => {
  const sink = await serveSink();
  const ports = await Promise.all([findFreePort(), findFreePort(), findFreePort()]);
  const services: ServeProcess[] = [];
  for (const port of ports) services.push(await serve(port));
  const clients = ports.map((port) => openGrpcClient({ address: `127.0.0.1:${port}` }));
  onTestFinished(() => {
    for (const client of clients) client.close();
  });
  const source = flowAt(sink.address);
  await clients[0]?.call(FlowService.method.registerFlow, { definition: { case: "source", value: source } });

  const start = async (n: number): Promise<void> => {
    const inputValue = { case: "inputJson" as const, value: new TextEncoder().encode(JSON.stringify({ n })) };
    for (let tries = 0; ; tries += 1) {
      try {
        const request = { flowId: "contended", requestId: `start-${n}`, inputValue };
        await clients[(n + tries) % clients.length]?.call(RunService.method.startRun, request, { timeoutMs: 3_000 });
        return;
      } catch (error) {
        if (tries > 200) throw error;
        await sleep(50);
      }
    }
  };
  const starts = (async () => {
    for (let n = 0; n < RUNS; n += 1) {
      await start(n);
      await sleep(60);
    }
  })();
  for (let fault = 0; fault < FAULTS; fault += 1) {
    await sleep(700 + Math.random() * 800);
    const index = Math.floor(Math.random() * services.length);
    const service = services[index];
    if (service === undefined) continue;
    if (fault % 3 === 2) {
      // Longer than its lease: others have its shards when it goes on.
      service.child.kill("SIGSTOP");
      await sleep(3_500);
      service.child.kill("SIGCONT");
    } else {
      await service.stop("SIGKILL");
      services[index] = await serve(ports[index] ?? 0);
    }
  }
  await starts;
  await eventually(
    async () => {
      const { rows } = await database.reads.query(
        "SELECT state, count(*)::int AS count FROM orchestrator.runs GROUP BY state",
      );
      expect(rows).toEqual([{ state: "COMPLETED", count: RUNS }]);
    },
    { timeoutMs: 120_000, intervalMs: 250 },
  );
  expect(sink.most).toBe(MOST);
  expect(sink.calls).toBeGreaterThanOrEqual(2 * RUNS);
  const { rows } = await database.reads.query("SELECT * FROM orchestrator.limit_slots");
  expect(rows).toEqual([]);
});
