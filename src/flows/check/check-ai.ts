/** Who does an `ai` task of a flow, and whether this service has it. */
import type { Json, JsonObject } from "../../base/json/json.ts";
import { knownModel } from "../../base/net/model-name.ts";
import { AI_KEYS } from "../../tasks/agents/ai.ts";
import { isForModels, type ModelProviders, routeOf } from "../../tasks/agents/transport.ts";
import { suggest } from "../../tasks/schema/suggest.ts";
import type { Path } from "../document/parse.ts";
import type { Problems } from "../document/problems.ts";
import { holdsExpression } from "../interpolation/template.ts";

const SET_PROVIDERS = "set models.providers (ORCHESTRATOR_MODELS_PROVIDERS)";

/** What decides who does a task. */
export interface AiServed {
  readonly models: ModelProviders | null;
  readonly agents: boolean;
  /** A budget of the flow limits the cost of its runs. */
  readonly limitsCost: boolean;
}

/** Adds the problems of a task that nobody would do, or that names what is not there. */
export function checkAi(
  parameters: JsonObject,
  task: Path,
  { models, agents, limitsCost }: AiServed,
  problems: Problems,
): void {
  const path = [...task, "parameters"];
  const { transport, provider } = parameters;
  if (typeof transport === "string" && holdsExpression(transport))
    problems.add([...path, "transport"], "write agent or model; an expression cannot decide this");
  if (models === null) return;
  if (isForModels(routeOf(parameters), models)) {
    checkModels(parameters, path, models, problems);
    if (limitsCost) checkPrices(parameters, path, models, problems);
    return;
  }
  if (agents) return;
  const named = typeof provider === "string" ? `models.providers has no provider ${provider}, and ` : "";
  problems.add(
    [...task, "type"],
    `${named}agents get tasks of type ai over Redis, and the service has none; ${SET_PROVIDERS}, or redis.url (ORCHESTRATOR_REDIS_URL)`,
  );
}

function checkModels(parameters: JsonObject, path: Path, models: ModelProviders, problems: Problems): void {
  const { provider, model, fallback } = parameters;
  if (models.known.size === 0) {
    problems.add([...path, "transport"], `the service has no providers of models; ${SET_PROVIDERS}`);
    return;
  }
  for (const key of Object.keys(parameters))
    if (!AI_KEYS.has(key))
      problems.add([...path, key], `models do not know this parameter${suggest(key, [...AI_KEYS])}`);
  const name = provider ?? models.standard;
  if (name === null) problems.add(path, `name a provider, or set models.default_provider: ${listOf(models)}`);
  checkProvider(name, [...path, "provider"], models, problems);
  if (model === undefined && typeof name === "string" && models.known.get(name)?.model === null)
    problems.add(path, `name a model; the provider ${name} has no models in the configuration`);
  if (!Array.isArray(fallback)) return;
  for (const [index, one] of (fallback as readonly Json[]).entries()) {
    const named = (one as JsonObject | null)?.provider;
    if (named !== undefined) checkProvider(named, [...path, "fallback", index, "provider"], models, problems);
  }
}

/** Where the cost is limited, a model needs a price; what an expression names is looked at when it is called. */
function checkPrices(parameters: JsonObject, path: Path, models: ModelProviders, problems: Problems): void {
  const check = ({ provider, model }: JsonObject, place: Path): void => {
    const known = models.known.get(String(provider ?? parameters.provider ?? models.standard));
    const name = model ?? known?.model;
    if (known === undefined || typeof name !== "string" || holdsExpression(name)) return;
    if (known.priced.has(knownModel(name, known.priced))) return;
    problems.add(
      [...place, "model"],
      `a budget limits the cost of the flow, and model ${name} has no price; add input_price_per_mtok and output_price_per_mtok to models.providers, or limit max_tokens instead`,
    );
  };
  check(parameters, path);
  if (!Array.isArray(parameters.fallback)) return;
  for (const [index, one] of (parameters.fallback as readonly Json[]).entries())
    check((one ?? {}) as JsonObject, [...path, "fallback", index]);
}

function checkProvider(name: Json, path: Path, models: ModelProviders, problems: Problems): void {
  if (typeof name !== "string" || holdsExpression(name) || models.known.has(name)) return;
  problems.add(path, `there is no provider ${name}${suggest(name, [...models.known.keys()]) || `; ${listOf(models)}`}`);
}

function listOf({ known }: ModelProviders): string {
  return `known: ${[...known.keys()].join(", ")}`;
}
