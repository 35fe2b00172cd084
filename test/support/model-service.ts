/** A service with providers of models, and a scripted server behind them. */
import { type ModelServer, serveModels } from "./model-server.ts";
import { openWorkerBed, type WorkerBed } from "./worker-service.ts";

/** The key that the service sends, and never shows. */
export const MODEL_KEY = "sk-canary-4711-do-not-show";

/** A service, and the server that its providers are at. */
export interface ModelBed extends WorkerBed {
  readonly models: ModelServer;
  readMetrics(): Promise<string>;
}

/** Starts both. The providers are `open` and `claude`; prices are 1 and 2 dollars for a million tokens. */
export async function openModelBed(env: Readonly<Record<string, string>> = {}): Promise<ModelBed> {
  const models = await serveModels();
  const facts = { input_price_per_mtok: 1, output_price_per_mtok: 2, max_output_tokens: 1_000 };
  const api_key = "secret://models";
  const bed = await openWorkerBed({
    ORCHESTRATOR_SECRET_MODELS: MODEL_KEY,
    ORCHESTRATOR_MODELS_DEFAULT_PROVIDER: "open",
    ORCHESTRATOR_MODELS_PROVIDERS: JSON.stringify({
      open: {
        kind: "openai",
        base_url: `${models.url}/v1`,
        api_key,
        models: {
          small: facts,
          free: {},
          rare: { requests_per_minute: 1 },
          slim: { max_output_tokens: 100, tokens_per_minute: 150 },
        },
        timeout: "5s",
      },
      claude: { kind: "anthropic", base_url: models.url, api_key, models: { haiku: facts } },
    }),
    ...env,
  });
  return {
    ...bed,
    models,
    readMetrics: async () => (await fetch(`http://127.0.0.1:${bed.service().metricsPort}/metrics`)).text(),
  };
}
