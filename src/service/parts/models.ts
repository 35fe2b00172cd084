/** Providers of models: what flows may name, and the adapter that calls them. */
import type { Log } from "../../base/log.ts";
import { systemClock } from "../../base/time/clock.ts";
import { parseDurationMs } from "../../base/time/duration.ts";
import type { Config } from "../../config/settings.ts";
import { createAnswerCache } from "../../store/models/answer-cache.ts";
import type { Database } from "../../store/sql/pool.ts";
import type { ModelProviders as KnownToFlows } from "../../tasks/agents/transport.ts";
import { checkAgainstSchema } from "../../tasks/schema/json-schema.ts";
import type { ModelAdapterOptions } from "../../tools/model/model.ts";
import { openModelProcess } from "../../tools/model/process/model-process.ts";
import type { ModelFacts, ModelProvider } from "../../tools/model/providers.ts";
import type { Parts } from "./parts.ts";

type Entry = Config["models"]["providers"][string];

const DEFAULT_TIMEOUT_MS = 120_000;

const BASE_URLS = { openai: "https://api.openai.com/v1", anthropic: "https://api.anthropic.com" } as const;

/** Dollars → millionths of a dollar. */
const MICROS = 1_000_000;

/** The providers that flows may name. */
export function modelsForFlows(config: Config): KnownToFlows {
  const known = Object.entries(config.models.providers).map(([name, { models = {} }]) => {
    const perMinute = Object.entries(models).flatMap(([model, { requests_per_minute: count }]) =>
      count === undefined ? [] : [[model, count] as const],
    );
    const priced = Object.entries(models).flatMap(([model, { input_price_per_mtok, output_price_per_mtok }]) =>
      input_price_per_mtok === undefined || output_price_per_mtok === undefined ? [] : [model],
    );
    const model = Object.keys(models)[0] ?? null;
    return [name, { model, perMinute: new Map(perMinute), priced: new Set(priced) }] as const;
  });
  return { known: new Map(known), standard: standardOf(config) };
}

export interface ModelNeeds extends Pick<ModelAdapterOptions, "secrets" | "meter" | "rules"> {
  readonly database: Database;
}

/** What the adapter needs; undefined where no provider is configured. Nothing is started before the first call. */
export function openModels(
  config: Config,
  { database, secrets, meter, rules }: ModelNeeds,
  log: Log,
  { metrics }: Parts,
): ModelAdapterOptions | undefined {
  const { providers, processIdle, processMemory } = config.models;
  const known = new Map(Object.entries(providers).map(([name, entry]) => [name, toProvider(name, entry)]));
  if (known.size === 0) return undefined;
  const process = openModelProcess({
    idleMs: processIdle,
    maxMemoryMb: Math.floor(processMemory / 2 ** 20),
    log,
    onStart: () => metrics.counter("orchestrator_model_process_starts_total").add(),
  });
  metrics.beforeRead(async () => metrics.gauge("orchestrator_model_process_resident_bytes").set(process.residentBytes));
  return {
    ...{ process, secrets, log, clock: systemClock },
    providers: { known, standard: standardOf(config) },
    cache: createAnswerCache(database),
    checkSchema: (schema, value) =>
      checkAgainstSchema(schema, value, "answer").map(({ field, description }) => `${field}: ${description}`),
    ...{ meter, rules },
    metrics: {
      called: (provider, model, result) =>
        metrics.counter("orchestrator_ai_calls_total", provider, model, result).add(),
      looked: (hit) => metrics.counter("orchestrator_ai_cache_lookups_total", hit ? "HIT" : "MISS").add(),
      repeated: () => metrics.counter("orchestrator_ai_repeated_calls_total").add(),
    },
  };
}

function standardOf({ models: { providers, defaultProvider } }: Config): string | null {
  const names = Object.keys(providers);
  return defaultProvider ?? (names.length === 1 ? (names[0] ?? null) : null);
}

function toProvider(name: string, { kind, base_url: url, api_key: key, models = {}, timeout }: Entry): ModelProvider {
  const facts = Object.entries(models).map(([model, entry]): [string, ModelFacts] => [
    model,
    {
      inputPriceMicros: toMicros(entry.input_price_per_mtok),
      outputPriceMicros: toMicros(entry.output_price_per_mtok),
      cachedInputPriceMicros: toMicros(entry.cached_input_price_per_mtok),
      maxOutputTokens: entry.max_output_tokens ?? null,
      tokensPerMinute: entry.tokens_per_minute ?? null,
    },
  ]);
  return {
    ...{ name, kind },
    baseUrl: (url ?? BASE_URLS[kind]).replace(/(?<!\/)\/+$/, ""),
    apiKey: key ?? null,
    timeoutMs: timeout === undefined ? DEFAULT_TIMEOUT_MS : parseDurationMs(timeout),
    models: new Map(facts),
  };
}

function toMicros(dollars: number | undefined): number | null {
  return dollars === undefined ? null : Math.round(dollars * MICROS);
}
