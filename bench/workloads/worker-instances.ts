/**
 * Runs of three worker tasks at two instances, with all workers at one of them, against one instance alone: the same
 * database, 200 runs open in both cases, half of them at each instance. Every round does both, so that drift affects
 * both; figures are medians. CPU is that of the services, without the store.
 */
import { setTimeout as delay } from "node:timers/promises";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { serveFigures } from "../harness/figures.ts";
import { median } from "../harness/load.ts";
import { readCpuSeconds } from "../harness/processes.ts";
import { type GrpcClient, openGrpcClient } from "./grpc-client.ts";
import { measureRate, runOnce, startNoopWorker, stepsFlow } from "./noop-worker.ts";
import { type ServiceProcess, startServiceProcess } from "./service-process.ts";

/** Instances share the shards, and know each other, within this time, milliseconds. */
const SETTLE_MS = 6_000;

interface Measured {
  readonly rate: number;
  readonly cpuUs: number;
}

serveFigures(async (settings) => {
  const databaseUrl = String(settings.databaseUrl);
  const seconds = Number(settings.seconds);
  const alone: Measured[] = [];
  const pair: Measured[] = [];
  for (let round = 0; round <= Number(settings.rounds); round++) {
    // The first round warms up the store.
    const first = await startServiceProcess({ databaseUrl });
    const client = openGrpcClient(first.port);
    const stopWorker = startNoopWorker(first.port);
    const definition = { case: "source" as const, value: JSON.stringify(stepsFlow("worker-steps")) };
    await client.call(FlowService.method.registerFlow, { definition });
    const single = await measure([first], [client], seconds);
    const second = await startServiceProcess({ databaseUrl });
    const other = openGrpcClient(second.port);
    await delay(SETTLE_MS);
    const both = await measure([first, second], [client, other], seconds);
    await stopWorker();
    client.close();
    other.close();
    await Promise.all([first.close(), second.close()]);
    if (round === 0) continue;
    alone.push(single);
    pair.push(both);
  }
  return {
    aloneTasksPerSecond: median(alone.map(({ rate }) => rate)),
    pairTasksPerSecond: median(pair.map(({ rate }) => rate)),
    aloneCpuUs: median(alone.map(({ cpuUs }) => cpuUs)),
    pairCpuUs: median(pair.map(({ cpuUs }) => cpuUs)),
    pairShare: median(pair.map(({ rate }, index) => rate / (alone[index]?.rate ?? Number.NaN))),
    pairCpuShare: median(pair.map(({ cpuUs }, index) => cpuUs / (alone[index]?.cpuUs ?? Number.NaN))),
  };
});

/** Tasks per second, and CPU microseconds of the services for each. */
async function measure(
  services: readonly ServiceProcess[],
  clients: readonly GrpcClient[],
  seconds: number,
): Promise<Measured> {
  let turn = 0;
  const run = async (): Promise<void> => {
    turn += 1;
    const client = clients[turn % clients.length];
    if (client !== undefined) await runOnce(client, "worker-steps", {});
  };
  // Warms up code and connections.
  await measureRate(run, 3, 1);
  const pids = services.map(({ pid }) => pid);
  const cpuBefore = await readCpuSeconds(pids);
  const begun = performance.now();
  const rate = await measureRate(run, 3, seconds);
  const tasks = (rate * (performance.now() - begun)) / 1_000;
  return { rate, cpuUs: (((await readCpuSeconds(pids)) - cpuBefore) * 1_000_000) / tasks };
}
