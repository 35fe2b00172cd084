/** Database queries of an idle service: counts all statements that its server logs in the window. */
import { readFile, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { serveFigures } from "../harness/figures.ts";
import { readCpuSeconds } from "../harness/processes.ts";
import { startServiceProcess } from "./service-process.ts";

/** `log_statement` writes one such line for each statement, prepared or not; continuation lines begin with a tab. */
const STATEMENT = /LOG:\s+(statement|execute [^:]*):/;

serveFigures(async (settings) => {
  const logFile = String(settings.logFile);
  const seconds = Number(settings.seconds);
  const service = await startServiceProcess({ databaseUrl: String(settings.databaseUrl) });
  // The start is over, including late loading.
  await delay(Number(settings.settleSeconds) * 1000);
  const before = (await stat(logFile)).size;
  const cpuBefore = await readCpuSeconds([service.pid]);
  await delay(seconds * 1000);
  const cpu = (await readCpuSeconds([service.pid])) - cpuBefore;
  const text = (await readFile(logFile)).subarray(before).toString();
  await service.close();
  const whole = (await readFile(logFile, "utf8")).split("\n").filter((line) => STATEMENT.test(line)).length;
  // The start alone makes dozens: none means that statements are not logged, and the figure would be wrong.
  if (whole === 0) throw new Error("The server logs no statements.");
  const statements = text.split("\n").filter((line) => STATEMENT.test(line)).length;
  return { statementsPerSecond: statements / seconds, cpuShare: cpu / seconds };
});
