/**
 * The gRPC side of the port, on Node's HTTP/2: takes connections from the front and runs calls through the pipeline.
 *
 * Only the framing of gRPC (stream.ts) is in between. A library costs more than all of HTTP/2 below it, and rejects
 * some requests on its own, without details (docs/adr/0003).
 */

import { createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import type { Message } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { type OrchestratorError, toError } from "../../base/errors.ts";
import type { HostRule } from "../../base/host-rule.ts";
import type { Log } from "../../base/log.ts";
import { Call } from "../calls/call.ts";
import { bodyTime, readGrpcTimeout } from "../calls/call-timeout.ts";
import type { ServedMethod } from "../calls/methods.ts";
import type { Pipeline } from "../calls/pipeline.ts";
import { toRequestId } from "../calls/request-id.ts";
import { checkEncoding, tooLarge } from "../expand.ts";
import { DATA_HEADERS, toWireError } from "../http/wire-error.ts";
import { readBinary } from "../requests/read-message.ts";
import { breakOffUnread, cursorOf, waitForReader } from "../streams/slow-reader.ts";
import { PREFIX_BYTES } from "./message-reader.ts";
import { openSessions } from "./sessions.ts";
import { GrpcStream, type StreamLimits } from "./stream.ts";
import { UnreadAnswers } from "./unread.ts";

/** HTTP/2 code for a stream that is reset because its reader is slow; gRPC clients treat it as RESOURCE_EXHAUSTED. */
const ENHANCE_YOUR_CALM = 11;

/** Answers above this size are watched until they are read; for small ones a timer would cost more than it saves. */
const LARGE_ANSWER_BYTES = 16_384;

export interface GrpcServer {
  /** Takes over a connection that starts with the HTTP/2 preface. */
  accept(connection: Duplex): void;
  /** Tells all clients to open no new streams. Calls in flight continue, and a connection closes after its last one. */
  drain(): void;
  /** Destroys the remaining connections. */
  close(): void;
}

/** Serves a call without the pipeline. */
export type ServeStream = (stream: GrpcStream) => void;

export interface GrpcParts {
  readonly pipeline: Pipeline;
  readonly hosts: HostRule;
  readonly limits: StreamLimits;
  readonly log: Log;
}

/** Serves methods over gRPC. `extras`, such as reflection, are served without the pipeline. */
export function createGrpcServer(
  methods: readonly ServedMethod[],
  extras: ReadonlyMap<string, ServeStream>,
  parts: GrpcParts,
): GrpcServer {
  const routes = new Map(extras);
  for (const method of methods)
    for (const path of [method.path, ...method.aliases]) routes.set(path, (stream) => serve(method, stream, parts));
  const server = createServer({
    // In megabytes. Node itself limits resets (streamResetBurst).
    maxSessionMemory: 64,
    // A caller that waits for many runs has an open stream for each.
    settings: { enablePush: false, maxConcurrentStreams: 1_000, maxHeaderListSize: ANNOUNCED_HEADER_LIST_BYTES },
    // Node resets streams beyond it without an explanation.
    maxHeaderListPairs: 4_096,
  });
  const sessions = openSessions();
  const unreadOf = new WeakMap<ServerHttp2Session, UnreadAnswers>();
  server.on("session", (session: ServerHttp2Session) => {
    sessions.add(session);
    unreadOf.set(session, new UnreadAnswers());
  });
  server.on("stream", (http2: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    if (!GRPC_FAMILY.test(headers["content-type"] ?? "")) {
      refuseOthers(http2, headers);
      return;
    }
    const unread = unreadOf.get(http2.session as ServerHttp2Session) ?? new UnreadAnswers();
    const stream = new GrpcStream(http2, headers, parts.limits, parts.log, unread);
    const refusal = isGrpc(headers) ? refuseHead(headers, parts.hosts) : toError("PROTOCOL_UNSUPPORTED", NOT_GRPC);
    if (refusal !== null) {
      stream.fail(refusal);
      return;
    }
    const path = String(headers[":path"]);
    const route = routes.get(path);
    if (route === undefined) stream.fail(toError("METHOD_UNIMPLEMENTED", { method: path }));
    else stream.guard(() => route(stream));
  });
  return {
    accept: (connection) => void server.emit("connection", connection),
    drain: () => sessions.drain(),
    close: () => sessions.close(),
  };
}

/** Largest header list, bytes as HTTP/2 counts them: names, values, and 32 for each pair. */
const MAX_HEADER_LIST_BYTES = 16_384;

/**
 * The limit announced to clients. nghttp2 closes the connection over a single value beyond 64 KiB, and no option
 * changes that; a client that obeys the setting never loses its connection this way. Node resets streams above it with
 * ENHANCE_YOUR_CALM, which clients treat as RESOURCE_EXHAUSTED. Between the two limits callers get an error with
 * details.
 */
const ANNOUNCED_HEADER_LIST_BYTES = 65_536;

function refuseHead(headers: IncomingHttpHeaders, hosts: HostRule): OrchestratorError | null {
  let size = 0;
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === "string") size += name.length + value.length + 32;
    else for (const one of value ?? []) size += name.length + one.length + 32;
  }
  if (size > MAX_HEADER_LIST_BYTES) return toError("HEADERS_TOO_LARGE", { limit: MAX_HEADER_LIST_BYTES });
  const host = headers[":authority"] ?? headers.host;
  return hosts.allows(host) ? null : toError("HOST_REFUSED", { host: String(host).slice(0, 200) });
}

