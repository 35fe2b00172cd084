/** Who does an `ai` task: a provider of models that the service calls itself, or an agent. */
import type { JsonObject } from "../../base/json/json.ts";

/** Ways of an `ai` task. */
export const TRANSPORTS = ["agent", "model"] as const;

/** What an `ai` task says about its way, as it is written. */
export interface AiRoute {
  /** Null: it leaves that to the service. */
  readonly transport: (typeof TRANSPORTS)[number] | null;
  /** Null: it names none. `evaluated`: an expression does. */
  readonly provider: string | null | { readonly evaluated: true };
  readonly model: string | null | { readonly evaluated: true };
}

/** Providers of models of a service. */
export interface ModelProviders {
  /** By name. */
  readonly known: ReadonlyMap<string, ProviderNames>;
  /** The provider of tasks that name none; null: they have to. */
  readonly standard: string | null;
}

/** What flows need to know of a provider. */
export interface ProviderNames {
  /** The model of tasks that name none; null: they have to. */
  readonly model: string | null;
  /** Requests a minute by model, where that is bounded. */
  readonly perMinute: ReadonlyMap<string, number>;
  /** Models that have a price. */
  readonly priced: ReadonlySet<string>;
}

/** Reads the parameters of a task as they are written. */
export function routeOf({ transport, provider, model }: JsonObject): AiRoute {
  return {
    transport: TRANSPORTS.find((one) => one === transport) ?? null,
    provider: nameOf(provider),
    model: nameOf(model),
  };
}

function nameOf(value: unknown): AiRoute["provider"] {
  if (typeof value !== "string") return null;
  return value.includes("${") ? { evaluated: true } : value;
}

/** Whether the service calls a provider itself. */
export function isForModels({ transport, provider }: AiRoute, { known, standard }: ModelProviders): boolean {
  if (transport !== null) return transport === "model";
  if (provider === null) return standard !== null;
  return typeof provider === "string" ? known.has(provider) : known.size > 0;
}
