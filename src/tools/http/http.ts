/**
 * `http`: one request to a web service, redirects included.
 *
 *   parameters → request (refused: REQUEST_INVALID)
 *     → connection (address refused: ADDRESS_REFUSED; none made: no effect, retried)
 *     → response → redirect (a few, each checked again) or status → body (limited, decompressed, JSON or text) → output
 *
 * Retried: no connection, a broken connection, a timeout, 408, 425, 429, 5xx but for 508, a response that cannot be
 * read. Nothing else.
 */
import type { IncomingMessage } from "node:http";
import { isIP, type LookupFunction } from "node:net";
import { isOrchestratorError } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { statusType } from "../../base/net/http-status.ts";
import { originOf } from "../../base/net/origin.ts";
import type { Clock } from "../../base/time/clock.ts";
import type { Outcome, ToolCall } from "../../engine/ports/tools.ts";
import type { RemoteAdapter } from "../adapter.ts";
import type { Contacts } from "../services/contacts.ts";
import { type NamedService, type ServiceDirectory, ServiceMissing } from "../services/directory.ts";
import { createAddressPolicy, type HttpToolPolicy } from "./address-policy.ts";
import { hideCallbackUrl, putCallbackUrl } from "./callback-url.ts";
import { AnswerRefused, decodeBody, discardBody, jsonOf, readBody, readExcerpt } from "./http-body.ts";
import { createHttpClient, type HttpClient } from "./http-client.ts";
import { failureOutcome, type Progress, statusOutcome } from "./http-failure.ts";
import { type AnswerHeaders, readHeaders } from "./http-headers.ts";
import { DEFAULT_MAX_REDIRECTS, redirect } from "./http-redirect.ts";
import { buildRequest, destinationOf, type HttpParameters, type HttpRequest, parseUrl } from "./http-request.ts";
import { urlAt } from "./service-url.ts";

