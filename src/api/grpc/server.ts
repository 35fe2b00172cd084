/**
 * The gRPC side of the port: `@grpc/grpc-js`, fed with connections by the front.
 *
 * Messages cross grpc-js as bytes: decoding in the pipeline turns malformed requests into INVALID_ARGUMENT with details, where grpc-js would answer
 * a bare INTERNAL. What grpc-js refuses before it looks for a handler gets its details in refusals.ts.
 */

import type { Duplex } from "node:stream";
import type { Message } from "@bufbuild/protobuf";
import { toBinary } from "@bufbuild/protobuf";
import type {
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  StatusObject,
  sendUnaryData,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { type status as GrpcStatus, Metadata, Server, ServerCredentials } from "@grpc/grpc-js";
import type { OrchestratorError } from "../../base/errors.ts";
import { GRPC_CODE, toError } from "../../base/errors.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { Call } from "../call.ts";
import type { Identify } from "../caller.ts";
import { retryDelayMs, toStatus } from "../errors.ts";
import { FORWARDED_KEY } from "../forward.ts";
import type { ServedMethod } from "../methods.ts";
import type { Pipeline } from "../pipeline.ts";
import { readBinary } from "../read-message.ts";
import { toRequestId } from "../request-id.ts";
import { breakOffUnread, cursorOf, waitForReader } from "../slow-reader.ts";
import { completeRefusals } from "./refusals.ts";

/** HTTP/2 code of a stream that is broken off because its reader is slow; clients of gRPC take it for RESOURCE_EXHAUSTED. */
const ENHANCE_YOUR_CALM = 11;

/** Limits of the gRPC side. */
export interface GrpcLimits {
  /** Largest message, both ways, in bytes. */
  readonly maxMessageBytes: number;
  /** Time in which the reader of a stream must take something, milliseconds. */
  readonly slowReaderMs: number;
}

/** The gRPC side of the port. */
export interface GrpcServer {
  /** Takes over a connection whose first bytes are the HTTP/2 preface. */
  accept(connection: Duplex): void;
  /** Tells every connection that no new calls are taken; calls in flight go on, and a connection closes after its last one. */
  drain(): void;
  /** Breaks off what is left. */
  close(): void;
}

/** Other services on the same server, for instance reflection. */
export interface ExtraService {
  addToServer(server: Server): void;
}

/** Serves methods over gRPC. A path of `aliases` answers as the method that it names. */
export function createGrpcServer(
  methods: readonly ServedMethod[],
  aliases: Readonly<Record<string, string>>,
  pipeline: Pipeline,
  identify: Identify,
  limits: GrpcLimits,
  extras: readonly ExtraService[],
): GrpcServer {
  const server = new Server({
    "grpc.max_receive_message_length": limits.maxMessageBytes,
    "grpc.max_send_message_length": limits.maxMessageBytes,
    // A caller that waits for many runs holds a stream for each of them; resets are bounded by Node itself (streamResetBurst).
    "grpc.max_concurrent_streams": 1_000,
    "grpc-node.max_session_memory": 64,
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.max_connection_idle_ms": 30 * 60_000,
    "grpc.enable_channelz": 0,
    // There is no call of ours yet, so there is no id that the log would know.
    interceptors: [completeRefusals((error) => toGrpcError(error, ""))],
  });
  const parts: GrpcParts = {
    pipeline,
    identify,
    maxBytes: limits.maxMessageBytes,
    slowReaderMs: limits.slowReaderMs,
  };
  const byPath = new Map(methods.map((method) => [method.path, method]));
  for (const method of methods) addMethod(server, method.path, method, parts);
  for (const [alias, path] of Object.entries(aliases)) {
    const method = byPath.get(path);
    if (method === undefined) throw new Error(`alias ${alias} names ${path}, which is not served`);
    addMethod(server, alias, method, parts);
  }
  for (const extra of extras) extra.addToServer(server);
  answerUnknownMethods(server);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return {
    accept: (connection) => injector.injectConnection(connection),
    // Its callback comes before the calls in flight have ended, and never when a client has vanished: the front watches the connections.
    drain: () => server.tryShutdown(() => undefined),
    close: () => server.forceShutdown(),
  };
}

interface GrpcParts {
  readonly pipeline: Pipeline;
  readonly identify: Identify;
  readonly maxBytes: number;
  readonly slowReaderMs: number;
}

const identity = (bytes: Buffer): Buffer => bytes;

function addMethod(server: Server, path: string, method: ServedMethod, parts: GrpcParts): void {
  const streaming = method.stream !== null;
  const definition: ServiceDefinition = {
    call: {
      path,
      requestStream: false,
      responseStream: streaming,
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    },
  };
  const implementation: UntypedServiceImplementation = {
    call: streaming
      ? (stream: ServerWritableStream<Buffer, Buffer>) => void serveStream(method, stream, parts)
      : (unary: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
          serveUnary(method, unary, callback, parts),
  };
  server.addService(definition, implementation);
}

function serveUnary(
  method: ServedMethod,
  unary: ServerUnaryCall<Buffer, Buffer>,
  callback: sendUnaryData<Buffer>,
  { pipeline, identify, maxBytes }: GrpcParts,
): void {
  const forwarded = unary.metadata.get(FORWARDED_KEY).length > 0;
  const { metadata } = unary;
  const call = new Call(identify(metadata), "grpc", remainingMs(unary.getDeadline()), metadata, forwarded);
  unary.on("cancelled", () => call.cancel());
  pipeline.runUnary(
    method,
    call,
    () => readBinary(method.desc.input, unary.request),
    (error, response) => {
      if (response === null) {
        callback(toGrpcError(error as OrchestratorError, call.requestId), null);
        return;
      }
      const bytes = method.encode(response);
      if (bytes.length <= maxBytes) callback(null, bytes);
      else callback(toGrpcError(tooLarge(maxBytes), call.requestId), null);
    },
  );
}

async function serveStream(
  method: ServedMethod,
  stream: ServerWritableStream<Buffer, Buffer>,
  { pipeline, identify, maxBytes, slowReaderMs }: GrpcParts,
): Promise<void> {
  const call = new Call(identify(stream.metadata), "grpc", remainingMs(stream.getDeadline()), stream.metadata);
  stream.on("cancelled", () => call.cancel());
  const decode = (): Message => readBinary(method.desc.input, stream.request);
  try {
    for await (const message of pipeline.runStream(method, call, decode)) {
      const bytes = method.encode(message);
      if (bytes.length > maxBytes) throw tooLarge(maxBytes);
      if (!stream.write(bytes)) await waitForReader(stream, call, slowReaderMs, cursorOf(message));
    }
    stream.end();
  } catch (error) {
    stream.emit("error", toGrpcError(error as OrchestratorError, call.requestId));
  }
  breakOffUnread(stream, slowReaderMs, () => resetStream(stream));
}

/** Resets the HTTP/2 stream below: destroying what stands on it would leave it and its buffer open. */
function resetStream(stream: ServerWritableStream<Buffer, Buffer>): void {
  const below = stream as unknown as { readonly call?: { readonly stream?: { close?(code: number): void } } };
  below.call?.stream?.close?.(ENHANCE_YOUR_CALM);
}

function tooLarge(limit: number): OrchestratorError {
  return toError("MESSAGE_TOO_LARGE", { direction: "response", limit });
}

function remainingMs(deadline: Date | number): number | undefined {
  const at = typeof deadline === "number" ? deadline : deadline.getTime();
  return Number.isFinite(at) ? Math.max(0, at - Date.now()) : undefined;
}

/** The error as grpc-js sends it: status, sentence, and details in the trailers. */
function toGrpcError(error: OrchestratorError, requestId: string): StatusObject & Error {
  const metadata = new Metadata();
  const status = toStatus(error, { requestId, inHeaders: true });
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, status)));
  const retryMs = retryDelayMs(error);
  if (retryMs !== null) metadata.set("grpc-retry-pushback-ms", String(Math.ceil(retryMs)));
  // The same as in the details: clients that compare the two refuse others.
  const { message } = status;
  return { name: error.name, message, code: GRPC_CODE[error.grpc] as GrpcStatus, details: message, metadata };
}

/** grpc-js answers methods that it does not know with a bare status, before any hook; so its table of handlers is made to know them all. */
function answerUnknownMethods(server: Server): void {
  const { handlers } = server as unknown as { handlers?: Map<string, unknown> };
  if (!(handlers instanceof Map)) throw new Error("this version of grpc-js keeps its handlers elsewhere");
  const known = handlers.get.bind(handlers);
  // Streaming both ways answers at once, whatever the caller meant to send.
  handlers.get = (path: string) =>
    known(path) ?? {
      type: "bidi",
      path,
      serialize: identity,
      deserialize: identity,
      func: (call: ServerDuplexStream<Buffer, Buffer>) =>
        call.emit(
          "error",
          toGrpcError(
            toError("METHOD_UNIMPLEMENTED", { method: path }),
            toRequestId(call.metadata.get("x-request-id")),
          ),
        ),
    };
}
