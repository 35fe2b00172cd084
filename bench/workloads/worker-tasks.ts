/**
 * Tasks that a worker does, over gRPC: the service in its own process; one worker of 200 slots and the client in this
 * one. Every handler is a no-op that reports at once; reports that come together go in one call.
 *   echo         unary calls of GetInfo, 200 in flight: what the same server and client do without any work
 *   map          one map of 10,000 worker tasks
 *   three-steps  runs of three worker tasks in sequence, 200 open
 * Every round does each once, so that drift affects all of them; figures are medians of tasks (or calls) per second.
 */
import { InfoService } from "../../src/gen/orchestrator/info/v1/info_pb.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { serveFigures } from "../harness/figures.ts";
import { median } from "../harness/load.ts";
import { openGrpcClient } from "./grpc-client.ts";
import { flow, measureRate, runOnce, startNoopWorker, stepsFlow } from "./noop-worker.ts";
import { startServiceProcess } from "./service-process.ts";

const ITEMS = 10_000;

const FLOWS = [
  stepsFlow("worker-steps"),
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
  const stopWorker = startNoopWorker(service.port);
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
