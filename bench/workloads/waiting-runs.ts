/**
 * Memory for 100,000 runs that wait for a signal.
 *   resident the engine in process, with a caller that waits for each run while the runs are evicted: growth of the
 *   process
 *   evicted a service started on a database with all of them, compared with the same service on the empty database
 */
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { serveFigures } from "../harness/figures.ts";
import { readResidentBytes } from "../harness/processes.ts";
import { openBenchEngine } from "./open-engine.ts";
import { startServiceProcess } from "./service-process.ts";
import { WAITING_FLOW } from "./waiting-flow.ts";

setFlagsFromString("--expose-gc");
/** Garbage does not belong to a run: `collected` and `heap` exclude it, `resident` is what the machine sees. */
const collectGarbage = runInNewContext("gc") as () => void;

const CHUNK = 1000;
/** Longer than the measurement. */
const HOLD_MS = 600_000;

serveFigures(async (settings) => {
  const count = Number(settings.count);
  const databaseUrl = String(settings.databaseUrl);
  const settleMs = Number(settings.settleSeconds) * 1000;
  const emptyBytes = await measureService(databaseUrl, settleMs);

  const engine = await openBenchEngine(databaseUrl);
  await engine.register(WAITING_FLOW);
  // Warm up first: memory of the code does not belong to a run.
  await engine.startMany("waiting", CHUNK, 1);
  await delay(settleMs);
  const before = process.memoryUsage.rss();
  collectGarbage();
  const heapBefore = process.memoryUsage().heapUsed;
  const started = performance.now();
  const callers: Promise<void>[] = [];
  for (let begun = 0; begun < count; begun += CHUNK) {
    callers.push(engine.startMany("waiting", CHUNK, HOLD_MS));
    // At most two thousand are starting; the earlier ones already wait.
    while (engine.countWaits() < begun) await delay(1);
  }
  while (engine.countWaits() < count + CHUNK) await delay(1);
  const startedMs = performance.now() - started;
  const after = process.memoryUsage.rss();
  collectGarbage();
  const heap = process.memoryUsage().heapUsed - heapBefore;
  const collected = process.memoryUsage.rss();
  // The callers of a closed engine wait until their timeout, which is too long to await.
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
