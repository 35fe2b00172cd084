/**
 * The gRPC side of the port, on Node's HTTP/2: connections come from the front, calls go into the pipeline.
 *
 * There is nothing between the two but the framing of gRPC (stream.ts): a library between them costs more than all of
 * HTTP/2 below, and answers on its own, without details, what it does not like (docs/adr/0003).
 */

import { createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import type { Message } from "@bufbuild/protobuf";
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

/**
 * HTTP/2 code of a stream that is broken off because its reader is slow; clients of gRPC take it for
 * RESOURCE_EXHAUSTED.
 */
const ENHANCE_YOUR_CALM = 11;

/** The gRPC side of the port. */
export interface GrpcServer {
  /** Takes over a connection whose first bytes are the HTTP/2 preface. */
  accept(connection: Duplex): void;
  /**
   * Tells every connection that no new calls are taken; calls in flight go on, and a connection closes after its last
   * one.
   */
  drain(): void;
  /** Breaks off what is left. */
  close(): void;
}

/** Serves a call by itself, past the pipeline. */
export type ServeStream = (stream: GrpcStream) => void;

/** What calls are served with. */
export interface GrpcParts {
  readonly pipeline: Pipeline;
  readonly hosts: HostRule;
  readonly limits: StreamLimits;
  readonly log: Log;
}

/** Serves methods over gRPC. `extras` are served by themselves, for instance reflection. */
export function createGrpcServer(
  methods: readonly ServedMethod[],
  extras: ReadonlyMap<string, ServeStream>,
  parts: GrpcParts,
): GrpcServer {
  const routes = new Map(extras);
  for (const method of methods)
    for (const path of [method.path, ...method.aliases]) routes.set(path, (stream) => serve(method, stream, parts));
  const server = createServer({
    // Megabytes. Resets are bounded by Node itself (streamResetBurst).
    maxSessionMemory: 64,
    // A caller that waits for many runs holds a stream for each of them.
    settings: { enablePush: false, maxConcurrentStreams: 1_000, maxHeaderListSize: ANNOUNCED_HEADER_LIST_BYTES },
    // Beyond it Node resets the stream without a word.
    maxHeaderListPairs: 4_096,
  });
  const sessions = openSessions();
  server.on("session", (session: ServerHttp2Session) => sessions.add(session));
  server.on("stream", (http2: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    if (!GRPC_FAMILY.test(headers["content-type"] ?? "")) {
      refuseOthers(http2, headers);
      return;
    }
    const stream = new GrpcStream(http2, headers, parts.limits, parts.log);
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

/** Largest list of headers, bytes as HTTP/2 counts them: names, values, and 32 for each. */
const MAX_HEADER_LIST_BYTES = 16_384;

/**
 * The limit that clients read when they connect. nghttp2 ends a connection for a single value over 64 KiB, and no
 * option changes that; so a client that obeys the setting never loses its connection. Node resets streams above it with
 * ENHANCE_YOUR_CALM, which is RESOURCE_EXHAUSTED to clients. Between the two limits callers get an answer.
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
  // A caller that names an encoding may use it for any of its messages.
  checkEncoding(String(stream.get("grpc-encoding") ?? ""));
  // The pipeline's clock begins with the whole request; who never sends it would hold a stream for ever.
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
      // The caller's clock runs since it sent the headers.
      const call = new Call("grpc", timeout.leftMs(), stream);
      stream.onGone = () => call.cancel();
      const decode = (): Message => readBinary(method.desc.input, bytes, parts.limits.maxPayloadBytes);
      if (method.stream === null) serveUnary(method, call, decode, stream, parts);
      else void serveStream(method, call, decode, stream, parts);
    },
  });
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
  try {
    for await (const { framed, cursor } of pipeline.runStream(method, call, decode, encode))
      if (!stream.send(framed)) await waitForReader(http2, call, limits.slowReaderMs, cursor);
    stream.end();
  } catch (error) {
    stream.fail(error as OrchestratorError, call.requestId);
  }
  breakOffUnread(http2, limits.slowReaderMs, () => http2.close(ENHANCE_YOUR_CALM));
}

/** A message behind the room for its prefix. Error: MESSAGE_TOO_LARGE. */
function encodeFramed(method: ServedMethod, message: Message, { maxMessageBytes }: StreamLimits): Buffer {
  const framed = method.encode(message, PREFIX_BYTES);
  if (framed.length - PREFIX_BYTES > maxMessageBytes) throw tooLarge("response", maxMessageBytes);
  return framed;
}

/** Callers who read an answer of gRPC, whatever they sent. */
const GRPC_FAMILY = /^application\/grpc([+;]| *;|$)/;

const NOT_GRPC = { problem: "a gRPC call is a POST of application/grpc or application/grpc+proto" };

function isGrpc(headers: IncomingHttpHeaders): boolean {
  const type = headers["content-type"] ?? "";
  return headers[":method"] === "POST" && /^application\/grpc(\+proto)?( *;|$)/.test(type);
}

/** Cleartext HTTP/2 carries gRPC only: what else may be asked for is served over HTTP/1.1 of the same port. */
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
