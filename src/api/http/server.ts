/**
 * The HTTP/1.1 side of the port: probes, the root, and the routes of the other protocols. It never listens: the front
 * hands it connections.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer, METHODS, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { fastify } from "fastify";
import { fail, type OrchestratorError, toError } from "../../base/errors.ts";
import type { HostRule } from "../../base/host-rule.ts";
import type { Log } from "../../base/log.ts";
import type { Call } from "../calls/call.ts";
import { toRequestId } from "../calls/request-id.ts";
import { classifyError } from "../errors/status.ts";
import type { HealthState } from "../health.ts";
import { endBroken, noteResponse, owesResponse } from "./connection-responses.ts";
import type { Cors } from "./cors.ts";
import type { ForeignRoutes } from "./foreign-routes.ts";
import { watchHalfClosed } from "./half-closed.ts";
import { serveInTurn } from "./in-turn.ts";
import { addProbes, type MetricsText, PROBE_METHODS, probePaths, type ServiceInfo } from "./probes.ts";
import { DATA_HEADERS, isRpcPath, restHeaders, toWireError } from "./wire-error.ts";

export interface HttpMetrics {
  /** `traceId`: the trace of the call that the request made, if it is sampled. */
  requested(method: string, route: string, status: number, seconds: number, traceId?: string): void;
}

declare module "fastify" {
  interface FastifyRequest {
    /** The call that the request makes; null: none, or not yet. */
    call: Call | null;
  }
}

export interface HttpParts {
  readonly health: HealthState;
  readonly cors: Cors;
  readonly hosts: HostRule;
  readonly info: ServiceInfo;
  readonly metricsText: MetricsText | null;
  readonly log: Log;
  readonly metrics: HttpMetrics;
  /** How long a reader may leave what was sent untaken, milliseconds; twice that for a response that has ended. */
  readonly slowReaderMs: number;
  /** HTTP methods of a path, except probes; empty if nothing is served there. */
  readonly allow: (path: string) => readonly string[];
  readonly foreign: readonly ForeignRoutes[];
}

export interface HttpServer {
  readonly app: FastifyInstance;
  /** Prepares for connections; add routes before. */
  ready(): Promise<void>;
  /** Takes over a connection. */
  accept(socket: Socket): void;
  /** Closes connections without requests. Called repeatedly during a drain. */
  closeIdle(): void;
  /** Destroys the remaining connections and runs the close hooks of the routes. */
  close(): Promise<void>;
}

/** Largest request head, bytes. */
const MAX_HEAD_BYTES = 16_384;

/** Creates the HTTP side with its probes. */
export function createHttpServer(parts: HttpParts): HttpServer {
  let server: Server | undefined;
  const broken = new WeakSet<Socket>();
  const refuse = (request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply => {
    const error = classifyError(translate(thrown), parts.log, request.url, { requestId: request.id });
    const path = pathOf(request);
    const foreign = parts.foreign.find((routes) => routes.owns(path));
    if (foreign !== undefined) reply.headers(restHeaders(error));
    const answer = foreign?.printError(error) ?? toWireError(error, request.id, path, request.headers["content-type"]);
    // Do not wait for a request that did not arrive in time.
    if (error.grpc === "DEADLINE_EXCEEDED" && !request.raw.complete) reply.header("connection", "close");
    return reply.code(answer.status).headers(answer.headers).send(answer.body);
  };
  const probes = probePaths(parts);
  const allowOf = (path: string): readonly string[] => (probes.has(path) ? PROBE_METHODS : parts.allow(path));
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    genReqId: (request) => toRequestId(request.headers["x-request-id"]),
    routerOptions: { ignoreTrailingSlash: false, caseSensitive: true, maxParamLength: 1_024 },
    serverFactory: (handler) => {
      server = createServer(
        {
          headersTimeout: 15_000,
          requestTimeout: 120_000,
          keepAliveTimeout: 75_000,
          connectionsCheckingInterval: 5_000,
          maxHeaderSize: MAX_HEAD_BYTES,
          // The rules for hosts reject it with a better message.
          requireHostHeader: false,
        },
        (request, response) => {
          prepare(request, response);
          serveInTurn(request.socket, response, () => handler(request, response));
        },
      );
      // A caller may close its half of the connection after its request. Node has no typed option for it.
      (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
      // RFC 9110, 10.1.1 lets a server ignore unknown expectations; Node would answer 417 without a body.
      server.on("checkExpectation", (request, response) => server?.emit("request", request, response));
      // A connection with a response that nobody takes is broken off; one that waits for a response is not.
      server.setTimeout(2 * parts.slowReaderMs, (socket: Socket) => {
        if (socket.writableLength > 0 || !owesResponse(socket)) socket.destroy();
      });
      server.on("connect", (request, socket) => socket.end(printRefusal(refuseMethod(request.method, "", []))));
      return server;
    },
    frameworkErrors: (error, request, reply) => void refuse(request, reply, error),
    clientErrorHandler: (error, socket) => {
      // Node reports a connection again for each further packet.
      if (broken.has(socket)) return;
      broken.add(socket);
      const refused = brokenRequest(error, allowOf);
      const path = pathOfBroken(error);
      endBroken(
        socket,
        printRefusal(
          refused,
          parts.foreign.find((routes) => routes.owns(path)),
        ),
      );
    },
  });
  // The framework reads no bodies: the protocols do, within the timeout of their calls.
  for (const method of METHODS) if (method !== "CONNECT") app.addHttpMethod(method, { overrideExisting: true });
  app.setErrorHandler((error, request, reply) => refuse(request, reply, error));
  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request);
    const allowed = allowOf(path);
    if (allowed.length > 0) reply.header("allow", allowed.join(", "));
    if (allowed.length > 0 && request.method === "OPTIONS") return reply.code(204).send();
    const error =
      allowed.length === 0 && isRpcPath(path)
        ? toError("METHOD_UNIMPLEMENTED", { method: path })
        : refuseMethod(request.method, path, allowed);
    return refuse(request, reply, error);
  });
  addHeadRules(app, parts.hosts);
  addCodingRule(app);
  addCors(app, parts.cors);
  addMetrics(app, parts.metrics);
  addProbes(app, parts);
  return {
    app,
    async ready() {
      await app.ready();
      // Node checks request timeouts only on listening servers; this one gets its connections from the front.
      server?.emit("listening");
    },
    accept(socket) {
      watchHalfClosed(socket);
      server?.emit("connection", socket);
    },
    closeIdle: () => server?.closeIdleConnections(),
    async close() {
      server?.closeAllConnections();
      await app.close();
    },
  };
}

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

