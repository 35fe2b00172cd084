/**
 * What budgets cost calls to models: runs of one `ai` task, by a provider that answers at once, without a budget, with
 * one for each run, and with one that all of them share. Rounds of all three take turns, so that drift affects all;
 * figures are medians of the rounds.
 *
 *   freePerSecond, runPerSecond, tenantPerSecond   calls with 200 runs in flight
 *   runShare                                       with a budget for each run ÷ without
 *   tenantShare                                    with a budget of the tenant ÷ without
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { BudgetService } from "../../../src/gen/orchestrator/v1/budget_service_pb.ts";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { serveFigures } from "../../harness/figures.ts";
import { median } from "../../harness/load.ts";
import { openGrpcClient } from "../grpc-client.ts";
import { flow, measureRate, runOnce } from "../noop-worker.ts";
import { startServiceProcess } from "../service-process.ts";

/** So much that nothing ever waits, in millionths of a dollar. */
const MUCH_MICROS = 1_000_000_000_000n;

/** A budget is never deleted by calls: only so do later rounds without a budget have none. */
const REMOVE = "DELETE FROM orchestrator.budgets WHERE scope = 'tenant'";

const CALL = { id: "ask", type: "ai", parameters: { prompt: "Is it?" } };
const FREE = flow("free", [CALL]);
const BOUNDED = { ...flow("bounded", [CALL]), workflow: { tasks: [CALL], budget: { max_cost_usd: 10 } } };

serveFigures(async (settings) => {
  const [seconds, rounds] = [Number(settings.seconds), Number(settings.rounds)];
  const provider = fork(fileURLToPath(new URL("provider.ts", import.meta.url)), {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const [providerPort] = (await once(provider, "message")) as [number];
  const facts = { input_price_per_mtok: 1, output_price_per_mtok: 2, max_output_tokens: 100 };
  const entry = { kind: "openai", base_url: `http://127.0.0.1:${providerPort}/v1`, models: { m: facts } };
  const service = await startServiceProcess({
    databaseUrl: String(settings.databaseUrl),
    dataDir: await mkdtemp(join(String(settings.folder), "budgets-")),
    env: { ORCHESTRATOR_MODELS_PROVIDERS: JSON.stringify({ bench: entry }) },
  });
  const client = openGrpcClient(service.port);
  for (const document of [FREE, BOUNDED]) {
    const definition = { case: "source" as const, value: JSON.stringify(document) };
    await client.call(FlowService.method.registerFlow, { definition });
  }
  const database = new pg.Client({ connectionString: String(settings.databaseUrl) });
  await database.connect();
  const measure = (flowId: string): Promise<number> => measureRate(() => runOnce(client, flowId, {}), 1, seconds);
  const kinds = {
    free: () => measure("free"),
    run: () => measure("bounded"),
    tenant: async () => {
      await client.call(BudgetService.method.putBudget, { budgetId: "tenant", maxCostMicros: MUCH_MICROS });
      return await measure("free").finally(() => database.query(REMOVE));
    },
  };
  const rates: Record<keyof typeof kinds, number[]> = { free: [], run: [], tenant: [] };
  const names = Object.keys(kinds) as (keyof typeof kinds)[];
  for (let round = 0; round <= rounds; round++) {
    // The first round warms up. Who goes first takes turns.
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + round) % names.length] ?? "free";
      const rate = await kinds[name]();
      if (round > 0) rates[name].push(rate);
    }
  }
  await database.end();
  client.close();
  await service.close();
  provider.disconnect();
  const shareOf = (name: keyof typeof kinds): number =>
    median(rates[name].map((rate, index) => rate / (rates.free[index] ?? Number.NaN)));
  return {
    freePerSecond: median(rates.free),
    runPerSecond: median(rates.run),
    tenantPerSecond: median(rates.tenant),
    runShare: shareOf("run"),
    tenantShare: shareOf("tenant"),
  };
});
