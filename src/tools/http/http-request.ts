/** Builds a request from the parameters of an `http` task and rejects everything that could smuggle a second one. */
import { isIP } from "node:net";
import type { Json } from "../../base/json/json.ts";
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
  readonly expect_status?: number | readonly number[];
  readonly full_response?: boolean;
  readonly response?: ResponseMode | { readonly body?: ResponseMode; readonly integers?: "text" | "number" | "error" };
}

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

/** Headers that belong to the connection, or would let a flow impersonate another host. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Visible characters, space, and tab; Latin-1 letters, which header fields may carry as bytes. */
const HEADER_VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;
const CONTROLS = /[\u0000-\u0020\u007f]/;

/** Origin that a call targets; empty if its URL cannot be parsed. */
export function originOf(parameters: HttpParameters): string {
  const url = URL.parse(parameters.url ?? "");
  return url === null || url.host === "" ? "" : url.origin;
}

/** Builds the request of an attempt. Throws RequestRefused. */
export function buildRequest(call: ToolCall): HttpRequest {
  const parameters = call.input as unknown as HttpParameters;
  if (parameters.url === undefined) {
    throw new RequestRefused(`service ${parameters.service ?? ""} is not known: this version calls services by url`);
  }
  const url = parseUrl(parameters.url);
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
    "x-orchestrator-run-id": toHeaderText(call.runId),
    "x-orchestrator-task": toHeaderText(call.path),
    "x-orchestrator-attempt": String(call.attempt),
    "x-orchestrator-fencing-token": String(call.fencingToken),
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
    const lower = name.toLowerCase();
    const text = String(value);
    if (!HEADER_NAME.test(name)) throw new RequestRefused(`"${shorten(name)}" is no name of a header`);
    if (OWN_HEADERS.has(lower)) throw new RequestRefused(`the header ${name} is set by the service`);
    if (!HEADER_VALUE.test(text))
      throw new RequestRefused(`the header ${name} holds characters that headers cannot carry`);
    headers[lower] = text;
  }
  return headers;
}

/** Ids may contain any letter; header fields may not. */
function toHeaderText(id: string): string {
  return HEADER_VALUE.test(id) ? id : encodeURIComponent(id);
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
