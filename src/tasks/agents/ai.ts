import { z } from "zod";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { parseJson } from "../../base/json/json-parse.ts";
import { isModelName, MODEL_NAME_RULE } from "../../base/net/model-name.ts";
import { defineTaskType, type WorkResult } from "../define.ts";
import { jsonSchema } from "../schema/json-schema.ts";
import { anyJson, duration, keyed } from "../schema/schemas.ts";
import { ABOUT_AGENTS, AGENT_TIMEOUT_MS, toAgents } from "./leaving.ts";
import { MODEL_ERRORS } from "./model-errors.ts";
import { TRANSPORTS } from "./transport.ts";

/** Most characters of a prompt, or of a message. */
const MAX_TEXT = 1_000_000;

const FORMATS = ["text", "json"] as const;

const modelName = z.string().min(1).max(255).refine(isModelName, { error: MODEL_NAME_RULE });

const parameters = z
  .looseObject({
    prompt: z.string().min(1).max(MAX_TEXT).optional().meta({ description: "What the model is asked." }),
    messages: z
      .array(
        keyed({
          role: z.enum(["system", "user", "assistant"]).meta({ description: "Who says it." }),
          content: z.string().max(MAX_TEXT).meta({ description: "What is said." }),
        }),
      )
      .min(1)
      .max(1_000)
      .optional()
      .meta({ description: "A conversation that the model goes on with, instead of a prompt." }),
    system: z.string().min(1).max(MAX_TEXT).optional().meta({ description: "What the model is told first." }),
    provider: z.string().max(255).optional().meta({
      description: "Whose model: a name in the setting `models.providers`, or one that agents know.",
    }),
    model: modelName.optional().meta({
      description: "Name of the model; by default the first one of the provider, or the one that the agent chooses.",
    }),
    transport: z.enum(TRANSPORTS).optional().meta({
      description:
        "`model`: the service calls the provider. `agent`: an agent over Redis does. By default `model` if the provider is one of `models.providers`. Not an expression.",
    }),
    response_format: z
      .union([
        z.enum(FORMATS),
        keyed({
          type: z.enum(FORMATS).meta({ description: "Form of the answer." }),
          schema: jsonSchema.optional().meta({ description: "JSON Schema that the answer must match." }),
        }),
      ])
      .optional()
      .meta({ description: "Form of the answer: `text`, `json`, or `{type: json, schema: …}`." }),
    max_tokens: z.int().min(1).max(100_000_000).optional().meta({
      description: "Most tokens of the answer; by default `max_output_tokens` of the model, or 4096.",
    }),
    temperature: z.number().min(0).max(2).optional().meta({ description: "How freely the model chooses its words." }),
    repairs: z.int().min(0).max(5).optional().meta({
      description:
        "How often a model may repair an answer that is no JSON, or does not match the schema; 1 by default.",
    }),
    fallback: z
      .array(
        keyed({
          provider: z.string().max(255).optional().meta({ description: "By default the provider of the task." }),
          model: modelName.meta({ description: "Name of the model." }),
          on: z.array(z.enum(MODEL_ERRORS)).min(1).meta({ description: "Errors after which it is asked." }),
        }),
      )
      .max(5)
      .optional()
      .meta({ description: "Models that are asked in turn, each after the errors that it names, and no others." }),
    cache: keyed({ ttl: duration.meta({ description: "How long an answer is kept." }) })
      .optional()
      .meta({ description: "The same question is answered from the cache, which costs nothing." }),
    on_unknown: z.enum(["retry", "fail", "ask"]).optional().meta({
      description:
        "What is done when the service stopped during a call: `retry` (the default) makes it again, `fail` fails the task with `OUTCOME_UNKNOWN`, `ask` asks for an approval first.",
    }),
  })
  .refine((value) => (value.prompt === undefined) !== (value.messages === undefined), {
    error: "set either prompt or messages",
  });

/** Parameters of an `ai` task, evaluated and checked. */
export type AiParameters = z.infer<typeof parameters>;

/** Keys that models know; agents may know others. */
export const AI_KEYS: ReadonlySet<string> = new Set(Object.keys(parameters.shape));

/** `ai`: a question, which a language model answers. */
export const ai = defineTaskType({
  type: "ai",
  effect: "remote",
  isCalled: true,
  leaving: { ...toAgents("ai"), toResult: ({ response_format: format }, output) => read(format, output) },
  defaultTimeoutMs: AGENT_TIMEOUT_MS,
  summary: "Has a language model answer a prompt.",
  documentation: [
    "The service calls the model itself if the task's provider is one of `models.providers` ([how-to/models.md](how-to/models.md)); otherwise an agent over Redis does. Without either, the flow is refused. `transport` forces one of them.",
    "A model gives `{content, provider, model, finish_reason, usage, cached, calls}`. `content` is the text, or with `response_format: json` its value; an answer that is no JSON or does not match the schema goes back to the model at most `repairs` times, then the attempt fails with `RESPONSE_FORMAT_INVALID`. `usage` is `{input_tokens, output_tokens, cost_usd, estimated}` of all `calls` of the attempt; `cost_usd` is null where the configuration has no price, and `estimated` says that a count is not the provider's. Text appears in a watch of the run while it is written; only the result counts. Each call carries the idempotency key of the task and its number as `Idempotency-Key`. A call whose answer was stored is never made again. If the service stops between an answer and its record, the call may be repeated once (`on_unknown`). `TOO_MANY_REQUESTS`, `MODEL_OVERLOADED`, `MODEL_FAILED`, `CONNECT_FAILED`, `CONNECTION_LOST`, `STREAM_CUT`, `ANSWER_UNREADABLE`, `TIMEOUT`, `MODEL_PROCESS_LOST`, and `RESPONSE_FORMAT_INVALID` are retried as the retry policy says, after `Retry-After` at the earliest; `MODEL_UNAUTHORIZED`, `MODEL_NOT_FOUND`, `MODEL_REQUEST_INVALID`, `MODEL_QUOTA_EXCEEDED`, `REDIRECT_REFUSED`, `CONTEXT_TOO_LONG`, `CONTENT_REFUSED`, `ANSWER_TOO_LARGE`, `PROVIDER_NOT_FOUND`, and `OUTCOME_UNKNOWN` are not.",
    `**With an agent.** ${ABOUT_AGENTS} The output is what the agent answers. With \`response_format: json\`, a text output is parsed; one that is no JSON fails the attempt with \`RESPONSE_FORMAT_INVALID\`, which is retried.`,
  ].join("\n\n"),
  parameters,
  result: anyJson,
  example: `id: analysis
type: ai
parameters:
  provider: anthropic
  prompt: "Which patterns do you see in these rows? \${vars.query}"
  response_format: json
  max_tokens: 2000
timeout: 120
retry_policy: {max_retries: 2}
`,
});

function read(format: Json | undefined, output: Json): WorkResult {
  const isObject = typeof format === "object" && format !== null && !Array.isArray(format);
  const type = isObject ? (format as JsonObject).type : format;
  if (type !== "json" || typeof output !== "string") return { ok: true, output };
  try {
    return { ok: true, output: parseJson(output, { field: "the answer", largeIntegers: "text" }) };
  } catch {
    // What is wrong with it is the model's business.
    const message = "the answer is not JSON, as response_format asks";
    return { ok: false, error: { type: "RESPONSE_FORMAT_INVALID", message, retryable: true } };
  }
}