function addCors(app: FastifyInstance, cors: Cors): void {
  app.addHook("onRequest", async (request, reply) => {
    const { origin } = request.headers;
    if (request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined) {
      return reply.code(204).headers(cors.preflightHeaders(origin)).send();
    }
    reply.headers(cors.answerHeaders(origin));
    if (!SAFE_METHODS.has(request.method) && !cors.mayWrite(origin, request.headers.host))
      fail("ORIGIN_REFUSED", { origin: String(origin).slice(0, 200) });
    return undefined;
  });
}

function addMetrics(app: FastifyInstance, metrics: HttpMetrics): void {
  app.decorateRequest("call", null);
  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "other";
    const { traceId } = request.call?.span ?? {};
    metrics.requested(request.method, route, reply.statusCode, reply.elapsedTime / 1_000, traceId);
  });
}

function pathOf(request: FastifyRequest): string {
  return request.url.split("?")[0] ?? "";
}

/** Prepares every response, whichever handler sends it. */
function prepare(request: IncomingMessage, response: ServerResponse): void {
  noteResponse(request.socket, response);
  for (const [name, value] of Object.entries(DATA_HEADERS)) response.setHeader(name, value);
  const { url = "/" } = request;
  // Proxies send an absolute URL; its host replaces the header.
  const found = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url);
  if (found !== null) {
    request.headers.host = found[1] ?? "";
    request.url = found[2]?.startsWith("/") === true ? found[2] : `/${found[2] ?? ""}`;
  }
}

function addHeadRules(app: FastifyInstance, hosts: HostRule): void {
  app.addHook("onRequest", async (request) => {
    const { raw } = request;
    const { host } = raw.headers;
    if (host === undefined && raw.httpVersion !== "1.0")
      fail("REQUEST_MALFORMED", { problem: "HTTP/1.1 requires the header host" });
    if ((raw.headersDistinct.host ?? []).length > 1)
      fail("REQUEST_MALFORMED", { problem: "the header host appears more than once" });
    if (!hosts.allows(host)) fail("HOST_REFUSED", { host: String(host).slice(0, 200) });
    raw.headers.host ??= "localhost";
  });
}

/**
 * Node accepts any list of transfer codings that ends with `chunked`, and would pass on a body that is still compressed
 * (RFC 9112, 6.1).
 */
function addCodingRule(app: FastifyInstance): void {
  app.addHook("onRequest", async (request, reply) => {
    const coding = request.headers["transfer-encoding"];
    if (coding === undefined || /^[ \t]*chunked[ \t]*$/i.test(coding)) return;
    reply.header("connection", "close");
    fail("TRANSFER_CODING_UNKNOWN", { coding: coding.slice(0, 100) });
  });
}

/**
 * The error for an HTTP method: 405 if the path has others, 501 for a method that no path has, otherwise 404 (RFC 9110,
 * 9.1 and 15.5.6).
 */
