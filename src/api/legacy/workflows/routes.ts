/**
 * The REST interface of the workflow service that was merged into this one: paths under `/api/v1`, `/health`, and
 * `/status`, with names in snake_case and errors as `{"error": {"code", "message"}}`. Every handler calls the contract.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { fail, type OrchestratorError, toError } from "../../../base/errors.ts";
import type { JsonObject } from "../../../base/json/json.ts";
import type { ApiClient } from "../../client/client.ts";
import type { LocalCalls } from "../../client/local-client.ts";
import { readBody } from "../../http/body.ts";
import type { ForeignRoutes } from "../../http/foreign-routes.ts";
import { type Answer, type Exchange, readObject } from "./exchange.ts";
import { cancelExecution, getExecution, getStatus, listExecutions } from "./executions.ts";
import { startExecution } from "./start.ts";
import { getHealth, getServiceStatus, type StatusSources } from "./status.ts";
import { getTemplate, listTemplates } from "./templates.ts";

/** What the routes need. */
export interface WorkflowParts extends StatusSources {
  readonly calls: LocalCalls;
  /** Largest body, bytes. */
  readonly maxMessageBytes: number;
}

interface Route {
  readonly verb: "GET" | "POST" | "DELETE";
  readonly path: RegExp;
  readonly handle: (exchange: Exchange) => Promise<Answer>;
}

/** How long a body may take to arrive, milliseconds. */
const BODY_MS = 30_000;

const JSON_TYPE = "application/json; charset=utf-8";

/** Creates the routes. */
export function createWorkflowRoutes(parts: WorkflowParts): ForeignRoutes {
  const one = "/api/v1/workflows/([^/]+)";
  const routes: readonly Route[] = [
    { verb: "GET", path: /^\/health$/, handle: getHealth },
    { verb: "GET", path: /^\/status$/, handle: (exchange) => getServiceStatus(exchange, parts) },
    { verb: "POST", path: /^\/api\/v1\/workflows$/, handle: startExecution },
    { verb: "GET", path: /^\/api\/v1\/workflows$/, handle: listExecutions },
    { verb: "GET", path: new RegExp(`^${one}$`), handle: getExecution },
    { verb: "DELETE", path: new RegExp(`^${one}$`), handle: cancelExecution },
    { verb: "GET", path: new RegExp(`^${one}/status$`), handle: getStatus },
    { verb: "POST", path: new RegExp(`^${one}/cancel$`), handle: cancelExecution },
    { verb: "GET", path: /^\/api\/v1\/templates$/, handle: listTemplates },
    { verb: "GET", path: /^\/api\/v1\/templates\/([^/]+)$/, handle: getTemplate },
  ];
  const serve = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const [path = "", query = ""] = (request.raw.url ?? "/").split(/\?(.*)/s);
    const verb = request.method === "HEAD" ? "GET" : request.method;
    const route = routes.find((each) => each.verb === verb && each.path.test(path));
    if (route === undefined) {
      reply.callNotFound();
      return reply;
    }
    const left = new AbortController();
    reply.raw.on("close", () => left.abort());
    const { status, text } = await route.handle({
      client: withSignal(
        parts.calls({
          get: (name) => (name === "x-request-id" ? request.id : request.headers[name]),
        }),
        left.signal,
      ),
      params: (route.path.exec(path) ?? []).slice(1).map(decodeURIComponent),
      query: new URLSearchParams(query),
      idempotencyKey: String(request.headers["idempotency-key"] ?? ""),
      body: () => bodyOf(request, parts.maxMessageBytes),
    });
    return reply.code(status).header("content-type", JSON_TYPE).send(text);
  };
  return {
    owns: (path) => path === "/health" || path === "/status" || path.startsWith("/api/v1/"),
    allow: (path) => {
      const verbs = routes.filter((route) => route.path.test(path)).map((route) => route.verb);
      return [...new Set(verbs.flatMap((verb) => (verb === "GET" ? [verb, "HEAD"] : [verb])))];
    },
    printError: (error) => ({
      status: error.http,
      headers: { "content-type": JSON_TYPE },
      body: Buffer.from(JSON.stringify({ error: { code: error.code, message: messageOf(error) } })),
    }),
    serve(http) {
      for (const path of ["/health", "/status", "/api/v1/*"]) http.all(path, serve);
    },
  };
}

/** Most problems that a message names. */
const MAX_PROBLEMS = 10;

/** What is wrong, with all problems of the request: the body of an error has no place for a list. */
function messageOf({ message, violations }: OrchestratorError): string {
  const more = violations.slice(1, MAX_PROBLEMS).map(({ field, description }) => `; ${field}: ${description}`);
  const left = violations.length - MAX_PROBLEMS;
  return `${message}${more.join("")}${left > 0 ? `; and ${left} more` : ""}`;
}

function withSignal(client: ApiClient, signal: AbortSignal): ApiClient {
  return { ...client, call: (method, request, options) => client.call(method, request, { ...options, signal }) };
}

async function bodyOf(request: FastifyRequest, maxBytes: number): Promise<JsonObject> {
  const late = () => toError("REQUEST_INCOMPLETE");
  const bytes = await readBody(request.raw, maxBytes, { ms: BODY_MS, late });
  const type = request.headers["content-type"] ?? "";
  // Pages can send other types to any address without being asked.
  if (bytes.length > 0 && !/^application\/json\s*(;|$)/i.test(type))
    fail("PROTOCOL_UNSUPPORTED", {
      problem: 'the body must be JSON: send the header "content-type: application/json"',
    });
  return readObject(bytes, maxBytes);
}
