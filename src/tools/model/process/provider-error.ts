/** The only place that maps errors of providers and their libraries to errors of tasks. */
import type { ModelErrorType } from "../../../engine/ports/models/questions.ts";
import type { ChatError } from "./protocol.ts";
import { RedirectRefused } from "./provider-fetch.ts";

/** What was seen of the exchange. */
export interface Exchange {
  /** The request was written, at least its first bytes. */
  readonly isSent: boolean;
  /** Status of the response; null: there was none. */
  readonly status: number | null;
  readonly retryAfter: string;
  /** The text was longer than it may be. */
  readonly tooLong: boolean;
  /** Why the call was ended from here: its time was over, or it was told to stop; null: it was not. */
  readonly ended: "timeout" | "stopped" | null;
}

/** Most characters of a provider's own words. */
const MAX_SAID = 1_000;

const CONTEXT = /context_length_exceeded|prompt is too long|maximum context length|context window|too many tokens/i;
const REFUSED = /content_filter|content_policy|content policy|responsible ai/i;
const QUOTA = /insufficient_quota|credit balance|billing/i;
const OVERLOADED = /overloaded/i;

/** Converts what a library threw. */
export function toChatError(error: unknown, exchange: Exchange): ChatError {
  const { status, retryAfter, isSent } = exchange;
  if (exchange.tooLong) return { type: "ANSWER_TOO_LARGE", message: "the answer is longer than it may be", retryAfter };
  if (exchange.ended === "timeout")
    return { type: "TIMEOUT", message: "the provider did not answer in time", retryAfter };
  if (exchange.ended === "stopped")
    return { type: "CONNECTION_LOST", message: "the call was told to stop", retryAfter };
  if (error instanceof RedirectRefused) return { type: "REDIRECT_REFUSED", message: error.message, retryAfter };
  const said = textOf(error);
  if (status === null) {
    const code = codeOf(error);
    const hint = code === "" ? "" : ` (${code})`;
    // Without a code of the system it is the request that is at fault, and another try would fail, too.
    if (!isSent && (code === "" || code === "ERR_INVALID_URL"))
      return { type: "MODEL_REQUEST_INVALID", message: `the call cannot be sent: ${reasonOf(error)}`, retryAfter };
    return !isSent || wasUnsent(error)
      ? { type: "CONNECT_FAILED", message: `no connection to the provider was made${hint}`, retryAfter }
      : { type: "CONNECTION_LOST", message: `the connection ended before the answer${hint}`, retryAfter };
  }
  const type = status < 300 ? typeInStream(error, said) : typeOfStatus(status, said);
  const where = status < 300 ? SENTENCES[type] : `the provider answered ${status}`;
  return { type, message: said === "" ? `${where}` : `${where}: ${said}`, retryAfter };
}

const SENTENCES: Partial<Record<ModelErrorType, string>> = {
  STREAM_CUT: "the answer was cut off",
  ANSWER_UNREADABLE: "the answer of the provider cannot be read",
  MODEL_OVERLOADED: "the provider is overloaded",
  MODEL_FAILED: "the provider failed",
};

/** Whether it is proven that the provider got nothing. */
export function wasUnsent(error: unknown): boolean {
  return /^(ECONNREFUSED|ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|ERR_INVALID_URL)/.test(
    codeOf(error),
  );
}

function typeOfStatus(status: number, said: string): ModelErrorType {
  if (status === 402 || (status === 429 && QUOTA.test(said))) return "MODEL_QUOTA_EXCEEDED";
  if (status === 429) return "TOO_MANY_REQUESTS";
  if (status === 503 || status === 529 || OVERLOADED.test(said)) return "MODEL_OVERLOADED";
  if (status >= 500 || status === 408 || status === 425) return "MODEL_FAILED";
  if (status === 401 || status === 403) return "MODEL_UNAUTHORIZED";
  if (status === 404) return "MODEL_NOT_FOUND";
  if (CONTEXT.test(said)) return "CONTEXT_TOO_LONG";
  if (REFUSED.test(said)) return "CONTENT_REFUSED";
  return status === 400 && QUOTA.test(said) ? "MODEL_QUOTA_EXCEEDED" : "MODEL_REQUEST_INVALID";
}

/** The response began well. */
function typeInStream(error: unknown, said: string): ModelErrorType {
  if (OVERLOADED.test(said)) return "MODEL_OVERLOADED";
  if (error instanceof SyntaxError || /JSON/.test(said)) return "ANSWER_UNREADABLE";
  if (codeOf(error) !== "" || /terminated|premature|aborted|closed|socket/i.test(said)) return "STREAM_CUT";
  // An event of the stream that says that the provider failed.
  if (bodyOf(error) !== null) return CONTEXT.test(said) ? "CONTEXT_TOO_LONG" : "MODEL_FAILED";
  return "ANSWER_UNREADABLE";
}

/** The provider's own words: the message in the body of its error, or that of the library. */
function textOf(error: unknown): string {
  const body = bodyOf(error);
  const inner = typeof body?.error === "object" && body.error !== null ? (body.error as Words) : body;
  const words = [inner?.code, inner?.type, inner?.message].filter((word) => typeof word === "string" && word !== "");
  const text = words.length > 0 ? words.join(": ") : error instanceof Error ? error.message : String(error);
  return readable(text, MAX_SAID);
}

/** Words of a provider in a line of at most `most` characters, without what no text may hold. */
export function readable(text: string, most: number): string {
  return text
    .replaceAll(/[\s\p{Cc}]+/gu, " ")
    .slice(0, most)
    .toWellFormed();
}

/** What the first error in the chain of causes says. */
function reasonOf(error: unknown): string {
  let one = error as { readonly cause?: unknown };
  for (let depth = 0; depth < 8 && one?.cause instanceof Error; depth += 1) one = one.cause as typeof one;
  return textOf(one);
}

interface Words {
  readonly error?: unknown;
  readonly code?: unknown;
  readonly type?: unknown;
  readonly message?: unknown;
}

function bodyOf(error: unknown): Words | null {
  const body = (error as { readonly error?: unknown } | null)?.error;
  return typeof body === "object" && body !== null ? (body as Words) : null;
}

/** The first code of the system in the chain of causes. */
function codeOf(error: unknown): string {
  let one = error as { readonly code?: unknown; readonly cause?: unknown } | null | undefined;
  for (let depth = 0; depth < 8 && one !== null && one !== undefined; depth += 1) {
    if (typeof one.code === "string" && /^[A-Z][A-Z0-9_]+$/.test(one.code)) return one.code;
    one = one.cause as typeof one;
  }
  return "";
}
