/** Providers of models, as the configuration has them. */
import { knownModel } from "../../base/net/model-name.ts";
import type { AiParameters } from "../../engine/ports/models/questions.ts";
import type { ProviderKind } from "./process/protocol.ts";

/** A provider. */
export interface ModelProvider {
  readonly name: string;
  readonly kind: ProviderKind;
  readonly baseUrl: string;
  /** A reference to a secret; null: it wants no key. */
  readonly apiKey: string | null;
  /** Longest time of one call. */
  readonly timeoutMs: number;
  readonly models: ReadonlyMap<string, ModelFacts>;
}

/** What is known of a model. Prices are millionths of a dollar for a million tokens; null: unknown. */
export interface ModelFacts {
  readonly inputPriceMicros: number | null;
  readonly outputPriceMicros: number | null;
  /** Of input that the provider had in its own cache; null: as other input. */
  readonly cachedInputPriceMicros: number | null;
  readonly maxOutputTokens: number | null;
  /** Most tokens of its calls in a minute; null: any number. */
  readonly tokensPerMinute: number | null;
}

/** A model that is asked. */
export interface ModelTarget {
  readonly provider: ModelProvider;
  readonly model: string;
  readonly facts: ModelFacts;
  readonly maxTokens: number;
  /** Errors after which it is asked; null: it is asked first. */
  readonly on: readonly string[] | null;
}

/** The providers of a service. */
export interface ModelProviders {
  readonly known: ReadonlyMap<string, ModelProvider>;
  /** Of tasks that name none. */
  readonly standard: string | null;
}

/** Most tokens of an answer where neither task nor configuration says so. */
const DEFAULT_MAX_TOKENS = 4_096;

const UNKNOWN: ModelFacts = {
  inputPriceMicros: null,
  outputPriceMicros: null,
  cachedInputPriceMicros: null,
  maxOutputTokens: null,
  tokensPerMinute: null,
};

/** What a task says about its models. */
export type ModelChoice = Pick<AiParameters, "provider" | "model" | "fallback" | "max_tokens">;

/** The model that a task asks and those that it falls back to, in their order; text: what is missing. */
export function targetsOf(choice: ModelChoice, providers: ModelProviders): readonly ModelTarget[] | string {
  const name = choice.provider ?? providers.standard;
  if (name === null) return "the task names no provider, and models.default_provider is not set";
  const targets: ModelTarget[] = [];
  const wanted = [{ provider: name, model: choice.model, on: null }, ...(choice.fallback ?? [])];
  for (const one of wanted) {
    const provider = providers.known.get(one.provider ?? name);
    if (provider === undefined) return `models.providers has no provider ${one.provider ?? name}`;
    const asked = one.model ?? provider.models.keys().next().value;
    if (asked === undefined) return `the task names no model, and the provider ${provider.name} has none`;
    // What is known of a model holds however a task spells it.
    const model = knownModel(asked, provider.models);
    const facts = provider.models.get(model) ?? UNKNOWN;
    const maxTokens = choice.max_tokens ?? facts.maxOutputTokens ?? DEFAULT_MAX_TOKENS;
    targets.push({ provider, model, facts, maxTokens, on: one.on });
  }
  return targets;
}
