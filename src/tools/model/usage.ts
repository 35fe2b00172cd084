/** What calls use and cost, before and after they are made. */
import type { CallSize } from "../../engine/ports/models/estimates.ts";
import type { ModelUsage } from "../../engine/ports/models/meter.ts";
import type { JsonForm } from "./json-answer.ts";
import type { ChatEnd, ChatMessage } from "./process/protocol.ts";
import type { ModelFacts, ModelTarget } from "./providers.ts";

/** Bytes of text for a token: few enough for code and for languages other than English. */
const BYTES_PER_TOKEN = 3;
/** Tokens that surround a message, and a conversation. */
const TOKENS_PER_MESSAGE = 8;
const TOKENS_PER_CALL = 16;

/** Tokens of a text, estimated; rather too many than too few. */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);
}

/** Tokens of a conversation, estimated. `extra`: more text that the provider gets, such as a schema. */
export function estimateInput(messages: readonly ChatMessage[], extra: string): number {
  return messages.reduce(
    (sum, { content }) => sum + estimateTokens(content) + TOKENS_PER_MESSAGE,
    TOKENS_PER_CALL + estimateTokens(extra),
  );
}

/** The largest size of a call, with the prices of its model: what budgets reserve is computed of it. */
export function sizeOf(
  { provider, model, facts, maxTokens }: ModelTarget,
  messages: readonly ChatMessage[],
  form: JsonForm | null,
): CallSize {
  return {
    ...{ provider: provider.name, model },
    inputTokens: estimateInput(messages, form?.schema == null ? "" : JSON.stringify(form.schema)),
    maxOutputTokens: maxTokens,
    inputPriceMicros: facts.inputPriceMicros,
    outputPriceMicros: facts.outputPriceMicros,
  };
}

/** Tokens that were reserved for a call. */
export interface Reserve {
  readonly inputTokens: number;
  readonly maxOutputTokens: number;
}

/**
 * What a call that has ended is charged. A provider that refused it wrote nothing. Without a report it is the whole
 * reserve. An answer that was cut off costs its input and the text that came, and at least what was reported.
 */
export function chargeOf({ reached, error, usage, text }: ChatEnd, reserve: Reserve, facts: ModelFacts): ModelUsage {
  if (reached !== "open") return charge(0, 0, 0, "reported", facts);
  const whole = (basis: ModelUsage["basis"]): ModelUsage =>
    charge(reserve.inputTokens, reserve.maxOutputTokens, 0, basis, facts);
  if (error === null) {
    if (usage === null) return whole("estimated");
    return charge(usage.inputTokens, usage.outputTokens, usage.cachedInputTokens, "reported", facts);
  }
  if (error.type === "MODEL_PROCESS_LOST" || (usage === null && text === "")) return whole("unknown");
  const inputTokens = usage === null || usage.inputTokens === 0 ? reserve.inputTokens : usage.inputTokens;
  const outputTokens = Math.max(usage?.outputTokens ?? 0, estimateTokens(text));
  return charge(inputTokens, outputTokens, usage?.cachedInputTokens ?? 0, "estimated", facts);
}

function charge(
  inputTokens: number,
  outputTokens: number,
  cachedTokens: number,
  basis: ModelUsage["basis"],
  facts: ModelFacts,
): ModelUsage {
  const { inputPriceMicros, outputPriceMicros, cachedInputPriceMicros } = facts;
  if (inputPriceMicros === null || outputPriceMicros === null)
    return { inputTokens, outputTokens, costMicros: null, basis };
  const cached = Math.min(cachedTokens, inputTokens);
  const price =
    (inputTokens - cached) * inputPriceMicros +
    cached * (cachedInputPriceMicros ?? inputPriceMicros) +
    outputTokens * outputPriceMicros;
  return { inputTokens, outputTokens, costMicros: Math.ceil(price / 1_000_000), basis };
}
