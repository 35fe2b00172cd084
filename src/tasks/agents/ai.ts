import { z } from "zod";
import type { Json } from "../../base/json/json.ts";
import { parseJson } from "../../base/json/json-parse.ts";
import { defineTaskType, type WorkResult } from "../define.ts";
import { anyJson } from "../schema/schemas.ts";
import { ABOUT_AGENTS, AGENT_TIMEOUT_MS, toAgents } from "./leaving.ts";

/** `ai`: a prompt, which an agent has a model answer. */
export const ai = defineTaskType({
  type: "ai",
  effect: "remote",
  leaving: { ...toAgents("ai"), toResult: ({ response_format: format }, output) => read(format, output) },
  defaultTimeoutMs: AGENT_TIMEOUT_MS,
  summary: "Asks an AI agent to have a language model answer a prompt.",
  documentation: `${ABOUT_AGENTS} With \`response_format: json\`, a text output is parsed; one that is no JSON fails the attempt with \`RESPONSE_FORMAT_INVALID\`, which is retried.`,
  parameters: z.looseObject({
    prompt: z.string().min(1).max(1_000_000).meta({ description: "What the model is asked." }),
    provider: z.string().max(255).optional().meta({ description: "Whose model, such as `anthropic`." }),
    model: z.string().max(255).optional().meta({ description: "Name of the model; the agent has a default." }),
    response_format: z
      .enum(["text", "json"])
      .optional()
      .meta({ description: "Form of the output; the agent's by default." }),
    max_tokens: z.int().min(1).max(100_000_000).optional().meta({ description: "Most tokens of the answer." }),
  }),
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
  if (format !== "json" || typeof output !== "string") return { ok: true, output };
  try {
    return { ok: true, output: parseJson(output, { field: "the answer", largeIntegers: "text" }) };
  } catch {
    // What is wrong with it is the model's business.
    const message = "the answer is not JSON, as response_format asks";
    return { ok: false, error: { type: "RESPONSE_FORMAT_INVALID", message, retryable: true } };
  }
}
