import { modelProvidersSetting } from "../model-providers.ts";
import { durationSetting, setting, sizeSetting, textSetting } from "../setting-types.ts";

const MB = 1_024 * 1_024;

/** Language models that `ai` tasks ask. */
export const MODELS = {
  providers: setting({
    schema: modelProvidersSetting(),
    default: {},
    env: ["ORCHESTRATOR_MODELS_PROVIDERS"],
    text: "Providers that `ai` tasks name, each `{kind, base_url, api_key, models, timeout}`. `kind` is the protocol, `openai` or `anthropic`; `base_url` is where that is spoken, by default at the company of that name. `api_key` is a reference to a secret (`secret://anthropic`). `models` has what is known of models by name, the first one being that of tasks that name none: `{input_price_per_mtok, output_price_per_mtok, cached_input_price_per_mtok}` in dollars for a million tokens, `max_output_tokens`, `requests_per_minute`, and `tokens_per_minute` (input and output together). `timeout` bounds one call (2m).",
  }),
  defaultProvider: setting({
    schema: textSetting("the name of a provider"),
    env: ["ORCHESTRATOR_MODELS_DEFAULT_PROVIDER"],
    text: "Provider of `ai` tasks that name none; by default the only one there is.",
  }),
  usageRetention: setting({
    schema: durationSetting(),
    default: "400d",
    env: ["ORCHESTRATOR_MODELS_USAGE_RETENTION"],
    text: "How long the usage of calls is kept, which `orchestrator budgets usage` shows; 0 keeps it forever.",
  }),
  processIdle: setting({
    schema: durationSetting(1_000),
    default: "5m",
    env: ["ORCHESTRATOR_MODELS_PROCESS_IDLE"],
    text: "How long the process that talks to providers is kept without work. The next call starts it again, which takes about a second.",
  }),
  processMemory: setting({
    schema: sizeSetting(128 * MB, 16_384 * MB),
    default: "512MB",
    env: ["ORCHESTRATOR_MODELS_PROCESS_MEMORY"],
    text: "Largest heap of that process.",
  }),
} as const;
