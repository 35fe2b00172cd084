/**
 * `http`: one request to a web service, redirects included.
 *
 *   parameters → request (refused: REQUEST_INVALID)
 *     → connection (address refused: ADDRESS_REFUSED; none made: no effect, retried)
 *     → response → redirect (a few, each checked again) or status → body (limited, decompressed, JSON or text) → output
 *
 * Retried: no connection, a broken connection, a timeout, 408, 425, 429, 5xx, a response that cannot be read. Nothing
 * else.
 */

import type { IncomingMessage } from "node:http";
import type { LookupFunction } from "node:net";
import { statusType } from "../../base/http-status.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import type { Clock } from "../../base/time/clock.ts";
import type { Outcome, ToolCall } from "../../engine/ports/tools.ts";
import type { RemoteAdapter } from "../adapter.ts";
import { createAddressPolicy, type HttpToolPolicy } from "./address-policy.ts";
import { hideCallbackUrl, putCallbackUrl } from "./callback-url.ts";
import { AnswerRefused, decodeBody, discardBody, readBody, readExcerpt } from "./http-body.ts";
import { createHttpClient } from "./http-client.ts";
import { failureOutcome, type Progress, statusOutcome } from "./http-failure.ts";
import { type AnswerHeaders, readHeaders } from "./http-headers.ts";
import { DEFAULT_MAX_REDIRECTS, redirect } from "./http-redirect.ts";
import { buildRequest, type HttpParameters, type HttpRequest, originOf } from "./http-request.ts";

export interface HttpAdapterOptions {
  readonly policy: HttpToolPolicy;
  readonly clock: Clock;
  /** Maximum size of a response body, both as sent and decompressed, bytes; 4 MiB by default. */
  readonly maxResponseBytes?: number;
  /** Maximum number of redirects that a call follows, each checked like the first address; 3 by default. */
  readonly maxRedirects?: number;
  /** Resolves names, as `dns.lookup` does; tests pass their own. */
  readonly lookup?: LookupFunction;
}

const DEFAULT_MAX_RESPONSE_BYTES = 4 * 1_024 * 1_024;
/** How much of an unexpected response is read for its message, bytes, and how much is quoted, characters. */
const MAX_EXCERPT_BYTES = 16_384;
const MAX_EXCERPT_LENGTH = 300;
/** Maximum silence of the peer for calls without a timeout of their own, milliseconds. */
const SILENCE_MS = 300_000;

/** Creates the adapter. Throws CONFIG_INVALID for an invalid policy. */
export function createHttpAdapter(options: HttpAdapterOptions): RemoteAdapter {
  const { clock, maxResponseBytes = DEFAULT_MAX_RESPONSE_BYTES, maxRedirects = DEFAULT_MAX_REDIRECTS } = options;
  const client = createHttpClient(createAddressPolicy(options.policy), options.lookup);

  /** Sends a request and follows redirects. Resolves with the last response, its body unread. */
  const exchange = async (
    first: HttpRequest,
    parameters: HttpParameters,
    call: ToolCall,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<Answer> => {
    let request = first;
    const silenceMs = call.timeoutMs === null ? SILENCE_MS : 0;
    for (let hops = 0; ; hops += 1) {
      progress.where = placeOf(request);
      const stream = await client.send(request, { signal, silenceMs });
      const answer = { status: stream.statusCode ?? 0, headers: readHeaders(stream.headers), stream };
      progress.answered = true;
      call.heartbeat?.();
      const next = isExpected(answer.status, parameters) ? null : redirect(request, answer.status, answer.headers);
      if (next === null) return answer;
      // Reads a little so that the connection can be reused; closes it if there is more.
      await discardBody(stream, MAX_EXCERPT_BYTES);
      if (hops === maxRedirects) throw new AnswerRefused("TOO_MANY_REDIRECTS", `more than ${maxRedirects} redirects`);
      request = next;
    }
  };

  const run = async (call: ToolCall, signal: AbortSignal): Promise<Outcome> => {
    const { callbackUrl } = call;
    if (callbackUrl === undefined) return attempt(call, signal);
    const outcome = await attempt({ ...call, input: putCallbackUrl(call.input, callbackUrl) }, signal);
    return hideCallbackUrl(outcome, callbackUrl);
  };

  const attempt = async (call: ToolCall, signal: AbortSignal): Promise<Outcome> => {
    const parameters = call.input as unknown as HttpParameters;
    const progress: Progress = { where: "the request", answered: false };
    try {
      const { status, headers, stream } = await exchange(buildRequest(call), parameters, call, progress, signal);
      if (!isExpected(status, parameters)) {
        const quote = toQuote(await readExcerpt(stream, headers, MAX_EXCERPT_BYTES));
        const message = `${progress.where} answered ${status} ${statusType(status)}${quote}`;
        return statusOutcome(status, String(headers["retry-after"] ?? ""), clock.now(), message);
      }
      if (call.callbackUrl !== undefined) {
        // The result comes later.
        await discardBody(stream, MAX_EXCERPT_BYTES);
        return { ok: true, output: null };
      }
      const { response = "auto" } = parameters;
      const { body: mode = "auto", integers } = typeof response === "string" ? { body: response } : response;
      let body: Json = null;
      if (mode === "none") await discardBody(stream, MAX_EXCERPT_BYTES);
      else
        body = decodeBody(await readBody(stream, headers, maxResponseBytes, call.heartbeat), headers, mode, integers);
      const output = parameters.full_response === true ? { status, headers: toOutputHeaders(headers), body } : body;
      return { ok: true, output };
    } catch (error) {
      return failureOutcome(error, progress, signal);
    }
  };

  return {
    type: "http",
    local: false,
    originOf: (call) => originOf(call.input as unknown as HttpParameters),
    run,
    close: async () => client.close(),
  };
}

/** A response whose body is still unread. */
interface Answer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly stream: IncomingMessage;
}

function isExpected(status: number, { expect_status: expected }: HttpParameters): boolean {
  if (expected === undefined) return status >= 200 && status <= 299;
  return typeof expected === "number" ? status === expected : expected.includes(status);
}

/** Method and URL without the query, which may contain secrets. */
function placeOf({ method, url }: HttpRequest): string {
  return `${method} ${url.origin}${url.pathname}`;
}

function toQuote(text: string): string {
  const clean = text.replaceAll(/[\u0000-\u001f\u007f\ufffd]+/g, " ").trim();
  if (clean === "") return "";
  return `: ${clean.length > MAX_EXCERPT_LENGTH ? `${clean.slice(0, MAX_EXCERPT_LENGTH)}…`.toWellFormed() : clean}`;
}

/**
 * Headers as they appear in the output: each name once, with its values joined. `set-cookie`, whose values cannot be
 * joined, is always a list.
 */
function toOutputHeaders(headers: AnswerHeaders): JsonObject {
  const output: Record<string, Json> = Object.create(null) as Record<string, Json>;
  for (const [name, value] of Object.entries(headers)) output[name] = typeof value === "string" ? value : [...value];
  return output;
}
