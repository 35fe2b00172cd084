/**
 * What 100,000 runs that wait for a signal cost in memory.
 *   resident  the engine in process, a caller waiting for the end of each of them while the runs themselves leave memory one after the other: growth of the process
 *   parked    a service started on the database that holds them all, against the same service before they were started
 */
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { serveFigures } from "../harness/figures.ts";
import { readResidentBytes } from "../harness/processes.ts";
import { openBenchEngine } from "./open-engine.ts";
import { startServiceProcess } from "./service-process.ts";

setFlagsFromString("--expose-gc");
/**
 * What is garbage is not held by a run: the figures with `collected` and `heap` are without it, `resident` is as the
 * machine sees it.
 */
const collectGarbage = runInNewContext("gc") as () => void;

const CHUNK = 1000;
/** Longer than the measurement. */
const HOLD_MS = 600_000;
const FLOW = `id: waiting
version: "1"
workflow:
  tasks:
    - {id: prepare, type: noop}
    - {id: go, type: signal, depends_on: [prepare]}
`;

serveFigures(async (settings) => {
  const count = Number(settings.count);
  const databaseUrl = String(settings.databaseUrl);
  const settleMs = Number(settings.settleSeconds) * 1000;
  const emptyBytes = await measureService(databaseUrl, settleMs);

  const engine = await openBenchEngine(databaseUrl);
  await engine.register(FLOW);
  // The code is warm before the count begins: its memory is no run's.
  await engine.startMany("waiting", CHUNK, 1);
  await delay(settleMs);
  const before = process.memoryUsage.rss();
  collectGarbage();
  const heapBefore = process.memoryUsage().heapUsed;
  const started = performance.now();
  const callers: Promise<void>[] = [];
  for (let begun = 0; begun < count; begun += CHUNK) {
    callers.push(engine.startMany("waiting", CHUNK, HOLD_MS));
    // Two thousand at a time are on their way; those before them already wait.
    while (engine.countWaits() < begun) await delay(1);
  }
  while (engine.countWaits() < count + CHUNK) await delay(1);
  const startedMs = performance.now() - started;
  const after = process.memoryUsage.rss();
  collectGarbage();
  const heap = process.memoryUsage().heapUsed - heapBefore;
  const collected = process.memoryUsage.rss();
  // The callers of a closed engine wait until their time is up, which nobody does here.
  void Promise.allSettled(callers);
  await engine.close();

  const parkedBytes = await measureService(databaseUrl, settleMs);
  return {
    runs: count,
    startedPerSecond: (count * 1000) / startedMs,
    residentAddedBytes: after - before,
    residentBytesPerRun: (after - before) / count,
    collectedResidentAddedBytes: collected - before,
    heapBytesPerRun: heap / count,
    parkedAddedBytes: parkedBytes - emptyBytes,
  };
});

/** Resident memory of an idle service on the database. */
async function measureService(databaseUrl: string, settleMs: number): Promise<number> {
  const service = await startServiceProcess({ databaseUrl });
  await delay(settleMs);
  const bytes = await readResidentBytes(service.pid);
  await service.close();
  return bytes;
}
