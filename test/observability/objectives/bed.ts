/** Two instances, a Prometheus that looks at them, and some of everything that the objectives are about. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { ApiClient } from "../../../src/api/client/client.ts";
import { openGrpcClient } from "../../../src/api/client/grpc-client.ts";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { type Prometheus, startPrometheus } from "../../support/monitoring/prometheus.ts";
import { startRedisForTest } from "../../support/redis-server.ts";
import { type ServeProcess, startServeForTest } from "../../support/serve-process.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";

/** Callers at once, half of them at each instance. */
const CALLERS = 8;

/** How long a caller waits for an answer. */
const LIMIT = { timeoutMs: 10_000 };

/** A run has a step, an event for a Stream, and a timer. */
const FLOW = `id: order
version: "1"
workflow:
  tasks:
    - {id: price, type: transform, parameters: {output: {n: 1}}}
    - {id: tell, type: emit, depends_on: [price], parameters: {stream: orders, payload: {n: 1}}}
    - {id: rest, type: wait, depends_on: [tell], parameters: {duration: 200ms}}
`;

export interface ObjectiveBed {
  readonly prometheus: Prometheus;
  /** Calls and runs for so long; in the middle an instance freezes. Resolves with the runs that were acknowledged. */
  load(seconds: number): Promise<readonly string[]>;
}

/** Opens it over a database. */
export async function openObjectiveBed(databaseUrl: string): Promise<ObjectiveBed> {
  const redis = await startRedisForTest();
  const env = {
    DATABASE_URL: databaseUrl,
    ORCHESTRATOR_REDIS_URL: redis.url,
    ORCHESTRATOR_REFLEX_URL: await serveReflex(),
  };
  const start = (): Promise<ServeProcess> => startServeForTest({ folder: createTemporaryFolder(), env });
  const services = [await start(), await start()] as const;
  const clients = services.map(({ address }) => {
    const client = openGrpcClient({ address });
    onTestFinished(() => client.close());
    return { client, address };
  });
  const [mortal, survivor] = clients;
  if (mortal === undefined || survivor === undefined) throw new Error("there are two");
  const prometheus = await startPrometheus({ scrape: services.map(({ metricsPort }) => `127.0.0.1:${metricsPort}`) });
  // Counters that are seen at 0 first lose nothing: `increase` is exact then.
  await eventually(async () => {
    if ((await prometheus.query('up{job="orchestrator"} == 1')).length < 2) throw new Error("nothing is scraped yet");
  });
  await survivor.client.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
  return {
    prometheus,
    async load(seconds) {
      const acknowledged: string[] = [];
      const from = performance.now();
      const goesOn = (part: number): boolean => performance.now() - from < part * seconds * 1_000;
      const call = async (at: typeof survivor, part: number): Promise<void> => {
        while (goesOn(part)) await callOnce(at, acknowledged);
      };
      const callers = Array.from({ length: CALLERS }, async (_, index) => {
        if (index % 2 === 0) return call(survivor, 1);
        await call(mortal, 0.5);
        // One that is killed is buried at once by a neighbour on its machine, before its lease has run out.
        services[0].child.kill("SIGSTOP");
        return call(survivor, 1);
      });
      await Promise.all(callers);
      return acknowledged;
    },
  };
}

/** What a caller does: it starts a run and waits for it, looks at it and at others, and submits a goal. */
async function callOnce(
  { client, address }: { readonly client: ApiClient; readonly address: string },
  acknowledged: string[],
): Promise<void> {
  try {
    const start = { flowId: "order", wait: { seconds: 5n } };
    const { run } = await client.call(RunService.method.startRun, start, LIMIT);
    const runId = run?.runId ?? "";
    acknowledged.push(runId);
    await client.call(RunService.method.getRun, { runId }, LIMIT);
    await client.call(RunService.method.listRunEvents, { runId }, LIMIT);
    await client.call(RunService.method.listRuns, { pageSize: 20 }, LIMIT);
    const headers = { "content-type": "application/json" };
    const signal = AbortSignal.timeout(LIMIT.timeoutMs);
    await fetch(`http://${address}/submit`, { method: "POST", headers, body: '{"goal":"tidy up"}', signal });
  } catch {
    // The instance of this call has frozen; what the survivor does wrong is in its metrics.
  }
}

/** Answers that every text is safe. */
async function serveReflex(): Promise<string> {
  const answer = JSON.stringify({
    ...{ request_id: "r", status: "Success", pii_detected: false, pii_matches: [] },
    ...{ injection_detected: false, injection_matches: [], cache_hit: false, processing_time_ms: 1 },
  });
  const server = createServer((request, response) => request.resume().on("end", () => response.end(answer)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
