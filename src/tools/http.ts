/**
 * `http`: one request to a web service, redirects included.
 *
 *   parameters → request (refused: REQUEST_INVALID) → connection (address refused: ADDRESS_REFUSED; none made: no effect, retried)
 *     → answer → redirect (a few, each judged anew) or status → body (bounded, unpacked, JSON or text) → output
 *
 * What is retried: no connection, a connection that broke, a timeout, 408, 425, 5xx, an answer that cannot be read. 429 is put off. Nothing else.
 */

import type { LookupFunction } from "node:net";
import type { Agent, Dispatcher } from "undici";
import type { Clock } from "../base/clock.ts";
import type { Json, JsonObject } from "../base/json.ts";
import type { Outcome } from "../engine/machine/events.ts";
import type { ToolCall } from "../engine/tool-port.ts";
import type { RemoteAdapter } from "./adapter.ts";
import { createAddressPolicy, type HttpToolPolicy } from "./address-policy.ts";
import { createGuardedConnector } from "./guarded-connect.ts";
import { type AnswerHeaders, AnswerRefused, decodeBody, readBody, readExcerpt } from "./http-body.ts";
import { failureOutcome, type Progress, statusOutcome, statusType } from "./http-failure.ts";
import { DEFAULT_MAX_REDIRECTS, redirect } from "./http-redirect.ts";
import { buildRequest, destinationOf, type HttpParameters, type HttpRequest, originOf } from "./http-request.ts";

/** What {@link createHttpAdapter} needs. */
export interface HttpAdapterOptions {
  readonly policy: HttpToolPolicy;
  readonly clock: Clock;
  /** Largest body of an answer, as sent and unpacked, bytes; 4 MiB when absent. */
  readonly maxResponseBytes?: number;
  /** Most redirects that a call follows, each judged like the first address; 3 when absent. */
  readonly maxRedirects?: number;
  /** Resolves names, as `dns.lookup` does; tests give their own. */
  readonly lookup?: LookupFunction;
}

const DEFAULT_MAX_RESPONSE_BYTES = 4 * 1_024 * 1_024;
/** Most of an unexpected answer that is read for its message, bytes, and most that is quoted, characters. */
const MAX_EXCERPT_BYTES = 16_384;
const MAX_EXCERPT_LENGTH = 300;
/** When a call has no timeout of its own: longest silence of the other side, milliseconds. */
const SILENCE_MS = 300_000;

/** Builds the adapter. The HTTP client is loaded with the first call. Throws CONFIG_INVALID for a policy that cannot be read. */
export function createHttpAdapter(options: HttpAdapterOptions): RemoteAdapter {
  const { clock, maxResponseBytes = DEFAULT_MAX_RESPONSE_BYTES, maxRedirects = DEFAULT_MAX_REDIRECTS } = options;
  const policy = createAddressPolicy(options.policy);
  let agent: Promise<Agent> | undefined;

  const openAgent = async (): Promise<Agent> => {
    const undici = await import("undici");
    return new undici.Agent({
      // One pool per origin, each with a connector that knows what it connects to.
      factory: (origin, poolOptions) => {
        const connect = createGuardedConnector(
          undici.buildConnector,
          policy,
          destinationOf(new URL(origin)),
          options.lookup,
        );
        return new undici.Pool(origin, { ...poolOptions, connect });
      },
      allowH2: false,
      maxHeaderSize: 32_768,
    });
  };

  const send = async (request: HttpRequest, call: ToolCall, signal: AbortSignal): Promise<Dispatcher.ResponseData> => {
    agent ??= openAgent();
    const silenceMs = call.timeoutMs === null ? SILENCE_MS : 0;
    const answer = await (await agent).request({
      origin: request.url.origin,
      path: request.url.pathname + request.url.search,
      method: request.method as Dispatcher.HttpMethod,
      headers: request.headers,
      body: request.body,
      signal,
      headersTimeout: silenceMs,
      bodyTimeout: silenceMs,
    });
    // A body that nobody reads any more reports its end as an error, and an error without listener would end the process.
    answer.body.on("error", () => {});
    return answer;
  };

  /** Sends, and follows redirects. Gives the method and the last answer. */
  const exchange = async (
    first: HttpRequest,
    parameters: HttpParameters,
    call: ToolCall,
    progress: Progress,
    signal: AbortSignal,
  ) => {
    let request = first;
    for (let hops = 0; ; hops += 1) {
      progress.where = placeOf(request);
      const answer = await send(request, call, signal);
      progress.answered = true;
      call.heartbeat?.();
      const next = isExpected(answer.statusCode, parameters)
        ? null
        : redirect(request, answer.statusCode, answer.headers);
      if (next === null) return answer;
      // Reads a little so that the connection can be used again; closes it when there is more.
      await answer.body.dump({ limit: MAX_EXCERPT_BYTES, signal });
      if (hops === maxRedirects) throw new AnswerRefused("TOO_MANY_REDIRECTS", `more than ${maxRedirects} redirects`);
      request = next;
    }
  };

  const run = async (call: ToolCall, signal: AbortSignal): Promise<Outcome> => {
    const parameters = call.input as unknown as HttpParameters;
    const progress: Progress = { where: "the request", answered: false };
    try {
      const {
        statusCode: status,
        headers,
        body: stream,
      } = await exchange(buildRequest(call), parameters, call, progress, signal);
      if (!isExpected(status, parameters)) {
        const quote = toQuote(await readExcerpt(stream, headers, MAX_EXCERPT_BYTES));
        const message = `${progress.where} answered ${status} ${statusType(status)}${quote}`;
        return statusOutcome(status, String(headers["retry-after"] ?? ""), clock.now(), message);
      }
      const mode = parameters.response ?? "auto";
      let body: Json = null;
      if (mode === "none") await stream.dump({ limit: MAX_EXCERPT_BYTES, signal });
      else body = decodeBody(await readBody(stream, headers, maxResponseBytes, call.heartbeat), headers, mode);
      const output = parameters.full_response === true ? { status, headers: toOutputHeaders(headers), body } : body;
      return { ok: true, output };
    } catch (error) {
      return failureOutcome(error, progress, signal);
    }
  };

  return {
    type: "http",
    local: false,
    targetOf: (call) => originOf(call.input as unknown as HttpParameters),
    run,
    close: async () => {
      await (await agent)?.close();
    },
  };
}

function isExpected(status: number, { expect_status: expected }: HttpParameters): boolean {
  if (expected === undefined) return status >= 200 && status <= 299;
  return typeof expected === "number" ? status === expected : expected.includes(status);
}

/** Method and place, without the query, which may hold secrets. */
function placeOf({ method, url }: HttpRequest): string {
  return `${method} ${url.origin}${url.pathname}`;
}

function toQuote(text: string): string {
  const clean = text.replaceAll(/[\u0000-\u001f\u007f\ufffd]+/g, " ").trim();
  if (clean === "") return "";
  return `: ${clean.length > MAX_EXCERPT_LENGTH ? `${clean.slice(0, MAX_EXCERPT_LENGTH)}…`.toWellFormed() : clean}`;
}

function toOutputHeaders(headers: AnswerHeaders): JsonObject {
  const output: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) output[name] = typeof value === "string" ? value : value.join(", ");
  }
  return output;
}
