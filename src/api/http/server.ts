/** The HTTP/1.1 side of the port: probes, the root, and what the other protocols add. It never listens: the front hands it connections. */
import type { Server } from "node:http";
import { createServer, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { fastify } from "fastify";
import { fail, type OrchestratorError, toError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { classifyError } from "../errors.ts";
import type { HealthState } from "../health.ts";
import { toRequestId } from "../request-id.ts";
import type { Cors } from "./cors.ts";
import { isRpcPath, toWireError } from "./wire-error.ts";

/** What is counted of HTTP requests. */
export interface HttpMetrics {
  requested(method: string, route: string, status: number, seconds: number): void;
}

/** Name and version of the service, and where things are. */
export interface ServiceInfo {
  readonly service: string;
  readonly version: string;
}

/** What the HTTP side stands on. */
export interface HttpParts {
  readonly health: HealthState;
  readonly cors: Cors;
  readonly info: ServiceInfo;
  readonly log: Log;
  readonly metrics: HttpMetrics;
  /** Largest body in bytes. */
  readonly maxMessageBytes: number;
}

/** The HTTP side of the port. */
export interface HttpServer {
  readonly app: FastifyInstance;
  /** Makes it ready for connections; routes must be added before. */
  ready(): Promise<void>;
  /** Takes over a connection. */
  accept(socket: Socket): void;
  /** Closes the connections that have no request in hand. Called again and again while the port drains. */
  closeIdle(): void;
  /** Breaks off what is left and runs the hooks of the routes. */
  close(): Promise<void>;
}

/** Largest head of a request, bytes. */
const MAX_HEAD_BYTES = 16_384;

/** Builds the HTTP side with its probes. */
export function createHttpServer(parts: HttpParts): HttpServer {
  let server: Server | undefined;
  const refuse = (request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply => {
    const error = classifyError(translate(thrown, parts.maxMessageBytes), parts.log, request.url, {
      requestId: request.id,
    });
    const answer = toWireError(error, request.id, pathOf(request), request.headers["content-type"]);
    return reply.code(answer.status).headers(answer.headers).send(answer.body);
  };
  const app = fastify({
    logger: false,
    bodyLimit: parts.maxMessageBytes,
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
        },
        handler,
      );
      return server;
    },
    frameworkErrors: (error, request, reply) => void refuse(request, reply, error),
    clientErrorHandler: (error, socket) => {
      if (socket.writable) socket.write(printRefusal(brokenRequest(error)));
      socket.destroy();
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, request, reply) => refuse(request, reply, error));
  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request);
    const error = isRpcPath(path)
      ? toError("METHOD_UNIMPLEMENTED", { method: path })
      : toError("ROUTE_NOT_FOUND", { method: request.method, path });
    return refuse(request, reply, error);
  });
  addCors(app, parts.cors);
  addMetrics(app, parts.metrics);
  addProbes(app, parts);
  return {
    app,
    async ready() {
      await app.ready();
      // Node checks the time of requests only on servers that listen; this one is fed, so it is told that it does.
      server?.emit("listening");
    },
    accept: (socket) => void server?.emit("connection", socket),
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
  app.addHook("onResponse", async (request, reply) => {
    metrics.requested(request.method, request.routeOptions.url ?? "other", reply.statusCode, reply.elapsedTime / 1_000);
  });
}

function addProbes(app: FastifyInstance, { health, info }: HttpParts): void {
  app.get("/", async (_request, reply) =>
    reply.header("content-type", "application/json; charset=utf-8").send(
      JSON.stringify({
        name: info.service,
        version: info.version,
        links: {
          info: "/v1/info",
          health: "/v1/health",
          flows: "/v1/flows",
          runs: "/v1/runs",
          approvals: "/v1/approvals",
          templates: "/v1/templates",
          live: "/healthz",
          ready: "/readyz",
        },
      }),
    ),
  );
  app.get("/healthz", async (_request, reply) =>
    reply.header("content-type", "application/json; charset=utf-8").send('{"status":"ok"}'),
  );
  app.get("/readyz", async (_request, reply) => {
    await health.refresh();
    const ready = health.check("") === "SERVING";
    return reply
      .code(ready ? 200 : 503)
      .header("content-type", "application/json; charset=utf-8")
      .send(JSON.stringify({ status: ready ? "ready" : "not ready", missing: health.missing() }));
  });
}

function pathOf(request: FastifyRequest): string {
  return request.url.split("?")[0] ?? "";
}

/** What the parser of HTTP could not read, as an error of the catalogue. There is no request yet, so its protocol is not known. */
function brokenRequest(error: Error & { readonly code?: string }): OrchestratorError {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return toError("HEADERS_TOO_LARGE", { limit: MAX_HEAD_BYTES }, { cause: error });
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return toError("REQUEST_INCOMPLETE", {}, { cause: error });
    default:
      return toError(
        "REQUEST_MALFORMED",
        { problem: `it is not HTTP/1.1 (${error.code ?? "broken"})` },
        { cause: error },
      );
  }
}

/** A whole answer of HTTP/1.1, for connections that end with it. */
function printRefusal(error: OrchestratorError): Buffer {
  const { status, headers, body } = toWireError(error, toRequestId(undefined), "/", undefined);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${body.length}`,
    "connection: close",
  ];
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), body]);
}

/** Errors of the HTTP framework as ours. */
function translate(error: unknown, maxMessageBytes: number): unknown {
  const code = (error as { code?: unknown }).code;
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE")
    return toError("MESSAGE_TOO_LARGE", { direction: "body", limit: maxMessageBytes }, { cause: error });
  if (
    code === "FST_ERR_CTP_INVALID_MEDIA_TYPE" ||
    code === "FST_ERR_CTP_INVALID_CONTENT_LENGTH" ||
    code === "FST_ERR_BAD_URL" ||
    code === "FST_ERR_CTP_EMPTY_TYPE"
  ) {
    return toError("REQUEST_MALFORMED", { problem: (error as Error).message }, { cause: error });
  }
  return error;
}
