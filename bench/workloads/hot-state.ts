/**
 * What the state of runs in Redis costs: runs of three no-op tasks with unary StartRun and with BatchStartRuns, by a
 * service that writes it and one that does not. Every round does both, so that drift affects both; figures are medians
 * of tasks per second, and CPU microseconds of the service for each.
 */
import { spawn } from "node:child_process";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { serveFigures } from "../harness/figures.ts";
import { median } from "../harness/load.ts";
import { readCpuSeconds } from "../harness/processes.ts";
import { openGrpcClient } from "./grpc-client.ts";
import { flow, measureRate, runOnce } from "./noop-worker.ts";
import { findFreePort, startServiceProcess } from "./service-process.ts";

const FLOW_ID = "noop-steps";
const TASKS = 3;
const BATCH = 20;
const WAIT = { seconds: 50n, nanos: 0 };
const STEPS = flow(FLOW_ID, [
  { id: "a", type: "noop" },
  { id: "b", type: "noop", depends_on: ["a"] },
  { id: "c", type: "noop", depends_on: ["b"] },
]);

interface Rates {
  readonly unary: number;
  readonly batch: number;
  readonly unaryCpuUs: number;
  readonly batchCpuUs: number;
}

serveFigures(async (settings) => {
  const databaseUrl = String(settings.databaseUrl);
  const seconds = Number(settings.seconds);
  const port = await findFreePort();
  const redis = spawn(
    "redis-server",
    ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
    {
      stdio: "ignore",
    },
  );
  const failed = new Promise<never>((_, reject) => redis.once("error", reject));
  process.once("exit", () => redis.kill("SIGKILL"));
  const env = { ORCHESTRATOR_REDIS_URL: `redis://127.0.0.1:${port}` };
  const off: Rates[] = [];
  const on: Rates[] = [];
  for (let round = 0; round <= Number(settings.rounds); round++) {
    // The first round warms up the store. Who goes first takes turns.
    const measureOff = async () => off.push(await measure(databaseUrl, {}, seconds));
    const measureOn = async () => on.push(await Promise.race([measure(databaseUrl, env, seconds), failed]));
    for (const one of round % 2 === 0 ? [measureOff, measureOn] : [measureOn, measureOff]) await one();
    if (round === 0) off.length = on.length = 0;
  }
  redis.kill("SIGKILL");
  const shareOf = (kind: keyof Rates): number =>
    median(on.map((rates, index) => rates[kind] / (off[index]?.[kind] ?? Number.NaN)));
  return {
    unaryOffTasksPerSecond: median(off.map(({ unary }) => unary)),
    unaryOnTasksPerSecond: median(on.map(({ unary }) => unary)),
    batchOffTasksPerSecond: median(off.map(({ batch }) => batch)),
    batchOnTasksPerSecond: median(on.map(({ batch }) => batch)),
    unaryShare: shareOf("unary"),
    batchShare: shareOf("batch"),
    unaryCpuShare: shareOf("unaryCpuUs"),
    batchCpuShare: shareOf("batchCpuUs"),
  };
});

async function measure(databaseUrl: string, env: Readonly<Record<string, string>>, seconds: number): Promise<Rates> {
  const service = await startServiceProcess({ databaseUrl, env });
  const client = openGrpcClient(service.port);
  const definition = { case: "source" as const, value: JSON.stringify(STEPS) };
  await client.call(FlowService.method.registerFlow, { definition });
  const startMany = async (): Promise<void> => {
    const { results } = await client.call(RunService.method.batchStartRuns, {
      requests: Array.from({ length: BATCH }, () => ({ flowId: FLOW_ID })),
      wait: WAIT,
      readMask: { paths: ["run_id", "state"] },
    });
    for (const { result } of results)
      if (result.case !== "run") throw new Error(`BatchStartRuns: ${JSON.stringify(result.value)}`);
  };
  const startOne = (): Promise<void> => runOnce(client, FLOW_ID, {});
  // Warms up code and connections.
  await measureRate(startOne, TASKS, 1);
  const unary = await measureTasks(service.pid, startOne, TASKS, seconds);
  const batch = await measureTasks(service.pid, startMany, TASKS * BATCH, seconds);
  client.close();
  await service.close();
  return { unary: unary.rate, batch: batch.rate, unaryCpuUs: unary.cpuUs, batchCpuUs: batch.cpuUs };
}

/** Tasks per second, and CPU microseconds of the service for each. */
async function measureTasks(pid: number, call: () => Promise<void>, tasks: number, seconds: number) {
  const cpuBefore = await readCpuSeconds([pid]);
  const begun = performance.now();
  const rate = await measureRate(call, tasks, seconds);
  const done = (rate * (performance.now() - begun)) / 1_000;
  return { rate, cpuUs: (((await readCpuSeconds([pid])) - cpuBefore) * 1_000_000) / done };
}
