/**
 * Tasks that a worker does, over gRPC: the service in its own process; one worker of 200 slots and the client in this
 * one. Every handler is a no-op that reports at once; reports that come together go in one call.
 *   echo         unary calls of GetInfo, 200 in flight: what the same server and client do without any work
 *   map          one map of 10,000 worker tasks
 *   three-steps  runs of three worker tasks in sequence, 200 open
 * Every round does each once, so that drift affects all of them; figures are medians of tasks (or calls) per second.
 */
import { openGrpcClient as openStreamingClient } from "../../src/api/client/grpc-client.ts";
import { InfoService } from "../../src/gen/orchestrator/info/v1/info_pb.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { WorkerService } from "../../src/gen/orchestrator/v1/worker_service_pb.ts";
import { serveFigures } from "../harness/figures.ts";
import { median } from "../harness/load.ts";
import { type GrpcClient, openGrpcClient } from "./grpc-client.ts";
import { startServiceProcess } from "./service-process.ts";

const SLOTS = 200;
const IN_FLIGHT = 200;
const ITEMS = 10_000;
/** Most reports in one call: the contract's. */
const MAX_REPORTS = 1_000;
const WAIT = { seconds: 50n, nanos: 0 };
const encoder = new TextEncoder();

const step = (id: string, more: object = {}) => ({ id, type: "worker", parameters: { handler: "noop" }, ...more });

const FLOWS = [
  flow("worker-steps", [step("a"), step("b", { depends_on: ["a"] }), step("c", { depends_on: ["b"] })]),
  {
    ...flow("worker-map", [
      {
        id: "all",
        type: "map",
        parameters: {
          items: "${items}",
          max_concurrency: 1_000,
          task: { type: "worker", parameters: { handler: "noop" } },
        },
      },
    ]),
    variables: [{ name: "items", type: "array", required: true }],
  },
];

serveFigures(async (settings) => {
  const service = await startServiceProcess({ databaseUrl: String(settings.databaseUrl) });
  const client = openGrpcClient(service.port);
  const stopWorker = await startNoopWorker(service.port);
  for (const one of FLOWS)
    await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: JSON.stringify(one) } });
  const echo = (): Promise<unknown> => client.call(InfoService.method.getInfo, {});
  const items = Array.from({ length: ITEMS }, (_, index) => index);
  const rates = { echo: [] as number[], map: [] as number[], steps: [] as number[] };
  const seconds = Number(settings.seconds);
  // The first round warms up.
  for (let round = 0; round <= Number(settings.rounds); round++) {
    const echoRate = await measureRate(echo, 1, round === 0 ? 1 : seconds);
    const begun = performance.now();
    await runOnce(client, "worker-map", { items });
    const mapRate = (ITEMS * 1_000) / (performance.now() - begun);
    const stepsRate = await measureRate(() => runOnce(client, "worker-steps", {}), 3, round === 0 ? 1 : seconds);
    if (round === 0) continue;
    rates.echo.push(echoRate);
    rates.map.push(mapRate);
    rates.steps.push(stepsRate);
  }
  await stopWorker();
  client.close();
  await service.close();
  const shareOf = (measured: readonly number[]): number =>
    median(measured.map((rate, index) => rate / (rates.echo[index] ?? Number.NaN)));
  return {
    echoCallsPerSecond: median(rates.echo),
    mapTasksPerSecond: median(rates.map),
    stepTasksPerSecond: median(rates.steps),
    mapShare: shareOf(rates.map),
    stepShare: shareOf(rates.steps),
  };
});

function flow(id: string, tasks: readonly object[]): Record<string, unknown> {
  return { id, name: id, version: "1", workflow: { tasks } };
}

async function runOnce(client: GrpcClient, flowId: string, input: object): Promise<void> {
  const inputValue = { case: "inputJson" as const, value: encoder.encode(JSON.stringify(input)) };
  const readMask = { paths: ["run_id", "state", "error"] };
  const { run } = await client.call(RunService.method.startRun, { flowId, inputValue, wait: WAIT, readMask });
  if (run?.state !== RunState.COMPLETED) throw new Error(`${flowId} is ${run?.state}: ${JSON.stringify(run?.error)}`);
}

/** Units per second of calls of `units` each, {@link IN_FLIGHT} at a time. */
async function measureRate(call: () => Promise<unknown>, units: number, seconds: number): Promise<number> {
  const begun = performance.now();
  const until = begun + seconds * 1_000;
  let done = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < until) {
      await call();
      done += units;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
  return (done * 1_000) / (performance.now() - begun);
}

/** Starts a worker whose handler returns at once. Returns what stops it. */
async function startNoopWorker(port: number): Promise<() => Promise<void>> {
  const client = openStreamingClient({ address: `127.0.0.1:${port}` });
  const stop = new AbortController();
  const worker = { name: "bench", handlers: ["noop"], slots: SLOTS };
  const { sessionId } = await client.call(WorkerService.method.registerWorker, worker);
  const waiting: string[] = [];
  let isSending = false;
  const send = async (): Promise<void> => {
    if (isSending) return;
    isSending = true;
    // What arrives in the same turn of the loop goes along.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const tokens = waiting.splice(0, MAX_REPORTS);
      const reports = tokens.map((taskToken) => ({ taskToken, event: { case: "succeeded" as const, value: {} } }));
      await client.call(WorkerService.method.reportTasks, { sessionId, reports });
    }
    isSending = false;
  };
  const read = async (): Promise<void> => {
    for await (const { event } of client.stream(
      WorkerService.method.pollTasks,
      { sessionId },
      { signal: stop.signal },
    )) {
      if (event.case !== "task") continue;
      waiting.push(event.value.taskToken);
      void send();
    }
  };
  const reading = read().catch(() => {});
  return async () => {
    stop.abort();
    await reading;
    await client.close();
  };
}
