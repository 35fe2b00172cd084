/**
 * Database queries of a service without work, with `workers` idle workers connected: counts all statements that its
 * server logs in the window.
 */
import { readFile, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { createWorker } from "../../gen/typescript/worker/index.js";
import { serveFigures } from "../harness/figures.ts";
import { readCpuSeconds } from "../harness/processes.ts";
import { startServiceProcess } from "./service-process.ts";

/** `log_statement` writes one such line for each statement, prepared or not; continuation lines begin with a tab. */
const STATEMENT = /LOG:\s+(statement|execute [^:]*):/;

serveFigures(async (settings) => {
  const logFile = String(settings.logFile);
  const seconds = Number(settings.seconds);
  const service = await startServiceProcess({ databaseUrl: String(settings.databaseUrl) });
  const stopWorkers = await connectWorkers(service.port, Number(settings.workers));
  // The start is over, including late loading.
  await delay(Number(settings.settleSeconds) * 1000);
  const before = (await stat(logFile)).size;
  const cpuBefore = await readCpuSeconds([service.pid]);
  await delay(seconds * 1000);
  const cpu = (await readCpuSeconds([service.pid])) - cpuBefore;
  const text = (await readFile(logFile)).subarray(before).toString();
  await stopWorkers();
  await service.close();
  const whole = (await readFile(logFile, "utf8")).split("\n").filter((line) => STATEMENT.test(line)).length;
  // The start alone makes dozens: none means that statements are not logged, and the figure would be wrong.
  if (whole === 0) throw new Error("The server logs no statements.");
  const statements = text.split("\n").filter((line) => STATEMENT.test(line)).length;
  return { statementsPerSecond: statements / seconds, cpuShare: cpu / seconds };
});

/** Connects workers. Resolves with what stops them. */
async function connectWorkers(port: number, count: number): Promise<() => Promise<void>> {
  let connected = 0;
  const log = (message: string): void => {
    if (message.includes("connected, with")) connected += 1;
  };
  const workers = Array.from({ length: count }, (_, index) =>
    createWorker({ address: `127.0.0.1:${port}`, name: `idle-${index}`, log }).handle("nothing", () => {}),
  );
  const running = workers.map((worker) => worker.run());
  while (connected < count) await delay(10);
  return async () => {
    for (const worker of workers) worker.stop();
    await Promise.all(running);
  };
}
