/**
 * Cost of a run in process, without wall-clock time: allocated bytes and CPU time by function, for work on the hot
 * path. The figures are useful even on a busy machine: bytes do not depend on the load, and CPU time depends on it
 * little.
 *
 *   node bench/allocations.ts [--runs 20000] [--in-flight 200] [--top 40] [--cpu-only]
 *
 * Executes runs of the 3-step flow on the engine in process, with metrics and log, three times: without a profiler for
 * the totals, with the sampling heap profiler, and with the CPU profiler. A function is charged for its own
 * allocations; those of a library or built-in appear under that name.
 */
import { rmSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { type HeapProfiler, type Profiler, Session } from "node:inspector/promises";
import { PerformanceObserver } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createServiceMetrics } from "../src/service/service-metrics.ts";
import { openLogger } from "../src/telemetry/log/logger.ts";
import { createRunLog } from "../src/telemetry/log/run-log.ts";
import { openBenchPostgres } from "./harness/postgres.ts";
import { chooseWorkFolder } from "./harness/work-folder.ts";
import { type BenchEngine, openBenchEngine } from "./workloads/open-engine.ts";

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "20000" },
    "in-flight": { type: "string", default: "200" },
    top: { type: "string", default: "40" },
    "cpu-only": { type: "boolean", default: false },
  },
});
const runs = Number(options.runs);
const inFlight = Number(options["in-flight"]);
const top = Number(options.top);

/** Bytes between two samples: with 20,000 runs the error of the total is below one percent. */
const SAMPLING_BYTES = 4_096;
const SAMPLING_MICROSECONDS = 500;

const folder = await chooseWorkFolder();
await mkdir(folder, { recursive: true });
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const postgres = await openBenchPostgres(folder);
const nowhere = { write: () => {} };
const log = await openLogger({ level: "info", format: "json", destination: nowhere });
const metrics = await createServiceMetrics();
const engine = await openBenchEngine(await postgres.freshDatabase("allocations"), {
  ...metrics,
  observers: [...metrics.observers, createRunLog(log, "")],
});
await engine.register(await readFile(new URL("flows/three-steps.yaml", import.meta.url), "utf8"));
const session = new Session();
session.connect();

await drive(engine, Math.max(5_000, runs / 2));
const cpu = await measureCpu();
console.log(
  `${(cpu.perRun * 1000).toFixed(1)} µs CPU a run, of them ${(cpu.mainPerRun * 1000).toFixed(1)} in the main thread; ${cpu.collections}`,
);
if (!options["cpu-only"]) {
  printTable("bytes a run", await profileHeap(), (bytes) => bytes.toFixed(0));
  printTable("µs a run by the clock (main thread, with the profiler's own cost)", await profileTime(), (us) =>
    us.toFixed(2),
  );
}
await engine.close();
await postgres.close();

/** Executes `count` runs, `inFlight` at a time. */
async function drive(subject: BenchEngine, count: number): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const value = next++;
      const { state } = await subject.start("three-steps", { value }, 30_000);
      if (JSON.stringify(state.output) !== `{"value":${value + 3}}`)
        throw new Error(`Run ${state.runId} ended wrongly`);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}

/** CPU milliseconds per run, of the process and its main thread, and those of garbage collection. */
async function measureCpu() {
  let count = 0;
  let pauses = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      count += 1;
      pauses += entry.duration;
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  const before = process.cpuUsage();
  const mainBefore = process.threadCpuUsage();
  await drive(engine, runs);
  const main = process.threadCpuUsage(mainBefore);
  const all = process.cpuUsage(before);
  await delay(50);
  observer.disconnect();
  const perRun = (usage: NodeJS.CpuUsage): number => (usage.user + usage.system) / 1000 / runs;
  const collections = `${count} collections with pauses of ${((pauses * 1000) / runs).toFixed(1)} µs a run`;
  return { perRun: perRun(all), mainPerRun: perRun(main), collections };
}

type Sums = Map<string, number>;

async function profileHeap(): Promise<Sums> {
  await session.post("HeapProfiler.startSampling", {
    samplingInterval: SAMPLING_BYTES,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  await drive(engine, runs);
  const { profile } = await session.post("HeapProfiler.stopSampling");
  const sums: Sums = new Map();
  const visit = (node: HeapProfiler.SamplingHeapProfileNode): void => {
    add(sums, node.callFrame, node.selfSize / runs);
    for (const child of node.children) visit(child);
  };
  visit(profile.head);
  return sums;
}

async function profileTime(): Promise<Sums> {
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: SAMPLING_MICROSECONDS });
  await session.post("Profiler.start");
  await drive(engine, runs);
  const { profile } = await session.post("Profiler.stop");
  const sums: Sums = new Map();
  const frames = new Map<number, Profiler.ProfileNode>(profile.nodes.map((node) => [node.id, node]));
  profile.samples?.forEach((id, index) => {
    const frame = frames.get(id)?.callFrame;
    if (frame !== undefined && frame.functionName !== "(idle)")
      add(sums, frame, (profile.timeDeltas?.[index] ?? 0) / runs);
  });
  return sums;
}

function add(
  sums: Sums,
  { functionName, url, lineNumber }: { functionName: string; url: string; lineNumber: number },
  amount: number,
): void {
  const file = url.replace(/^.*\/(?=(?:src|bench|node_modules)\/)/, "");
  const name = `${functionName || "(anonymous)"}${file === "" ? "" : ` ${file}:${lineNumber + 1}`}`;
  sums.set(name, (sums.get(name) ?? 0) + amount);
}

function printTable(title: string, sums: Sums, format: (value: number) => string): void {
  const rows = [...sums].sort(([, a], [, b]) => b - a);
  const total = rows.reduce((sum, [, value]) => sum + value, 0);
  console.log(`\n${format(total)} ${title}`);
  for (const [name, value] of rows.slice(0, top)) console.log(`${format(value).padStart(10)}  ${name}`);
}
