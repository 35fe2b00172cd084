/**
 * What a limit costs a task, on the engine in process: runs of one effectful no-op task, one after the other, with and
 * without a limit that has room. Runs of both kinds take turns, so that drift affects both.
 *
 *   freeP50Ms, limitedP50Ms   start to end of a run
 *   addedP50Ms                what the limit adds
 *   perSecond                 runs with a limit of 20 slots, 200 open at once
 */
import { serveFigures } from "../harness/figures.ts";
import { median } from "../harness/load.ts";
import { type BenchEngine, openBenchEngine } from "./open-engine.ts";

const WAIT_MS = 60_000;
const OPEN = 200;

const flow = (id: string, limit: object) =>
  JSON.stringify({ id, version: "1", workflow: { tasks: [{ id: "step", type: "noop", ...limit }] } });

serveFigures(async (settings) => {
  const engine = await openBenchEngine(String(settings.databaseUrl));
  await engine.register(flow("free", {}));
  await engine.register(flow("limited", { limit: { name: "roomy", max_concurrent: 1_000 } }));
  await engine.register(flow("narrow", { limit: { name: "narrow", max_concurrent: 20 } }));
  const free: number[] = [];
  const limited: number[] = [];
  const count = Number(settings.count);
  for (let index = 0; index < 2 * count; index++) {
    const times = [await timeRun(engine, "free"), await timeRun(engine, "limited")] as const;
    // The first half warms up.
    if (index < count) continue;
    free.push(times[0]);
    limited.push(times[1]);
  }
  const began = performance.now();
  for (let started = 0; started < count; started += OPEN) await engine.startMany("narrow", OPEN, WAIT_MS);
  const perSecond = (Math.ceil(count / OPEN) * OPEN * 1_000) / (performance.now() - began);
  await engine.close();
  return {
    freeP50Ms: median(free),
    limitedP50Ms: median(limited),
    addedP50Ms: median(limited) - median(free),
    perSecond,
  };
});

async function timeRun(engine: BenchEngine, flowId: string): Promise<number> {
  const began = performance.now();
  const { state } = await engine.start(flowId, {}, WAIT_MS);
  if (state.phase !== "COMPLETED") throw new Error(`Run ${state.runId} ended ${state.phase}`);
  return performance.now() - began;
}
