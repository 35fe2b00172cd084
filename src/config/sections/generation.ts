import { integerSetting, numberSetting, setting, textSetting } from "../setting-types.ts";

/** Templates that a model writes. */
export const GENERATION = {
  model: setting({
    schema: textSetting("provider/model"),
    env: ["ORCHESTRATOR_GENERATION_MODEL"],
    text: "Who writes the templates of `GenerationService` and `/api/v1/generate`: `provider` or `provider/model`. If the provider is not in `models.providers`, an agent over Redis is asked, which gets both names. By default the provider of `ai` tasks that name none, else an agent.",
  }),
  maxCost: setting({
    schema: numberSetting(0, 1_000_000),
    env: ["ORCHESTRATOR_GENERATION_MAX_COST"],
    text: "What one generation may cost, dollars, repairs included. The model needs a price then. No limit by default.",
  }),
  maxTokens: setting({
    schema: integerSetting(1_000, 1_000_000_000),
    default: 200_000,
    env: ["ORCHESTRATOR_GENERATION_MAX_TOKENS"],
    text: "How many tokens one generation may use, of input and output together, repairs included.",
  }),
} as const;
