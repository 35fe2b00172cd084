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
import { type Answer, checkNames, type Exchange, readObject } from "./exchange.ts";
import { cancelExecution, getExecution, getStatus, LIST_NAMES, listExecutions } from "./executions.ts";
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
  /** Names that its query may have; null: any. */
  readonly names: readonly string[] | null;
  readonly handle: (exchange: Exchange) => Promise<Answer>;
}

/** How long a body may take to arrive, milliseconds. */
const BODY_MS = 30_000;

const JSON_TYPE = "application/json; charset=utf-8";

/** Creates the routes. */
export function createWorkflowRoutes(parts: WorkflowParts): ForeignRoutes {
  const one = "/api/v1/workflows/([^/]+)";
  const none: readonly string[] = [];
  // What probes and pages add to the first two, against caches for instance, changes nothing.
  const routes: readonly Route[] = [
    { verb: "GET", path: /^\/health$/, names: null, handle: getHealth },
    { verb: "GET", path: /^\/status$/, names: null, handle: (exchange) => getServiceStatus(exchange, parts) },
    { verb: "POST", path: /^\/api\/v1\/workflows$/, names: none, handle: startExecution },
    { verb: "GET", path: /^\/api\/v1\/workflows$/, names: LIST_NAMES, handle: listExecutions },
    { verb: "GET", path: new RegExp(`^${one}$`), names: none, handle: getExecution },
    { verb: "DELETE", path: new RegExp(`^${one}$`), names: none, handle: cancelExecution },
    { verb: "GET", path: new RegExp(`^${one}/status$`), names: none, handle: getStatus },
    { verb: "POST", path: new RegExp(`^${one}/cancel$`), names: none, handle: cancelExecution },
    { verb: "GET", path: /^\/api\/v1\/templates$/, names: ["category"], handle: listTemplates },
    { verb: "GET", path: /^\/api\/v1\/templates\/([^/]+)$/, names: none, handle: getTemplate },
  ];
  const serve = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const [path = "", query = ""] = (request.raw.url ?? "/").split(/\?(.*)/s);
    const verb = request.method === "HEAD" ? "GET" : request.method;
    const route = routes.find((each) => each.verb === verb && each.path.test(path));
    if (route === undefined) {
      reply.callNotFound();
      return reply;
    }
    const asked = new URLSearchParams(query);
    if (route.names !== null) checkNames(asked, route.names);
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
      query: asked,
      idempotencyKey: String(request.headers["idempotency-key"] ?? ""),
      body: () => bodyOf(request, parts.maxMessageBytes),
    });
    return reply.code(status).header("content-type", JSON_TYPE).send(text);
  };
  return {
    // With a slash too many, or without the rest, they are meant as well.
    owns: (path) => /^\/+(api|health|status)(\/|$)/.test(path),
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
