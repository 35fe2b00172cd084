/** Does ai tasks: puts the prompt to a provider, or answers from the recordings. */
import type { Handle } from "../shared/desk.ts";
import { type Json, parseField } from "../shared/json.ts";
import { AgentError } from "../shared/messages.ts";
import { ask } from "./ask.ts";
import type { Answer, Provider, Question } from "./providers.ts";

/** The parameters of an ai task; they have passed `ai-parameters.schema.json`. */
interface AiParameters {
  readonly prompt: string;
  readonly system?: string;
  readonly provider?: "openai" | "anthropic" | "recorded";
  readonly model?: string;
  readonly response_format?: "text" | "json";
  readonly max_tokens?: number;
  readonly temperature?: number;
}

export interface AiOptions {
  /** Those that are configured; the first one is the default. */
  readonly providers: readonly Provider[];
  /** Answers for a provider that is not configured; null: such a task fails. */
  readonly recorded: ((question: Question) => Answer) | null;
}

export function createAiHandler({ providers, recorded }: AiOptions): Handle {
  return async (parameters, { signal }) => {
    const { prompt, system, provider: wanted, response_format, ...rest } = parameters as unknown as AiParameters;
    const provider = providers.find(({ name }) => wanted === undefined || name === wanted);
    const isJson = response_format === "json";
    const question = {
      ...{ prompt, system, isJson, maxTokens: rest.max_tokens, temperature: rest.temperature },
      model: rest.model ?? provider?.defaultModel ?? "recorded",
    };
    let answer: Answer;
    if (provider !== undefined) answer = await ask(provider, question, signal);
    else if (recorded !== null) answer = recorded(question);
    else
      throw new AgentError(
        "PROVIDER_NOT_CONFIGURED",
        wanted === undefined || wanted === "recorded"
          ? "no provider is configured; set OPENAI_API_KEY, OPENAI_BASE_URL, or ANTHROPIC_API_KEY for the agent"
          : `${wanted} is not configured; set ${wanted.toUpperCase()}_API_KEY for the agent`,
      );
    return {
      content: isJson ? readJson(answer) : answer.text,
      provider: provider?.name ?? "recorded",
      model: answer.model,
      finish_reason: answer.finishReason,
      usage: answer.usage,
    };
  };
}

/** The value of an answer; models like to put it into a code fence. */
function readJson({ text, finishReason }: Answer): Json {
  const [, inner] = /^\s*```(?:json)?\s*\n([\s\S]*?)\n?```\s*$/.exec(text) ?? [];
  try {
    return parseField(inner ?? text);
  } catch (error) {
    const isCut = finishReason === "length" || finishReason === "max_tokens";
    const problem = isCut
      ? "the answer was cut off at max_tokens, so it is no JSON"
      : "the model did not answer with JSON";
    throw new AgentError(
      "RESPONSE_FORMAT_INVALID",
      error instanceof SyntaxError ? problem : `the model's JSON cannot be taken: ${(error as Error).message}`,
      { retryable: true, details: { begins: text.slice(0, 200).toWellFormed() } },
    );
  }
}
