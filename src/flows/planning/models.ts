/** `ai` tasks of a plan at a service that calls providers of models itself. */
import { knownModel } from "../../base/net/model-name.ts";
import { type AiRoute, isForModels, type ModelProviders } from "../../tasks/agents/transport.ts";
import type { LimitSpec, Plan, TaskSpec } from "../plan.ts";
import { mapTasks } from "./map-tasks.ts";

/** The limit of calls to models whose requests a minute the configuration bounds: one for each model. */
export const MODEL_LIMIT = "models";

/** The plan, with tasks for models done here and not by agents. */
export function withModels(plan: Plan, providers: ModelProviders): Plan {
  return mapTasks(plan, (spec) =>
    spec.route === undefined || !isForModels(spec.route, providers) ? spec : toLocal(spec, spec.route, providers),
  );
}

function toLocal({ carrier: _, ...spec }: TaskSpec, route: AiRoute, providers: ModelProviders): TaskSpec {
  const limit = spec.limit ?? limitOf(route, providers);
  return { ...spec, effect: "effectful", ...(limit === undefined ? {} : { limit }) };
}

/** A task has one limit, so that its own comes first. What an expression names is not bounded. */
function limitOf(route: AiRoute, { known, standard }: ModelProviders): LimitSpec | undefined {
  const provider = route.provider ?? standard;
  if (typeof provider !== "string") return undefined;
  const names = known.get(provider);
  const asked = route.model ?? names?.model ?? null;
  if (names === undefined || typeof asked !== "string") return undefined;
  const model = knownModel(asked, names.perMinute);
  const count = names.perMinute.get(model);
  if (count === undefined) return undefined;
  const key = `${provider}/${model}`;
  return {
    name: MODEL_LIMIT,
    key: { constant: true, evaluate: () => key },
    maxConcurrent: null,
    rate: { count, perMs: 60_000 },
    timeoutMs: null,
  };
}
