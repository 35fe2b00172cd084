/**
 * The service with its embedded store after installation: first start (creates the database), second start, and memory
 * after some idle time. Resident memory of the service process; that of its children other than Postgres is separate.
 */
import { rm } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { serveFigures } from "../harness/figures.ts";
import { median } from "../harness/load.ts";
import { readResidentBytes } from "../harness/processes.ts";
import { startServiceProcess } from "./service-process.ts";

serveFigures(async (settings) => {
  const dataDir = path.join(String(settings.folder), "embedded-store");
  const first: number[] = [];
  const second: number[] = [];
  const memory: number[] = [];
  for (let round = 0; round < Number(settings.rounds); round++) {
    await rm(dataDir, { recursive: true, force: true });
    const fresh = await startServiceProcess({ dataDir });
    first.push(fresh.startedMs);
    await fresh.close();
    const again = await startServiceProcess({ dataDir });
    second.push(again.startedMs);
    await delay(Number(settings.idleSeconds) * 1000);
    memory.push(await readResidentBytes(again.pid));
    await again.close();
  }
  await rm(dataDir, { recursive: true, force: true });
  return {
    firstStartMs: median(first),
    secondStartMs: median(second),
    idleResidentBytes: median(memory),
  };
});
