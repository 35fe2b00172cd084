/**
 * Connect and gRPC-Web over HTTP/1.1, with the same handlers as gRPC. The library implements the protocols. This file
 * connects them to the pipeline, which decodes the messages, and adds details to the errors that the library creates
 * itself (broken frames, responses over the limit, unknown compression).
 */
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { createRegistry, type Message } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { createConnectRouter, createContextKey, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { compressionGzip, universalRequestFromNodeRequest } from "@connectrpc/connect-node";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { OrchestratorError } from "../../base/errors.ts";
import { isOrchestratorError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { Call } from "../calls/call.ts";
import { bodyTime, type CallTimeout, readGrpcTimeout, readHttpTimeout } from "../calls/call-timeout.ts";
import type { ServedMethod } from "../calls/methods.ts";
import type { Pipeline } from "../calls/pipeline.ts";
import { errorTypes } from "../http/print.ts";
import { cursorOf } from "../streams/slow-reader.ts";
import { withDetails } from "./details.ts";
import { toConnectError } from "./error.ts";
import { isGrpcWebText, toBinaryRequest, toTextResponse } from "./grpc-web-text.ts";
import { takeMessage, takenMessage } from "./request.ts";
import { type CurrentCall, currentCall, sendResponse } from "./response.ts";

export interface ConnectParts {
  readonly pipeline: Pipeline;
  readonly log: Log;
  /** Largest message in either direction, bytes. */
  readonly maxMessageBytes: number;
  /** Largest payload of a request, bytes of JSON. */
  readonly maxPayloadBytes: number;
  /** How long a stream may wait for its reader, milliseconds. */
  readonly slowReaderMs: number;
}

export interface ConnectServer {
  /** Handles a request to the method at `path` whose headers arrived at `startedAt` (monotonic milliseconds). */
  handle(path: string, request: FastifyRequest, reply: FastifyReply, startedAt: number): Promise<void>;
}

/** The timeout of a call, or the error in it. The library gets none, so all protocols measure time in the same way. */
type TimeoutRead =
  | { readonly ok: true; readonly time: CallTimeout }
  | { readonly ok: false; readonly error: OrchestratorError };

const callTimeout = createContextKey<TimeoutRead | null>(null);
const TIMEOUT_HEADERS = ["connect-timeout-ms", "x-timeout-ms", "grpc-timeout"];

function readTimeout(headers: IncomingHttpHeaders, startedAt: number): TimeoutRead {
  const isGrpc = headers["content-type"]?.toLowerCase().startsWith("application/grpc") === true;
  const get = (name: string): unknown => headers[name];
  try {
    return { ok: true, time: isGrpc ? readGrpcTimeout(get, startedAt) : readHttpTimeout(get, startedAt) };
  } catch (error) {
    if (isOrchestratorError(error)) return { ok: false, error };
    throw error;
  }
}

/** Creates the server. */
export function createConnectServer(methods: readonly ServedMethod[], parts: ConnectParts): ConnectServer {
  const router = createConnectRouter({
    grpc: false,
    grpcWeb: true,
    connect: true,
    // Responses can pack messages of their own methods into `Any`.
    jsonOptions: { registry: createRegistry(errorTypes, ...methods.map(({ desc }) => desc.input)) },
    acceptCompression: [compressionGzip],
    readMaxBytes: parts.maxMessageBytes,
    writeMaxBytes: parts.maxMessageBytes,
  });
  for (const method of methods) {
    const answer = (request: Message, context: HandlerContext) =>
      method.unary === null ? callStream(method, request, context, parts) : callUnary(method, request, context, parts);
    router.rpc(method.desc as never, answer as never);
  }
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return {
    async handle(path, request, reply, startedAt) {
      const handler = handlers.get(path);
      if (handler === undefined) throw new Error(`${path} is not served`);
      await serveHandler(handler, request, reply, startedAt, parts);
    },
  };
}

async function serveHandler(
  handler: UniversalHandler,
  request: FastifyRequest,
  reply: FastifyReply,
  startedAt: number,
  parts: ConnectParts,
): Promise<void> {
  reply.hijack();
  const { raw } = reply;
  // A write after the caller disconnected emits an error event, which would end the process without a listener.
  raw.on("error", () => undefined);
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  const { id: requestId, method: verb } = request;
  const path = handler.requestPath;
  try {
    const contentType = request.headers["content-type"];
    const isText = isGrpcWebText(contentType ?? null);
    const open = (header: Headers): void => {
      const answer = { status: 200, header };
      raw.writeHead(200, Object.fromEntries(new Headers(isText ? toTextResponse(answer).header : header)));
      raw.flushHeaders();
    };
    const began = (call: Call): void => {
      request.call = call;
      call.unreadBytes = () => raw.writableLength;
    };
    const current: CurrentCall = { call: null, cursor: "", open, began };
    const values = createContextValues().set(currentCall, current);
    const incoming = universalRequestFromNodeRequest(request.raw, raw, undefined, values);
    const timeout = readTimeout(request.headers, startedAt);
    const time = bodyTime(timeout.ok ? timeout.time.givenMs : undefined);
    const taken = takeMessage(isText ? toBinaryRequest(incoming) : incoming, parts, time);
    values.set(callTimeout, timeout);
    for (const name of TIMEOUT_HEADERS) taken.request.header.delete(name);
    await taken.message.expand();
    values.set(takenMessage, taken.message);
    taken.request.header.set("x-request-id", requestId);
    const answer = await withDetails(await handler(taken.request), {
      ...parts,
      path,
      verb,
      contentType,
      requestId,
    });
    // Do not wait for a request that did not arrive in time.
    if (!request.raw.complete && !raw.headersSent) raw.setHeader("connection", "close");
    await sendResponse(isText ? toTextResponse(answer) : answer, raw, current, parts.slowReaderMs);
  } catch (error) {
    endBroken(raw, error, path, parts.log);
  }
}

/** The caller is gone or the response broke off: there is nobody to answer. */
function endBroken(response: ServerResponse, error: unknown, method: string, log: Log): void {
  log.debug("a response could not be sent", { method, error });
  if (!response.headersSent) response.writeHead(400);
  response.end();
}

/**
 * The library encodes on its own and accepts values of the wrong type. The encoders of gRPC, at a fifth of the cost,
 * check them first. What only lacks a JSON form fails in the library; details.ts logs it with an id.
 */
function checked(method: ServedMethod): (message: Message) => Message {
  return (message) => {
    method.encode(message);
    return message;
  };
}

function callUnary(
  method: ServedMethod,
  _standIn: Message,
  context: HandlerContext,
  parts: ConnectParts,
): Promise<Message> {
  return new Promise((resolve, reject) => {
    const call = openCall(context);
    parts.pipeline.runUnary(
      method,
      call,
      () => readTaken(method, context),
      checked(method),
      (error, response) =>
        response === null ? reject(toConnectError(error as OrchestratorError, call.requestId)) : resolve(response),
    );
  });
}

async function* callStream(
  method: ServedMethod,
  _standIn: Message,
  context: HandlerContext,
  parts: ConnectParts,
): AsyncIterable<Message> {
  const call = openCall(context);
  const current = context.values.get(currentCall);
  current.call = call;
  call.onOpened = () => current.open(context.responseHeader);
  try {
    for await (const message of parts.pipeline.runStream(
      method,
      call,
      () => readTaken(method, context),
      checked(method),
    )) {
      current.cursor = cursorOf(message);
      yield message;
    }
  } catch (error) {
    throw toConnectError(error as OrchestratorError, call.requestId);
  }
}

/** The message of the request; the library has read an empty one instead. */
function readTaken(method: ServedMethod, context: HandlerContext): Message {
  const taken = context.values.get(takenMessage);
  if (taken === null) throw new Error("the message of the request was not taken");
  return taken.read(method.desc.input);
}

function openCall(context: HandlerContext): Call {
  const protocol = context.protocolName === "grpc-web" ? "grpc-web" : "connect";
  const timeout = context.values.get(callTimeout);
  const leftMs = timeout?.ok === true ? timeout.time.leftMs() : undefined;
  const call = new Call(protocol, leftMs, context.requestHeader);
  context.values.get(currentCall).began(call);
  if (timeout?.ok === false) call.abort(timeout.error);
  const stop = (): void => call.cancel();
  if (context.signal.aborted) stop();
  else context.signal.addEventListener("abort", stop, { once: true });
  return call;
}