function refuseMethod(method: string | undefined, path: string, allowed: readonly string[]): OrchestratorError {
  const name = (method ?? "").slice(0, 40);
  if (allowed.length > 0)
    return toError("HTTP_METHOD_NOT_ALLOWED", { method: name, path, allowed: allowed.join(", ") });
  if (!KNOWN_METHODS.has(name)) return toError("HTTP_METHOD_UNKNOWN", { method: name });
  return toError("ROUTE_NOT_FOUND", { method: name, path });
}

/** HTTP methods that some path could have. */
const KNOWN_METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Length of the longest method that the parser knows. */
const LONGEST_METHOD = Math.max(...METHODS.map((method) => method.length));

/** What Node says of a request that its parser could not read, and the packet with it. */
interface BrokenRequest extends Error {
  readonly code?: string;
  readonly rawPacket?: unknown;
  readonly bytesParsed?: number;
}

/** The error for a request that the HTTP parser could not read. Its protocol is not known yet. */
function brokenRequest(error: BrokenRequest, allow: (path: string) => readonly string[]): OrchestratorError {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return toError("HEADERS_TOO_LARGE", { limit: MAX_HEAD_BYTES }, { cause: error });
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return toError("REQUEST_INCOMPLETE", {}, { cause: error });
    case "HPE_INVALID_METHOD": {
      // A method that is valid in RFC 9110 but unknown to the parser. If the error is further into the packet, the
      // packet begins with another request.
      const { rawPacket, bytesParsed = 0 } = error;
      const isFirst = Buffer.isBuffer(rawPacket) && bytesParsed <= LONGEST_METHOD;
      const line = isFirst ? rawPacket.toString("latin1", 0, MAX_HEAD_BYTES) : "";
      const [, method, path] = /^([!#$%&'*+.^_`|~\w-]+) ([^\s?]+)\S* HTTP\/1\.[01]\r?\n/.exec(line) ?? [];
      if (method !== undefined && path !== undefined) return refuseMethod(method, path, allow(path));
    }
  }
  const problem = PARSE_PROBLEMS[error.code ?? ""] ?? "it is not HTTP/1.1";
  return toError("REQUEST_MALFORMED", { problem }, { cause: error });
}

/** The path of a request that could not be read, as far as its first line is there: that before the error. */
function pathOfBroken({ rawPacket, bytesParsed = 0 }: BrokenRequest): string {
  if (!Buffer.isBuffer(rawPacket)) return "";
  const read = rawPacket.toString("latin1");
  const lines = [...read.matchAll(/^[!#$%&'*+.^_`|~\w-]+ (\/[^\s?]*)\S* HTTP\//gm)];
  return lines.findLast(({ index }) => index <= bytesParsed)?.[1] ?? "";
}

/** Messages for the codes of Node's parser. */
const PARSE_PROBLEMS: Readonly<Record<string, string>> = {
  HPE_INVALID_VERSION: "its first line does not end with HTTP/1.0 or HTTP/1.1 and CR LF",
  HPE_INVALID_URL: "its target contains a character that must be percent-encoded",
  HPE_INVALID_HEADER_TOKEN: "a header has no colon, continues on a second line, or contains an invalid character",
  HPE_CR_EXPECTED: "its lines do not end with CR LF",
  HPE_LF_EXPECTED: "its lines do not end with CR LF",
  HPE_INVALID_CONTENT_LENGTH: "content-length is not a whole number of bytes",
  HPE_UNEXPECTED_CONTENT_LENGTH: "content-length appears more than once or together with transfer-encoding",
  HPE_INVALID_TRANSFER_ENCODING: "transfer-encoding appears together with content-length or does not end with chunked",
  HPE_INVALID_CHUNK_SIZE: "the size of a chunk is not a hexadecimal number",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "a chunk has more than 16 KB of extensions",
  HPE_INVALID_EOF_STATE: "it ends before it is complete",
};

/** A complete HTTP/1.1 response for a connection that ends with it. */
function printRefusal(error: OrchestratorError, foreign?: ForeignRoutes): Buffer {
  const { status, headers, body } =
    foreign?.printError(error) ?? toWireError(error, toRequestId(undefined), "/", undefined);
  const { allowed } = error.details;
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    ...Object.entries({ ...DATA_HEADERS, ...headers }).map(([name, value]) => `${name}: ${value}`),
    ...(error.code === "HTTP_METHOD_NOT_ALLOWED" ? [`allow: ${allowed}`] : []),
    `content-length: ${body.length}`,
    "connection: close",
  ];
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), body]);
}

/** Converts errors of the HTTP framework. */
function translate(error: unknown): unknown {
  const code = (error as { code?: unknown }).code;
  if (code === "FST_ERR_BAD_URL")
    return toError("REQUEST_MALFORMED", { problem: "the path is not percent-encoded UTF-8" }, { cause: error });
  if (code === "FST_ERR_MAX_PARAM_LENGTH")
    return toError("REQUEST_MALFORMED", { problem: "a segment of the path is too long" }, { cause: error });
  return error;
}
