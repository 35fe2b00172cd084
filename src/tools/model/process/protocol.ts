/** Messages between the service and the process that talks to providers of models. */
import type { JsonObject } from "../../../base/json/json.ts";
import type { ModelErrorType } from "../../../engine/ports/models/questions.ts";

/** Whose protocol a provider speaks. */
export const PROVIDER_KINDS = ["openai", "anthropic"] as const;

/** One of {@link PROVIDER_KINDS}. */
export type ProviderKind = (typeof PROVIDER_KINDS)[number];

/** A message of a conversation. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** One call to a provider. It holds a secret: it is sent to the process, and nowhere else. */
export interface ChatCall {
  readonly kind: ProviderKind;
  readonly baseUrl: string;
  /** Null: the provider wants none. */
  readonly apiKey: string | null;
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly maxTokens: number;
  readonly temperature: number | null;
  /** Null: text. With a schema, the provider is told it where its protocol has a place for that. */
  readonly json: { readonly schema: JsonObject | null } | null;
  readonly idempotencyKey: string;
  readonly timeoutMs: number;
  /** Longest text that is taken, characters. */
  readonly maxTextLength: number;
}

/** Tokens as the provider counts them. */
export interface ReportedUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Those of the input that the provider had in its own cache. */
  readonly cachedInputTokens: number;
}

/** An error of a call. */
export interface ChatError {
  readonly type: ModelErrorType;
  readonly message: string;
  /** The header `Retry-After`; empty: there was none. */
  readonly retryAfter: string;
}

/** How a call ended. */
export interface ChatEnd {
  /** What the model has written, complete or not. */
  readonly text: string;
  /** Null: the provider reported nothing. */
  readonly usage: ReportedUsage | null;
  /** As the provider says it; null: it did not. */
  readonly finishReason: string | null;
  /** Null: the answer is complete. */
  readonly error: ChatError | null;
  /**
   * How far it got: `unsent`: not a byte was sent. `refused`: the provider answered with an error. `open`: the
   * answer, if there was one, has begun.
   */
  readonly reached: "unsent" | "refused" | "open";
}

/** What the service says. */
export type ModelRequest =
  | { readonly type: "call"; readonly id: number; readonly call: ChatCall }
  | { readonly type: "stop"; readonly id: number };

/** What the process says. */
export type ModelMessage =
  /** The next part of the text. */
  | { readonly type: "text"; readonly id: number; readonly text: string }
  | { readonly type: "ended"; readonly id: number; readonly end: ChatEnd }
  | { readonly type: "memory"; readonly residentBytes: number };
