/** Who writes the templates of generations, and what one may cost. */
import { splitModel } from "../../../config/model-name.ts";
import type { Config } from "../../../config/settings.ts";
import { createGenerationFlow } from "../../../flows/builtin/generation.ts";
import type { BuiltInDocument } from "../../../flows/ports/built-in.ts";
import { isForModels } from "../../../tasks/agents/transport.ts";
import { modelsForFlows } from "../models.ts";
import { redisAddressOf } from "../redis.ts";

/** The flow that writes drafts. */
export interface DraftWriter {
  readonly flow: BuiltInDocument;
  /** An agent that the configuration does not name: whether there is one is not known. */
  readonly isUncertain: boolean;
}

/** Who writes drafts; null: the service has neither a model nor agents. */
export function draftWriterOf(config: Config): DraftWriter | null {
  const { maxCost, maxTokens } = config.generation;
  const [provider = null, model = null] = splitModel(config.generation.model);
  // As for any `ai` task.
  const models = modelsForFlows(config);
  const isModel = isForModels({ transport: null, provider, model }, models);
  if (!isModel && redisAddressOf(config) === null) return null;
  const maxCostUsd = isModel ? (maxCost ?? null) : null;
  const transport = isModel ? "model" : "agent";
  const flow = createGenerationFlow({ transport, provider, model, maxCostUsd, maxTokens });
  return {
    flow,
    isUncertain: !isModel && provider === null,
  };
}
