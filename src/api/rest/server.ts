/** REST over HTTP/1.1: the routes of the contract on the handlers that gRPC uses. Streams are `text/event-stream`. */
import type { IncomingMessage } from "node:http";
import type { Message } from "@bufbuild/protobuf";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { OrchestratorError } from "../../base/errors.ts";
import { fail } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { Call } from "../call.ts";
import { printMessage } from "../http/print.ts";
import type { ServedMethod } from "../methods.ts";
import type { Pipeline } from "../pipeline.ts";
import { fieldError } from "../read-message.ts";
import { breakOffUnread, cursorOf, waitForReader } from "../slow-reader.ts";
import type { RestInput } from "./request.ts";
import { readRestRequest } from "./request.ts";
import { createRestRouter } from "./routes.ts";
import { formatEvent, formatFailure } from "./sse.ts";

/** What joins REST to the rest. */
export interface RestParts {
  readonly pipeline: Pipeline;
  readonly log: Log;
  /** Largest body in bytes. */
  readonly maxMessageBytes: number;
  /** Time in which the reader of a stream must take something, milliseconds. */
  readonly slowReaderMs: number;
}

const JSON_TYPE = "application/json; charset=utf-8";

/** Adds the routes under `/v1/`. */
export function serveRest(http: FastifyInstance, methods: readonly ServedMethod[], parts: RestParts): void {
  const router = createRestRouter(methods);
  http.all("/v1/*", async (request, reply) => {
    const path = pathOf(request.raw);
    const verb = request.method === "HEAD" ? "GET" : request.method;
    const found = router.find(verb, path);
    if (!("route" in found)) {
      if (found.length === 0) fail("ROUTE_NOT_FOUND", { method: request.method, path });
      refuseVerb(request, reply, path, found);
    }
    // A stream has no end to tell about: its headers alone would take as long as itself.
    if (request.method === "HEAD" && found.route.method.stream !== null) refuseVerb(request, reply, path, [verb]);
    checkContentType(request);
    const input: RestInput = {
      match: found,
      query: queryOf(request.raw),
      body: (request.body as Buffer | undefined) ?? new Uint8Array(),
      maxBytes: parts.maxMessageBytes,
    };
    const { method } = found.route;
    const headers = { get: (name: string) => (name === "x-request-id" ? request.id : request.headers[name]) };
    const call = new Call("rest", timeoutOf(request), headers);
    reply.raw.on("close", () => call.cancel());
    if (method.stream !== null) return streamEvents(method, call, input, request, reply, parts);
    return reply.header("content-type", JSON_TYPE).send(await callUnary(method, call, input, parts));
  });
}

function refuseVerb(request: FastifyRequest, reply: FastifyReply, path: string, verbs: readonly string[]): never {
  const allowed = [...new Set(verbs)].join(", ");
  reply.header("allow", allowed);
  return fail("HTTP_METHOD_NOT_ALLOWED", { method: request.method, path, allowed });
}

function callUnary(method: ServedMethod, call: Call, input: RestInput, parts: RestParts): Promise<string> {
  return new Promise((resolve, reject) => {
    parts.pipeline.runUnary(
      method,
      call,
      () => readRestRequest(input),
      (response) => printMessage(method.desc.output, response),
      (error, text) => (text === null ? reject(error) : resolve(text)),
    );
  });
}

async function streamEvents(
  method: ServedMethod,
  call: Call,
  input: RestInput,
  request: FastifyRequest,
  reply: FastifyReply,
  parts: RestParts,
): Promise<FastifyReply> {
  const decode = (): Message => withLastEventId(readRestRequest(input), request.headers["last-event-id"]);
  const encode = (message: Message) => ({
    text: formatEvent(method.desc.output, message),
    cursor: cursorOf(message),
  });
  const messages = parts.pipeline.runStream(method, call, decode, encode)[Symbol.asyncIterator]();
  // The first frame, or the error in its place, decides the status.
  let next = await messages.next();
  reply.hijack();
  const response = reply.raw;
  // A write to a reader who has gone is an error event: without a listener it would end the process.
  response.on("error", () => undefined);
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) response.setHeader(name, value);
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  try {
    while (next.done !== true) {
      const { text, cursor } = next.value;
      if (!response.write(text)) await waitForReader(response, call, parts.slowReaderMs, cursor);
      next = await messages.next();
    }
  } catch (error) {
    response.write(formatFailure(error as OrchestratorError, call.requestId));
  } finally {
    await messages.return?.(undefined);
    response.end();
    breakOffUnread(response, parts.slowReaderMs, () => response.destroy());
  }
  return reply;
}

/** A stream can be resumed by the header that browsers send by themselves; the request's own cursor wins. */
function withLastEventId(request: Message, header: string | string[] | undefined): Message {
  const fields = request as unknown as { cursor?: unknown };
  if (typeof header === "string" && header !== "" && fields.cursor === "") fields.cursor = header;
  return request;
}

/** JSON must say that it is JSON: pages may send everything else to any address without asking first. */
function checkContentType(request: FastifyRequest): void {
  const body = request.body as Buffer | undefined;
  if (body === undefined || body.length === 0) return;
  const type = request.headers["content-type"];
  if (type !== undefined && /^application\/json\s*(;|$)/i.test(type)) return;
  const found = type === undefined ? "nothing" : type.slice(0, 100);
  fail("PROTOCOL_UNSUPPORTED", {
    problem: `the body must be JSON: send the header "content-type: application/json" (it says ${found})`,
  });
}

/** Time that the caller gives, by the header that Connect uses as well. */
function timeoutOf(request: FastifyRequest): number | undefined {
  const header = request.headers["connect-timeout-ms"] ?? request.headers["x-timeout-ms"];
  if (header === undefined) return undefined;
  if (typeof header !== "string" || !/^\d{1,10}$/.test(header))
    throw fieldError("x-timeout-ms", "must be a number of milliseconds");
  return Number(header);
}

function pathOf(request: IncomingMessage): string {
  const url = request.url ?? "/";
  const query = url.indexOf("?");
  return query < 0 ? url : url.slice(0, query);
}

function queryOf(request: IncomingMessage): URLSearchParams {
  const url = request.url ?? "/";
  const query = url.indexOf("?");
  return new URLSearchParams(query < 0 ? "" : url.slice(query + 1));
}
