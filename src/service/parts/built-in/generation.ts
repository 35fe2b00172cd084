/** Who writes the templates of generations, and what one may cost. */
import { splitModel } from "../../../config/model-name.ts";
import type { Config } from "../../../config/settings.ts";
import { createGenerationFlow } from "../../../flows/builtin/generation.ts";
import type { BuiltInDocument } from "../../../flows/ports/built-in.ts";
import { isForModels } from "../../../tasks/agents/transport.ts";
import { modelsForFlows } from "../models.ts";
import { redisAddressOf } from "../redis.ts";

/** The flow of generations; null: the service has neither a model nor agents. */
export function generationFlowOf(config: Config): BuiltInDocument | null {
  const { maxCost, maxTokens } = config.generation;
  const [provider = null, model = null] = splitModel(config.generation.model);
  // As for any `ai` task.
  const isModel = isForModels({ transport: null, provider, model }, modelsForFlows(config));
  if (!isModel && redisAddressOf(config) === null) return null;
  const maxCostUsd = isModel ? (maxCost ?? null) : null;
  return createGenerationFlow({ transport: isModel ? "model" : "agent", provider, model, maxCostUsd, maxTokens });
}
