/**
 * Tasks that wait for a worker, as rows of the store.
 *   resident  runs started with a worker connected: tasks per second from the first call to the last end
 *   memory    growth of the service while `count` tasks wait, none of which any worker can take
 *   takeover  SIGKILL, then another instance with a worker: time until the first task is handed out. The lease of the
 *             dead instance ends within the lease time, which is deducted
 *   evicted   the worker of the new instance does `drained` of the waiting tasks: tasks per second
 *   restarted the service with the other waiting tasks after another start, less the service before the first one. What
 *             it adds is what the tasks need; `memory` has the heap that their starts have left, too
 */
import { setTimeout as delay } from "node:timers/promises";
import { createWorker } from "../../gen/typescript/worker/index.js";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { serveFigures } from "../harness/figures.ts";
import { readResidentBytes } from "../harness/processes.ts";
import { type GrpcClient, openGrpcClient } from "./grpc-client.ts";
import { flow } from "./noop-worker.ts";
import { startServiceProcess } from "./service-process.ts";

const FLOW_ID = "waiting-task";
const LEASE_MS = 10_000;
const SLOTS = 200;
const BATCH = 100;
const CALLS = 10;

serveFigures(async (settings) => {
  const databaseUrl = String(settings.databaseUrl);
  const count = Number(settings.count);
  const drained = Number(settings.drained);
  const settleMs = Number(settings.settleSeconds) * 1_000;

  const first = await startServiceProcess({ databaseUrl });
  await delay(settleMs);
  const emptyBytes = await readResidentBytes(first.pid);
  const client = openGrpcClient(first.port);
  const definition = flow(FLOW_ID, [{ id: "do", type: "worker", parameters: { handler: "count" } }]);
  await client.call(FlowService.method.registerFlow, {
    definition: { case: "source", value: JSON.stringify(definition) },
  });
  const counter = startCounter(first.port);
  // The first tasks warm up code and connections.
  await startRuns(client, drained / 5);
  await counter.reach(drained / 5);
  const begun = performance.now();
  await startRuns(client, drained);
  await counter.reach(drained / 5 + drained);
  const residentRate = (drained * 1_000) / (performance.now() - begun);
  await counter.stop();

  await delay(settleMs);
  const before = await readResidentBytes(first.pid);
  const startedAt = performance.now();
  await startRuns(client, count);
  const startedPerSecond = (count * 1_000) / (performance.now() - startedAt);
  await delay(settleMs);
  const addedBytes = (await readResidentBytes(first.pid)) - before;
  client.close();

  process.kill(first.pid, "SIGKILL");
  const killedAt = performance.now();
  const second = await startServiceProcess({ databaseUrl });
  const drain = startCounter(second.port);
  await drain.reach(1);
  const firstMs = performance.now() - killedAt - LEASE_MS;
  const drainBegun = performance.now();
  await drain.reach(drained);
  const evictedRate = ((drained - 1) * 1_000) / (performance.now() - drainBegun);
  await drain.stop();
  await second.close();
  const third = await startServiceProcess({ databaseUrl });
  await delay(settleMs);
  const restartedBytes = (await readResidentBytes(third.pid)) - emptyBytes;
  await third.close();
  return {
    tasks: count,
    startedPerSecond,
    addedBytes,
    restartedBytes,
    firstHandOverMs: firstMs,
    residentTasksPerSecond: residentRate,
    evictedTasksPerSecond: evictedRate,
    evictedShare: evictedRate / residentRate,
  };
});

/** Starts runs in batches, {@link CALLS} calls at a time. */
async function startRuns(client: GrpcClient, count: number): Promise<void> {
  let left = count;
  const caller = async (): Promise<void> => {
    while (left > 0) {
      const size = Math.min(BATCH, left);
      left -= size;
      const { results } = await client.call(RunService.method.batchStartRuns, {
        requests: Array.from({ length: size }, () => ({ flowId: FLOW_ID })),
      });
      for (const { result } of results)
        if (result.case !== "run") throw new Error(`BatchStartRuns: ${JSON.stringify(result.value)}`);
    }
  };
  await Promise.all(Array.from({ length: CALLS }, caller));
}

/** A worker whose handler counts. */
function startCounter(port: number): { reach(total: number): Promise<void>; stop(): Promise<void> } {
  let done = 0;
  const worker = createWorker({ address: `127.0.0.1:${port}`, name: "bench", slots: SLOTS, log: () => {} });
  const running = worker
    .handle("count", () => {
      done += 1;
    })
    .run();
  return {
    reach: async (total) => {
      while (done < total) await delay(1);
    },
    stop: async () => {
      worker.stop();
      await running;
    },
  };
}
