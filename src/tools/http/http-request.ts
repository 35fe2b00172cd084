/** Builds a request from the parameters of an `http` task and rejects everything that could smuggle a second one. */
import { isIP } from "node:net";
import type { Json } from "../../base/json/json.ts";
import { headerProblem, toHeaderText } from "../../base/net/header-rules.ts";
import { HOPS_HEADER } from "../../base/net/hops.ts";
import { toTraceFields } from "../../base/traces/trace-context.ts";
import type { ToolCall } from "../../engine/ports/tools.ts";

/** How the body of a response is read. */
export type ResponseMode = "auto" | "json" | "text" | "none";

/** Parameters of an `http` task that have passed their schema (`tasks/http.ts`). */
export interface HttpParameters {
  readonly url?: string;
  readonly service?: string;
  readonly path?: string;
  readonly method?: string;
  readonly query?: Readonly<Record<string, QueryValue | readonly QueryValue[]>>;
  readonly headers?: Readonly<Record<string, string | number | boolean>>;
  readonly body?: Json;
  readonly text?: string;
  readonly expect_status?: ExpectedStatus | readonly ExpectedStatus[];
  readonly full_response?: boolean;
  readonly retry_after?: "follow" | "ignore";
  readonly response?: ResponseMode | { readonly body?: ResponseMode; readonly integers?: "text" | "number" | "error" };
}

/** A status, or a class of them: `2xx`. */
type ExpectedStatus = number | string;

type QueryValue = string | number | boolean | null;

/** A request that is ready to send. */
export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  /** Header names are in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** The parameters cannot be sent; the message has the reason. */
export class RequestRefused extends Error {}

const CONTROLS = /[\u0000-\u0020\u007f]/;

/** Builds the request of an attempt to `url`; `own` headers replace those of the task. Throws RequestRefused. */
export function buildRequest(call: ToolCall, url: URL, own: Readonly<Record<string, string>> = {}): HttpRequest {
  const parameters = call.input as unknown as HttpParameters;
  addQuery(url, parameters.query ?? {});
  const body = parameters.body !== undefined ? JSON.stringify(parameters.body) : (parameters.text ?? null);
  const headers: Record<string, string> = {
    "user-agent": "orchestrator",
    accept: "application/json, text/*;q=0.9, */*;q=0.5",
    "accept-encoding": "gzip, deflate, br",
    ...(parameters.body !== undefined && { "content-type": "application/json" }),
    ...(parameters.text !== undefined && { "content-type": "text/plain; charset=utf-8" }),
    "idempotency-key": toHeaderText(call.idempotencyKey),
    ...toHeaders(parameters.headers ?? {}),
    ...toHeaders(own),
    "x-orchestrator-run-id": toHeaderText(call.runId),
    "x-orchestrator-task": toHeaderText(call.path),
    "x-orchestrator-attempt": String(call.attempt),
    "x-orchestrator-fencing-token": String(call.fencingToken),
    [HOPS_HEADER]: String((call.hops ?? 0) + 1),
    ...toTraceFields(call.traceContext?.()),
  };
  if (call.correlationId !== "") headers["x-correlation-id"] ??= toHeaderText(call.correlationId);
  const method = parameters.method ?? (body === null ? "GET" : "POST");
  if (body !== null && (method === "GET" || method === "HEAD")) throw new RequestRefused(`${method} carries no body`);
  return { method, url, headers, body };
}

/**
 * Parses a URL. Throws RequestRefused for schemes other than http and https, for credentials, and for whitespace or
 * control characters, which parsers silently drop.
 */
export function parseUrl(text: string, base?: URL): URL {
  if (CONTROLS.test(text)) throw new RequestRefused("the URL holds blanks or control characters; encode them (%20)");
  const url = URL.parse(text, base?.href);
  if (url === null) throw new RequestRefused(`"${shorten(text)}" is not an absolute URL`);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new RequestRefused(`${url.protocol} URLs are not called, only http: and https:`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new RequestRefused("the URL holds credentials; send them in an Authorization header");
  }
  if (isIP(url.hostname) === 0 && url.hostname.includes("%"))
    throw new RequestRefused("the host of the URL is not a name");
  url.hash = "";
  return url;
}

/** Host and port of a URL in the form that the address policy takes. */
export function destinationOf(url: URL): { host: string; port: number; secure: boolean } {
  const secure = url.protocol === "https:";
  const host = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
  return { host, port: url.port === "" ? (secure ? 443 : 80) : Number(url.port), secure };
}

function addQuery(url: URL, query: NonNullable<HttpParameters["query"]>): void {
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== null) url.searchParams.append(name, String(one));
  }
}

function toHeaders(given: Readonly<Record<string, string | number | boolean>>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    const text = String(value);
    const problem = headerProblem(name, text);
    if (problem !== null) throw new RequestRefused(problem);
    headers[name.toLowerCase()] = text;
  }
  return headers;
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
