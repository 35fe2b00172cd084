/** Chat models of LangChain: the only file that knows the library. Their retries, tracing, and caches are off. */
import type { JsonObject } from "../../../base/json/json.ts";
import { toHeaderText } from "../../../base/net/header-rules.ts";
import type { ChatCall } from "./protocol.ts";

/** A part of an answer, as far as it is used here. */
export interface ChatPart {
  readonly text: string;
  readonly usage_metadata?: {
    readonly input_tokens: number;
    readonly output_tokens: number;
    readonly input_token_details?: { readonly cache_read?: number };
  };
  readonly response_metadata: Readonly<Record<string, unknown>>;
  readonly additional_kwargs: Readonly<Record<string, unknown>>;
}

/** What the library calls instead of the global `fetch`. */
export type Fetch = typeof fetch;

/** Sends a call and yields the parts of the answer. The libraries are loaded when they are first needed. */
export async function streamParts(
  call: ChatCall,
  fetchIt: Fetch,
  signal: AbortSignal,
): Promise<AsyncIterable<ChatPart>> {
  const { apiKey, model, maxTokens, temperature, timeoutMs, baseUrl } = call;
  const messages = call.messages.map(({ role, content }): [string, string] => [role, content]);
  const headers = { "idempotency-key": toHeaderText(call.idempotencyKey) };
  // The libraries refuse to start without a key, also where the provider wants none.
  const common = { apiKey: apiKey ?? "none", model, maxTokens, maxRetries: 0, streamUsage: true };
  const warm = temperature === null ? {} : { temperature };
  const client = { baseURL: baseUrl, defaultHeaders: headers, fetch: fetchIt, timeout: timeoutMs, maxRetries: 0 };
  if (call.kind === "anthropic") {
    const { ChatAnthropic } = await import("@langchain/anthropic");
    const chat = new ChatAnthropic({ ...common, ...warm, anthropicApiUrl: baseUrl, clientOptions: client });
    return (await chat.stream(messages, { signal })) as unknown as AsyncIterable<ChatPart>;
  }
  const { ChatOpenAICompletions } = await import("@langchain/openai");
  const chat = new ChatOpenAICompletions({ ...common, ...warm, configuration: client });
  const format = call.json === null ? {} : { response_format: formatOf(call.json.schema) };
  return (await chat.stream(messages, { signal, ...format } as object)) as unknown as AsyncIterable<ChatPart>;
}

function formatOf(schema: JsonObject | null) {
  if (schema === null) return { type: "json_object" };
  return { type: "json_schema", json_schema: { name: "answer", schema } };
}
