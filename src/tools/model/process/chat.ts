/** One call to a provider, from the request to the last part of the answer. Never rejects. */
import { type ChatPart, type Fetch, streamParts } from "./chat-models.ts";
import type { ChatCall, ChatEnd, ReportedUsage } from "./protocol.ts";
import { type Exchange, readable, toChatError, wasUnsent } from "./provider-error.ts";
import { fetchOnce } from "./provider-fetch.ts";

/** Most bytes of a response, for each character of the text that may come: events of a stream are mostly envelopes. */
const BYTES_PER_CHARACTER = 64;

/** Makes the call. `onText` gets the text as it comes. */
export async function chat(call: ChatCall, stop: AbortSignal, onText: (text: string) => void): Promise<ChatEnd> {
  const controller = new AbortController();
  const exchange: { -readonly [Key in keyof Exchange]: Exchange[Key] } = {
    ...{ isSent: false, status: null, retryAfter: "", tooLong: false, ended: null },
  };
  const end = (why: Exchange["ended"]): void => {
    exchange.ended ??= why;
    controller.abort();
  };
  const onStop = (): void => end("stopped");
  stop.addEventListener("abort", onStop, { once: true });
  if (stop.aborted) onStop();
  const timer = setTimeout(() => end("timeout"), call.timeoutMs);
  const tooLong = (): void => {
    exchange.tooLong = true;
    controller.abort();
  };
  const fetchIt: Fetch = async (input, init) => {
    const seen = {
      onSent: () => {
        exchange.isSent = true;
      },
      onResponse: ({ status, headers }: Response) => {
        exchange.status = status;
        exchange.retryAfter = headers.get("retry-after") ?? "";
      },
    };
    // The libraries replace this error with one that says less.
    const response = await fetchOnce([input, init], seen).catch((error: unknown) => {
      failure = error;
      throw error;
    });
    return bounded(response, call.maxTextLength * BYTES_PER_CHARACTER, tooLong);
  };
  let failure: unknown;
  let text = "";
  let usage: ReportedUsage | null = null;
  let finishReason: string | null = null;
  try {
    for await (const part of await streamParts(call, fetchIt, controller.signal)) {
      usage = withUsage(usage, part);
      finishReason = finishOf(part) ?? finishReason;
      if (part.text === "") continue;
      text += part.text;
      if (text.length > call.maxTextLength) {
        tooLong();
        break;
      }
      onText(part.text);
    }
    // The library ends its stream in silence when the signal aborts, and when the connection closes early.
    if (exchange.tooLong || exchange.ended !== null || finishReason === null) throw new CutOff("closed");
    return { text, usage, finishReason, error: null, reached: "open" };
  } catch (thrown) {
    const { status, isSent } = exchange;
    const error = toChatError(failure ?? thrown, exchange);
    const isUnsent = status === null && (!isSent || wasUnsent(failure));
    const reached = isUnsent ? "unsent" : status !== null && status >= 300 ? "refused" : "open";
    return { text, usage, finishReason, error, reached };
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", onStop);
  }
}

/** The stream ended without saying that the answer is complete. */
class CutOff extends Error {}

/**
 * The count so far. Counts of the output are totals, never increments, so that the last one counts. The sum of the
 * parts, which the library makes, would count the output of an Anthropic stream twice.
 */
function withUsage(before: ReportedUsage | null, { usage_metadata: counted }: ChatPart): ReportedUsage | null {
  if (counted === undefined) return before;
  const { input_tokens: input, output_tokens: output, input_token_details: details } = counted;
  if (!isCount(input) || !isCount(output)) return before;
  return {
    inputTokens: input > 0 ? input : (before?.inputTokens ?? 0),
    outputTokens: output > 0 ? output : (before?.outputTokens ?? 0),
    cachedInputTokens: isCount(details?.cache_read) ? details.cache_read : (before?.cachedInputTokens ?? 0),
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function finishOf({ response_metadata: facts, additional_kwargs: more }: ChatPart): string | null {
  for (const reason of [facts.finish_reason, facts.stop_reason, more.stop_reason])
    if (typeof reason === "string" && reason !== "") return readable(reason, 100);
  return null;
}

/** The response with at most `maxBytes` of its body. */
function bounded(response: Response, maxBytes: number, onExcess: () => void): Response {
  if (response.body === null) return response;
  let bytes = 0;
  const count = new TransformStream<Uint8Array, Uint8Array>({
    transform(part, controller) {
      bytes += part.byteLength;
      if (bytes <= maxBytes) controller.enqueue(part);
      else {
        onExcess();
        controller.error(new CutOff("closed"));
      }
    },
  });
  return new Response(response.body.pipeThrough(count), response);
}
