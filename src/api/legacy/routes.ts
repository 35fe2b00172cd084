/** Serves the paths of a document that was merged into this product. Every handler calls the contract. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { fail, type OrchestratorError, toError } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json/json.ts";
import type { ApiClient } from "../client/client.ts";
import type { LocalCalls } from "../client/local-client.ts";
import { readBody } from "../http/body.ts";
import type { ForeignRoutes } from "../http/foreign-routes.ts";
import { type Answer, checkNames, type Exchange, readKey, readObject } from "./exchange.ts";

export interface ServingParts {
  readonly calls: LocalCalls;
  /** Largest body, bytes. */
  readonly maxMessageBytes: number;
}

/** A method of a path. */
export interface Route {
  readonly verb: "GET" | "POST" | "DELETE";
  readonly path: RegExp;
  /** Names that its query may have; null: any. */
  readonly names: readonly string[] | null;
  readonly handle: (exchange: Exchange) => Promise<Answer>;
}

/** The paths of a document. */
export interface RouteFamily {
  readonly routes: readonly Route[];
  /** All paths of the routes, as Fastify writes them. */
  readonly places: readonly string[];
  /** As in {@link ForeignRoutes}. */
  owns(path: string): boolean;
  /** The document's form of an error. */
  printError(error: OrchestratorError): Answer;
}

/** How long a body may take to arrive, milliseconds. */
const BODY_MS = 30_000;

const JSON_TYPE = "application/json; charset=utf-8";

/** Creates the routes of a document. */
export function createForeignRoutes(
  { calls, maxMessageBytes }: ServingParts,
  { routes, places, owns, printError }: RouteFamily,
): ForeignRoutes {
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
    const client = calls({ get: (name) => (name === "x-request-id" ? request.id : request.headers[name]) });
    const { status, text } = await route.handle({
      client: withSignal(client, left.signal),
      params: (route.path.exec(path) ?? []).slice(1).map(decodeURIComponent),
      query: asked,
      idempotencyKey: readKey(request.headers["idempotency-key"]),
      body: () => bodyOf(request, maxMessageBytes),
    });
    return reply.code(status).header("content-type", JSON_TYPE).send(text);
  };
  return {
    owns,
    allow: (path) => {
      const verbs = routes.filter((route) => route.path.test(path)).map((route) => route.verb);
      return [...new Set(verbs.flatMap((verb) => (verb === "GET" ? [verb, "HEAD"] : [verb])))];
    },
    printError: (error) => {
      const { status, text } = printError(error);
      return { status, headers: { "content-type": JSON_TYPE }, body: Buffer.from(text) };
    },
    serve(http) {
      for (const place of places) http.all(place, serve);
    },
  };
}

function withSignal(client: ApiClient, signal: AbortSignal): ApiClient {
  return {
    ...client,
    call: (method, request, options) => client.call(method, request, { ...options, signal }),
    stream: (method, request, options) => client.stream(method, request, { ...options, signal }),
  };
}

async function bodyOf(request: FastifyRequest, maxBytes: number): Promise<JsonObject | null> {
  const late = () => toError("REQUEST_INCOMPLETE");
  const bytes = await readBody(request.raw, maxBytes, { ms: BODY_MS, late });
  const type = request.headers["content-type"] ?? "";
  // Pages can send other types to any address without being asked.
  if (bytes.length > 0 && !/^application\/json\s*(;|$)/i.test(type))
    fail("PROTOCOL_UNSUPPORTED", {
      problem: 'the body must be JSON: send the header "content-type: application/json"',
    });
  return bytes.length === 0 ? null : readObject(bytes, maxBytes);
}
