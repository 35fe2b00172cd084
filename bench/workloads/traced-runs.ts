/**
 * What traces cost: runs of three no-op tasks with unary StartRun, by a service that does not trace, and by services
 * that sample 1 % of the runs: with a collector, with one in ten runs failing (those are exported from their journals,
 * so many a second as that allows), and with the collector away. Every round does all, so that drift affects all;
 * figures are medians of the ratios inside a round. CPU is that of the service, without the store.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { serveFigures } from "../harness/figures.ts";
import { median } from "../harness/load.ts";
import { listProcessTree, readCpuSeconds } from "../harness/processes.ts";
import { openGrpcClient } from "./grpc-client.ts";
import { flow, measureRate } from "./noop-worker.ts";
import { startServiceProcess } from "./service-process.ts";

const FLOW_ID = "traced-steps";
const WAIT = { seconds: 50n, nanos: 0 };
const STEPS = {
  ...flow(FLOW_ID, [
    { id: "a", type: "noop" },
    { id: "b", type: "noop", depends_on: ["a"] },
    { id: "c", type: "noop", depends_on: ["b"] },
    { id: "d", type: "transform", depends_on: ["c"], parameters: { output: "${1 / vars.divisor}" } },
  ]),
  variables: [{ name: "divisor", type: "integer", required: true }],
};
/** Of the runs that are to fail, one in so many. */
const FAILING = 10;

type Env = Readonly<Record<string, string>>;

interface Measured {
  readonly rate: number;
  /** Microseconds of CPU for each run. */
  readonly cpuUs: number;
}

serveFigures(async (settings) => {
  const databaseUrl = String(settings.databaseUrl);
  const seconds = Number(settings.seconds);
  const collector = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(200, { "content-type": "application/x-protobuf" }).end());
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const sampled: Env = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.01" };
  const traced: Env = {
    ...sampled,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
  };
  const away: Env = { ...sampled, OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" };
  const all: Record<"off" | "on" | "offFailing" | "onFailing" | "away", Measured[]> = {
    ...{ off: [], on: [], offFailing: [], onFailing: [], away: [] },
  };
  const cases = [
    ["off", {}, false],
    ["on", traced, false],
    ["offFailing", {}, true],
    ["onFailing", traced, true],
    ["away", away, false],
  ] as const;
  for (let round = 0; round <= Number(settings.rounds); round++) {
    // The first round warms up the store. Who goes first takes turns.
    for (let turn = 0; turn < cases.length; turn++) {
      const [name, env, fails] = cases[(turn + round) % cases.length] ?? cases[0];
      const measured = await measure(databaseUrl, env, fails, round === 0 ? 1 : seconds);
      if (round > 0) all[name].push(measured);
    }
  }
  collector.close();
  collector.closeAllConnections();
  const shareOf = (what: keyof Measured, on: keyof typeof all, off: keyof typeof all): number =>
    median(all[on].map((measured, index) => measured[what] / (all[off][index]?.[what] ?? Number.NaN)));
  return {
    offRunsPerSecond: median(all.off.map(({ rate }) => rate)),
    onRunsPerSecond: median(all.on.map(({ rate }) => rate)),
    onShare: shareOf("rate", "on", "off"),
    failingShare: shareOf("rate", "onFailing", "offFailing"),
    awayShare: shareOf("rate", "away", "off"),
    offCpuUs: median(all.off.map(({ cpuUs }) => cpuUs)),
    onCpuShare: shareOf("cpuUs", "on", "off"),
    failingCpuShare: shareOf("cpuUs", "onFailing", "offFailing"),
    awayCpuShare: shareOf("cpuUs", "away", "off"),
  };
});

async function measure(databaseUrl: string, env: Env, fails: boolean, seconds: number): Promise<Measured> {
  const service = await startServiceProcess({ databaseUrl, env });
  const client = openGrpcClient(service.port);
  const definition = { case: "source" as const, value: JSON.stringify(STEPS) };
  await client.call(FlowService.method.registerFlow, { definition });
  let started = 0;
  const start = async (): Promise<void> => {
    const isToFail = fails && started++ % FAILING === 0;
    const value = Buffer.from(isToFail ? '{"divisor":0}' : '{"divisor":1}');
    const { run } = await client.call(RunService.method.startRun, {
      ...{ flowId: FLOW_ID, inputValue: { case: "inputJson", value }, wait: WAIT, readMask: { paths: ["state"] } },
    });
    const expected = isToFail ? RunState.FAILED : RunState.COMPLETED;
    if (run?.state !== expected) throw new Error(`a run is ${run?.state}, not ${expected}`);
  };
  // Warms up code and connections.
  await measureRate(start, 1, 1);
  // With what it has started: processes that end meanwhile are counted in those that began them.
  const pids = await listProcessTree(service.pid);
  const cpuBefore = await readCpuSeconds(pids);
  const begun = performance.now();
  const rate = await measureRate(start, 1, seconds);
  const runs = (rate * (performance.now() - begun)) / 1_000;
  const cpuUs = (((await readCpuSeconds(pids)) - cpuBefore) * 1e6) / runs;
  client.close();
  await service.close();
  return { rate, cpuUs };
}
