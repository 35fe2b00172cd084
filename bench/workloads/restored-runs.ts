/**
 * How long a restored database with many open runs keeps a service from serving, beside the restore itself:
 *   finish `orchestrator restore finish`, its transaction
 *   start  the service, from its start to serving, before the restore and after
 */
import { JOURNAL_VERSION } from "../../src/engine/shard/ownership/journal-format.ts";
import { finishRestore } from "../../src/store/restores.ts";
import { openDatabase } from "../../src/store/sql/pool.ts";
import { serveFigures } from "../harness/figures.ts";
import { benchLog, openBenchEngine } from "./open-engine.ts";
import { startServiceProcess } from "./service-process.ts";
import { WAITING_FLOW } from "./waiting-flow.ts";

const CHUNK = 1_000;

serveFigures(async (settings) => {
  const count = Number(settings.count);
  const databaseUrl = String(settings.databaseUrl);
  const engine = await openBenchEngine(databaseUrl);
  await engine.register(WAITING_FLOW);
  for (let begun = 0; begun < count; begun += CHUNK) await engine.startMany("waiting", CHUNK, 1);
  await engine.close();
  const startBeforeMs = await measureStart(databaseUrl);
  const database = await openDatabase({ target: databaseUrl, log: benchLog });
  const begun = performance.now();
  const told = await finishRestore(database, "bench", JOURNAL_VERSION);
  const finishMs = performance.now() - begun;
  await database.close();
  if (told !== count) throw new Error(`${told} of ${count} runs were told of the restore`);
  return { runs: count, finishMs, startBeforeMs, startAfterMs: await measureStart(databaseUrl) };
});

async function measureStart(databaseUrl: string): Promise<number> {
  const service = await startServiceProcess({ databaseUrl });
  await service.close();
  return service.startedMs;
}
