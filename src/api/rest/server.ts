/** REST over HTTP/1.1: routes of the contract with the same handlers as gRPC. Streams are `text/event-stream`. */
import type { IncomingMessage } from "node:http";
import type { Message } from "@bufbuild/protobuf";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { OrchestratorError } from "../../base/errors.ts";
import { fail } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { ReadPayloadResponse } from "../../gen/orchestrator/v1/payload_service_pb.ts";
import { Call } from "../calls/call.ts";
import { bodyTime, readHttpTimeout } from "../calls/call-timeout.ts";
import type { ServedMethod } from "../calls/methods.ts";
import type { Pipeline } from "../calls/pipeline.ts";
import { readBody } from "../http/body.ts";
import { printMessage } from "../http/print.ts";
import { breakOffUnread, cursorOf, waitForReader } from "../streams/slow-reader.ts";
import { readEvent, takesBytes } from "./event.ts";
import { answersBytes, sendPayload } from "./payload.ts";
import type { RestInput } from "./request.ts";
import { readRestRequest } from "./request.ts";
import type { RestRouter } from "./routes.ts";
import { formatEvent, formatFailure } from "./sse.ts";

export interface RestParts {
  readonly pipeline: Pipeline;
  readonly log: Log;
  /** Largest body, bytes. */
  readonly maxMessageBytes: number;
  /** Largest payload of a request, bytes of JSON. */
  readonly maxPayloadBytes: number;
  /** How long a stream may wait for its reader, milliseconds. */
  readonly slowReaderMs: number;
}

const JSON_TYPE = "application/json; charset=utf-8";

/** Adds the routes under `/v1/`. */
export function serveRest(http: FastifyInstance, router: RestRouter, parts: RestParts): void {
  http.all("/v1/*", async (request, reply) => {
    const path = pathOf(request.raw);
    const found = router.find(request.method === "HEAD" ? "GET" : request.method, path);
    // No HEAD for streams: the headers would take as long as the stream.
    const isServed = "route" in found && (request.method !== "HEAD" || found.route.method.stream === null);
    if (!isServed) {
      reply.callNotFound();
      return reply;
    }
    const timeout = readHttpTimeout((name) => request.headers[name]);
    const body = await readBody(request.raw, parts.maxMessageBytes, bodyTime(timeout.givenMs));
    const isRaw = takesBytes(found.route.method);
    if (!isRaw) checkContentType(request, body);
    const input: RestInput = {
      match: found,
      query: queryOf(request.raw),
      body,
      maxBytes: parts.maxMessageBytes,
      maxPayloadBytes: parts.maxPayloadBytes,
    };
    const { method } = found.route;
    const headers = { get: (name: string) => (name === "x-request-id" ? request.id : request.headers[name]) };
    const call = new Call("rest", timeout.leftMs(), headers);
    request.call = call;
    reply.raw.on("close", () => call.cancel());
    if (method.stream !== null) call.unreadBytes = () => reply.raw.writableLength;
    if (answersBytes(method))
      return sendPayload(
        parts.pipeline.runStream(
          method,
          call,
          () => readRestRequest(input),
          (message) => message as ReadPayloadResponse,
        ),
        request,
        reply,
      );
    if (method.stream !== null) return streamEvents(method, call, input, request, reply, parts);
    const decode = (): Message => (isRaw ? readEvent(input, request.headers) : readRestRequest(input));
    return reply.header("content-type", JSON_TYPE).send(await callUnary(method, call, decode, parts));
  });
}

function callUnary(method: ServedMethod, call: Call, decode: () => Message, parts: RestParts): Promise<string> {
  return new Promise((resolve, reject) => {
    parts.pipeline.runUnary(
      method,
      call,
      decode,
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
  const response = reply.raw;
  let isOpen = false;
  const open = (): void => {
    if (isOpen) return;
    isOpen = true;
    reply.hijack();
    // A write after the reader disconnected emits an error event, which would end the process without a listener.
    response.on("error", () => undefined);
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined) response.setHeader(name, value);
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "x-accel-buffering": "no",
    });
    response.flushHeaders();
  };
  call.onOpened = open;
  try {
    let next = await messages.next();
    open();
    while (next.done !== true) {
      const { text, cursor } = next.value;
      if (!response.write(text)) await waitForReader(response, call, parts.slowReaderMs, cursor);
      next = await messages.next();
    }
  } catch (error) {
    // Before the stream is open, an error determines the status.
    if (!isOpen) throw error;
    response.write(formatFailure(error as OrchestratorError, call.requestId));
  } finally {
    await messages.return?.(undefined);
    if (isOpen) {
      response.end();
      breakOffUnread(response, parts.slowReaderMs, () => response.destroy());
    }
  }
  return reply;
}

/** Resumes a stream from the header that browsers send automatically; a cursor in the request wins. */
function withLastEventId(request: Message, header: string | string[] | undefined): Message {
  const fields = request as unknown as { cursor?: unknown };
  if (typeof header === "string" && header !== "" && fields.cursor === "") fields.cursor = header;
  return request;
}

/** JSON requires its content type: pages can send other types to any address without a preflight. */
function checkContentType(request: FastifyRequest, body: Buffer): void {
  if (body.length === 0) return;
  const type = request.headers["content-type"];
  if (type !== undefined && /^application\/json\s*(;|$)/i.test(type)) return;
  const found = type === undefined ? "nothing" : type.slice(0, 100);
  fail("PROTOCOL_UNSUPPORTED", {
    problem: `the body must be JSON: send the header "content-type: application/json" (it says ${found})`,
  });
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
