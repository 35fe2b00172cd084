/**
 * Wide runs on the engine in process, of effectful no-op tasks:
 *   fan-out   one task, 1,000 tasks that depend on it, and one task that depends on all. Engine time per task is the
 *             wall-clock time from start to end divided by the tasks, including commits.
 *   parallel  the same width as children of one `parallel` task
 *   map       one map of 10,000 items against ten maps of 1,000, in sequence; work per item must not grow with the map
 * Every round does each once, so that drift affects all of them; figures are medians.
 */
import { serveFigures } from "../harness/figures.ts";
import { median } from "../harness/load.ts";
import { type BenchEngine, openBenchEngine } from "./open-engine.ts";

const WIDTH = 1000;
const ITEMS = 10_000;
const MAPS = 10;
const WAIT_MS = 120_000;

const names = Array.from({ length: WIDTH }, (_, index) => `task${index}`);

const FLOWS = [
  flow("fan-out", [
    { id: "begin", type: "noop" },
    ...names.map((id) => ({ id, type: "noop", depends_on: ["begin"] })),
    { id: "end", type: "noop", depends_on: names },
  ]),
  flow("fan-parallel", [
    { id: "all", type: "parallel", parameters: { max_concurrency: WIDTH, tasks: names.map(() => ({ type: "noop" })) } },
  ]),
  {
    ...flow("fan-map", [
      { id: "all", type: "map", parameters: { items: "${items}", max_concurrency: WIDTH, task: { type: "noop" } } },
    ]),
    variables: [{ name: "items", type: "array", required: true }],
  },
];

serveFigures(async (settings) => {
  const engine = await openBenchEngine(String(settings.databaseUrl));
  for (const one of FLOWS) await engine.register(JSON.stringify(one));
  const times = { fanOut: [] as number[], parallel: [] as number[], large: [] as number[], small: [] as number[] };
  const fanCpu: number[] = [];
  const items = Array.from({ length: ITEMS }, (_, index) => index);
  const few = items.slice(0, ITEMS / MAPS);
  // The first round warms up.
  for (let round = 0; round <= Number(settings.rounds); round++) {
    const cpu = process.cpuUsage();
    const fanOut = await timeRun(engine, "fan-out", {});
    const { user, system } = process.cpuUsage(cpu);
    const parallel = await timeRun(engine, "fan-parallel", {});
    const large = await timeRun(engine, "fan-map", { items });
    let small = 0;
    for (let map = 0; map < MAPS; map++) small += await timeRun(engine, "fan-map", { items: few });
    if (round === 0) continue;
    fanCpu.push((user + system) / (WIDTH + 2));
    times.fanOut.push((fanOut * 1000) / (WIDTH + 2));
    times.parallel.push((parallel * 1000) / WIDTH);
    times.large.push(large);
    times.small.push(small);
  }
  await engine.close();
  const ratios = times.large.map((large, index) => large / (times.small[index] ?? Number.NaN));
  return {
    fanOutTaskUs: median(times.fanOut),
    fanOutTaskCpuUs: median(fanCpu),
    parallelTaskUs: median(times.parallel),
    mapLargeMs: median(times.large),
    mapSmallMs: median(times.small),
    mapRatio: median(ratios),
  };
});

function flow(id: string, tasks: readonly object[]): Record<string, unknown> {
  return { id, name: id, version: "1", workflow: { tasks } };
}

async function timeRun(engine: BenchEngine, flowId: string, input: { items?: number[] }): Promise<number> {
  const started = performance.now();
  const { state } = await engine.start(flowId, input, WAIT_MS);
  if (state.phase !== "COMPLETED") throw new Error(`${flowId} ended ${state.phase}: ${JSON.stringify(state.error)}`);
  return performance.now() - started;
}
