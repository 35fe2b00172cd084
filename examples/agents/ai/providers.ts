/** The interfaces of model providers: how a question is put, and where the answer is. */
import type { Json, JsonObject } from "../shared/json.ts";

export interface Question {
  readonly prompt: string;
  readonly system: string | undefined;
  readonly model: string;
  readonly isJson: boolean;
  readonly maxTokens: number | undefined;
  readonly temperature: number | undefined;
}

export interface Answer {
  readonly text: string;
  readonly model: string;
  readonly finishReason: string | null;
  readonly usage: { readonly input_tokens: number; readonly output_tokens: number } | null;
}

export interface Provider {
  readonly name: "openai" | "anthropic";
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly defaultModel: string;
}

/** What is asked of a model that is to answer with JSON. */
const JSON_ONLY = "Answer with one JSON value and nothing else: no explanation, no code fence.";
/** Anthropic wants a limit. */
const DEFAULT_MAX_TOKENS = 4_096;

/** The providers that `env` configures: by a key, or by the address of a server that needs none. */
export function readProviders(env: NodeJS.ProcessEnv): readonly Provider[] {
  const read = (name: Provider["name"], url: string, model: string): readonly Provider[] => {
    const prefix = name.toUpperCase();
    const apiKey = env[`${prefix}_API_KEY`] ?? "";
    const baseUrl = env[`${prefix}_BASE_URL`] ?? "";
    if (apiKey === "" && baseUrl === "") return [];
    const defaultModel = env[`${prefix}_MODEL`] || model;
    return [{ name, baseUrl: (baseUrl || url).replace(/\/+$/, ""), apiKey, defaultModel }];
  };
  return [
    ...read("openai", "https://api.openai.com/v1", "gpt-4o-mini"),
    ...read("anthropic", "https://api.anthropic.com/v1", "claude-3-5-haiku-latest"),
  ];
}

/** Address, headers, and body of a question. */
export function toCall(
  { name, baseUrl, apiKey }: Provider,
  { prompt, system, model, isJson, maxTokens, temperature }: Question,
): { readonly url: string; readonly headers: Record<string, string>; readonly body: JsonObject } {
  const instructions = [system, isJson ? JSON_ONLY : undefined].filter((text) => text !== undefined).join("\n\n");
  const user = { role: "user", content: prompt };
  const rest = { model, ...(temperature === undefined ? {} : { temperature }) };
  if (name === "anthropic")
    return {
      url: `${baseUrl}/messages`,
      headers: { "anthropic-version": "2023-06-01", ...(apiKey === "" ? {} : { "x-api-key": apiKey }) },
      body: {
        ...rest,
        messages: [user],
        max_tokens: maxTokens ?? DEFAULT_MAX_TOKENS,
        ...(instructions === "" ? {} : { system: instructions }),
      },
    };
  return {
    url: `${baseUrl}/chat/completions`,
    headers: apiKey === "" ? {} : { authorization: `Bearer ${apiKey}` },
    body: {
      ...rest,
      messages: [...(instructions === "" ? [] : [{ role: "system", content: instructions }]), user],
      ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
      ...(isJson ? { response_format: { type: "json_object" } } : {}),
    },
  };
}

/** Reads what a provider answered, or null if it is no answer of this interface. */
export function readAnswer({ name }: Provider, body: Json, asked: string): Answer | null {
  const root = asObject(body);
  const model = asText(root["model"]) ?? asked;
  const used = asObject(root["usage"]);
  const toUsage = (input: Json | undefined, output: Json | undefined): Answer["usage"] =>
    typeof input === "number" && typeof output === "number" ? { input_tokens: input, output_tokens: output } : null;
  if (name === "anthropic") {
    if (!Array.isArray(root["content"])) return null;
    const parts = (root["content"] as readonly Json[]).map((part) => asText(asObject(part)["text"]) ?? "");
    const usage = toUsage(used["input_tokens"], used["output_tokens"]);
    return { text: parts.join(""), model, finishReason: asText(root["stop_reason"]), usage };
  }
  const [choice] = Array.isArray(root["choices"]) ? (root["choices"] as readonly Json[]) : [];
  const text = asText(asObject(asObject(choice)["message"])["content"]);
  if (text === null) return null;
  const usage = toUsage(used["prompt_tokens"], used["completion_tokens"]);
  return { text, model, finishReason: asText(asObject(choice)["finish_reason"]), usage };
}

/** The message of an error body; both interfaces write `{error: {message}}`. */
export function readErrorMessage(body: Json): string | null {
  const { error } = asObject(body);
  return asText(asObject(error)["message"]) ?? asText(error);
}

function asObject(value: Json | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function asText(value: Json | undefined): string | null {
  return typeof value === "string" ? value : null;
}