function serve(method: ServedMethod, stream: GrpcStream, parts: GrpcParts): void {
  let request: Buffer | null = null;
  const timeout = readGrpcTimeout((name) => stream.get(name));
  // A caller that names an encoding can use it for any of its messages.
  checkEncoding(String(stream.get("grpc-encoding") ?? ""));
  // The deadline of the pipeline starts with the complete request; a caller that never completes one would hold a
  // stream forever.
  const time = bodyTime(timeout.givenMs);
  const late = setTimeout(() => stream.fail(time.late()), time.ms).unref();
  stream.read({
    message(bytes) {
      if (request !== null) throw miscounted(method, "more");
      request = bytes;
    },
    end() {
      clearTimeout(late);
      if (request === null) throw miscounted(method, "none");
      const bytes = request;
      const decode = (): Message => readBinary(method.desc.input, bytes, parts.limits.maxPayloadBytes);
      stream.unread.admit(() => {
        if (stream.http2.closed) return;
        // The caller's timeout starts with the headers.
        const call = new Call("grpc", timeout.leftMs(), stream);
        stream.onGone = () => call.cancel();
        if (makesAtOnce(method)) stream.make();
        call.onTurn = (begin) =>
          stream.unread.admit(() => {
            stream.make();
            begin();
          });
        if (method.stream === null) serveUnary(method, call, decode, stream, parts);
        else void serveStream(method, call, decode, stream, parts);
      });
    },
  });
}

/** A read is answered as soon as what it asks for is there. Other large answers come after a wait: see `Call.turn`. */
function makesAtOnce({ desc, stream }: ServedMethod): boolean {
  return (
    stream === null &&
    desc.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS &&
    !("wait" in desc.input.field)
  );
}

function miscounted(method: ServedMethod, sent: string): OrchestratorError {
  return toError("PROTOCOL_UNSUPPORTED", {
    problem: `${method.path} takes exactly one message; the call sent ${sent}`,
  });
}

function serveUnary(
  method: ServedMethod,
  call: Call,
  decode: () => Message,
  stream: GrpcStream,
  { pipeline, limits }: GrpcParts,
): void {
  const encode = (response: Message): Buffer => encodeFramed(method, response, limits);
  pipeline.runUnary(method, call, decode, encode, (error, framed) => {
    if (framed === null) stream.fail(error as OrchestratorError, call.requestId);
    else stream.end(framed);
    if (framed !== null && framed.length > LARGE_ANSWER_BYTES)
      breakOffUnread(stream.http2, 2 * limits.slowReaderMs, () => stream.http2.close(ENHANCE_YOUR_CALM));
  });
}

async function serveStream(
  method: ServedMethod,
  call: Call,
  decode: () => Message,
  stream: GrpcStream,
  { pipeline, limits }: GrpcParts,
): Promise<void> {
  const { http2 } = stream;
  const encode = (message: Message) => ({
    framed: encodeFramed(method, message, limits),
    cursor: cursorOf(message),
  });
  call.onOpened = () => stream.open();
  call.unreadBytes = () => http2.writableLength;
  try {
    for await (const { framed, cursor } of pipeline.runStream(method, call, decode, encode))
      if (!stream.send(framed)) await waitForReader(http2, call, limits.slowReaderMs, cursor);
    stream.end();
  } catch (error) {
    stream.fail(error as OrchestratorError, call.requestId);
  }
  breakOffUnread(http2, limits.slowReaderMs, () => http2.close(ENHANCE_YOUR_CALM));
}

/** Encodes a message with space for its prefix. Error: MESSAGE_TOO_LARGE. */
function encodeFramed(method: ServedMethod, message: Message, { maxMessageBytes }: StreamLimits): Buffer {
  const framed = method.encode(message, PREFIX_BYTES);
  if (framed.length - PREFIX_BYTES > maxMessageBytes) throw tooLarge("response", maxMessageBytes);
  return framed;
}

/** Content types of callers that can read a gRPC response. */
const GRPC_FAMILY = /^application\/grpc([+;]| *;|$)/;

const NOT_GRPC = { problem: "a gRPC call is a POST of application/grpc or application/grpc+proto" };

function isGrpc(headers: IncomingHttpHeaders): boolean {
  const type = headers["content-type"] ?? "";
  return headers[":method"] === "POST" && /^application\/grpc(\+proto)?( *;|$)/.test(type);
}

/** Cleartext HTTP/2 carries only gRPC; the same port serves everything else over HTTP/1.1. */
function refuseOthers(http2: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const problem =
    "over HTTP/2 this port speaks gRPC only (a POST of application/grpc); Connect, gRPC-Web and REST are served over HTTP/1.1";
  const { ":path": path = "", "content-type": type } = headers;
  const refusal = toError("PROTOCOL_UNSUPPORTED", { problem });
  const answer = toWireError(refusal, toRequestId(headers["x-request-id"]), path, type);
  http2.on("error", () => undefined);
  http2.respond({ ...DATA_HEADERS, ...answer.headers, ":status": answer.status });
  http2.end(answer.body);
  http2.resume();
}