export interface HttpAdapterOptions {
  readonly policy: HttpToolPolicy;
  /** Services that tasks name; none by default. */
  readonly services?: ServiceDirectory;
  /** Is told of calls of services. */
  readonly contacts?: Contacts;
  /** Which addresses services of a registry may have; by default those that any task may call. */
  readonly registryPolicy?: HttpToolPolicy;
  /** The same for services that calls put. */
  readonly callPolicy?: HttpToolPolicy;
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

/** Names of services in one message. */
const MOST_NAMED = 20;

const NO_SERVICES: ServiceDirectory = { find: () => null, names: () => [] };

/** Creates the adapter. Throws CONFIG_INVALID for an invalid policy. */
export function createHttpAdapter(options: HttpAdapterOptions): RemoteAdapter {
  const { clock, maxResponseBytes = DEFAULT_MAX_RESPONSE_BYTES, maxRedirects = DEFAULT_MAX_REDIRECTS } = options;
  const { policy, services = NO_SERVICES, contacts, registryPolicy = policy, callPolicy = policy, lookup } = options;
  // Each has connections of its own: a flow that writes the address of a service gets none that was made for it.
  const open = (allowed: HttpToolPolicy): HttpClient => createHttpClient(createAddressPolicy(allowed), lookup);
  const clients = {
    url: open(policy),
    configuration: open(withServices(policy, services)),
    registry: open(registryPolicy),
    call: open(callPolicy),
  };

  /** Where the call goes. Throws RequestRefused and {@link ServiceMissing}. */
  const routeOf = async (call: ToolCall): Promise<Route> => {
    const { url, service: name, path = "/" } = call.input as unknown as HttpParameters;
    if (name === undefined)
      return { request: buildRequest(call, parseUrl(url ?? "")), client: clients.url, service: null };
    const service = services.find(name, call.tenantId) ?? (await findLate(services, name, call));
    if (service === null)
      throw new ServiceMissing(`there is no service ${name}${knownNames(services.names(call.tenantId))}`);
    const request = buildRequest(call, urlAt(service, path), await service.headers());
    return { request, client: clients[service.source], service };
  };

  /** Sends a request and follows redirects. Resolves with the last response, its body unread. */
  const exchange = async (
    { request: first, client, service }: Route,
    parameters: HttpParameters,
    call: ToolCall,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<Answer> => {
    let request = first;
    const bound = service !== null ? "service" : call.approvedCall !== undefined ? "approval" : null;
    const silenceMs = call.timeoutMs === null ? SILENCE_MS : 0;
    for (let hops = 0; ; hops += 1) {
      progress.where = placeOf(request);
      // What a redirect or a callback URL makes of the target was not known to the gate.
      const refusal = service === null ? (call.refuseOrigin?.(request.url.origin) ?? null) : null;
      if (refusal !== null) throw new AnswerRefused("GATE_DENIED", refusal);
      const stream = await client.send(request, { signal, silenceMs });
      const { url, method } = request;
      call.describe?.(method, {
        "http.request.method": method,
        "server.address": url.hostname,
        "server.port": destinationOf(url).port,
        "url.scheme": url.protocol.slice(0, -1),
        "http.response.status_code": stream.statusCode,
        "http.request.resend_count": hops > 0 ? hops : undefined,
        "orchestrator.service.name": service?.name,
      });
      const answer = { status: stream.statusCode ?? 0, url: url.href, headers: readHeaders(stream.headers), stream };
      progress.answered = true;
      call.heartbeat?.();
      const next = isExpected(answer.status, parameters)
        ? null
        : redirect(request, answer.status, answer.headers, bound);
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

  const attempt = async (call: ToolCall, stop: AbortSignal): Promise<Outcome> => {
    const parameters = call.input as unknown as HttpParameters;
    const progress: Progress = { where: "the request", answered: false };
    let signal = stop;
    let called: NamedService | null = null;
    try {
      const route = await routeOf(call);
      const { timeoutMs = null } = route.service ?? {};
      if (timeoutMs !== null) signal = AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]);
      called = route.service;
      const { status, url, headers, stream } = await exchange(route, parameters, call, progress, signal);
      if (called !== null) contacts?.note(called, true);
      if (!isExpected(status, parameters)) {
        const excerpt = await readExcerpt(stream, headers, MAX_EXCERPT_BYTES);
        const quote = toQuote(new TextDecoder().decode(excerpt));
        const message = `${progress.where} answered ${status} ${statusType(status)}${quote}`;
        const retryAfter = parameters.retry_after === "ignore" ? "" : String(headers["retry-after"] ?? "");
        return statusOutcome({ status, retryAfter, now: clock.now(), message, details: jsonOf(excerpt, headers) });
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
      if (parameters.full_response !== true) return { ok: true, output: body };
      return { ok: true, output: { status, url, headers: toOutputHeaders(headers), body } };
    } catch (error) {
      // A secret of the service is missing.
      if (isOrchestratorError(error)) throw error;
      if (called !== null) contacts?.note(called, progress.answered);
      return failureOutcome(error, progress, signal);
    }
  };

  return {
    type: "http",
    local: false,
    isSafe: ({ input }) => isSafeMethod(input as unknown as HttpParameters),
    placeOf: ({ input, tenantId }) => {
      const { url = "", service = "" } = input as unknown as HttpParameters;
      const known = service === "" ? null : services.find(service, tenantId);
      return { service, origin: service === "" ? originOf(url) : (known?.baseUrl.origin ?? "") };
    },
    destinationOf: ({ input, tenantId }) => {
      const { service: name } = input as unknown as HttpParameters;
      const known = name === undefined ? null : services.find(name, tenantId);
      if (known === null) return null;
      return { url: known.baseUrl.href, headers: [...known.headerNames], secrets: [...known.secretNames] };
    },
    run,
    close: async () => {
      for (const client of Object.values(clients)) client.close();
    },
  };
}

/** A registry that has not been read since the start may know the service, or it was put a moment ago. */
async function findLate(services: ServiceDirectory, name: string, call: ToolCall): Promise<NamedService | null> {
  await services.settle?.(call.flowId);
  return services.find(name, call.tenantId);
}

/** As {@link buildRequest} chooses the method. */
function isSafeMethod({ method, body, text }: HttpParameters): boolean {
  const hasBody = body !== undefined || text !== undefined;
  return ["GET", "HEAD", "OPTIONS"].includes(method ?? (hasBody ? "POST" : "GET"));
}

/** Where a call goes, and over which connections. */
interface Route {
  readonly request: HttpRequest;
  readonly client: HttpClient;
  /** Null: the task wrote a URL. */
  readonly service: NamedService | null;
}

/** The policy for services of the configuration: an entry there allows its address. */
export function withServices(policy: HttpToolPolicy, services: ServiceDirectory): HttpToolPolicy {
  const places = services.names(null).flatMap((name) => {
    const service = services.find(name, null);
    return service?.source === "configuration" ? [placeOfUrl(service.baseUrl)] : [];
  });
  return { ...policy, allow: [...policy.allow, ...places] };
}

function placeOfUrl(url: URL): string {
  const { host, port } = destinationOf(url);
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

function knownNames(names: readonly string[]): string {
  if (names.length === 0) return ": none is known (routing.services, routing.registry_url)";
  const some = names.slice(0, MOST_NAMED).join(", ");
  return `; there are: ${some}${names.length > MOST_NAMED ? " and others" : ""}`;
}

/** A response whose body is still unread. */
interface Answer {
  readonly status: number;
  /** Where it came from. */
  readonly url: string;
  readonly headers: AnswerHeaders;
  readonly stream: IncomingMessage;
}

function isExpected(status: number, { expect_status: expected }: HttpParameters): boolean {
  if (expected === undefined) return status >= 200 && status <= 299;
  const all = typeof expected === "object" ? expected : [expected];
  return all.some((one) => (typeof one === "number" ? status === one : `${Math.floor(status / 100)}xx` === one));
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
