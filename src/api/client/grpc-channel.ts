/**
 * The one gRPC client of the service: the command line, other instances and tests stand on it. It carries bytes, so
 * that what cannot be encoded or decoded is an error of the call that has it. It sends nothing twice.
 *
 * A closed channel refuses calls with CLIENT_CLOSED, and so end those that were waiting for a connection. Those under
 * way end as the service says.
 */
import { fromBinary } from "@bufbuild/protobuf";
import {
  Client,
  type ClientOptions,
  type ClientReadableStream,
  credentials,
  status as GrpcStatus,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { toError } from "../../base/errors.ts";
import type { Status } from "../../gen/google/rpc/status_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";

/** Where a service is and what is sent there. */
export interface ChannelTarget {
  readonly host: string;
  readonly port: number;
  /** Whether to speak TLS. */
  readonly secure: boolean;
  /** Largest message, both ways, in bytes. */
  readonly maxMessageBytes: number;
  /** Whether a proxy that the environment names may see the calls. */
  readonly useProxy: boolean;
}

/** Bounds and metadata of one call. */
export interface ChannelCall {
  readonly metadata?: Readonly<Record<string, string>>;
  /** Milliseconds; a stream without it has no deadline, and a unary call must have one. */
  readonly timeoutMs?: number;
  /** Gives the call up. */
  readonly signal?: AbortSignal;
}

/** A call that the service refused, or that did not reach its end. */
export class GrpcFailure extends Error {
  override readonly name = "GrpcFailure";
  /** Number of the gRPC status. */
  readonly code: number;
  /** What the service said; null when it did not say it in its own way, or said nothing. */
  readonly status: Status | null;

  constructor(code: number, message: string, status: Status | null, cause: unknown) {
    super(message, { cause });
    this.code = code;
    this.status = status;
  }
}

/** A connection to a service. It connects with the first call. */
export interface GrpcChannel {
  /** Resolves when there is a connection. Rejects when there is none after `withinMs`. Error: CLIENT_CLOSED. */
  connect(withinMs: number): Promise<void>;
  /** Errors: {@link GrpcFailure}, CLIENT_CLOSED. */
  unary(path: string, request: Uint8Array, call: ChannelCall & { readonly timeoutMs: number }): Promise<Uint8Array>;
  /** Ending the iteration ends the call. Errors as of {@link GrpcChannel.unary}. */
  stream(path: string, request: Uint8Array, call: ChannelCall): AsyncIterable<Uint8Array>;
  close(): void;
}

/** Opens a channel. */
export function openGrpcChannel({ host, port, secure, maxMessageBytes, useProxy }: ChannelTarget): GrpcChannel {
  const options: ClientOptions = {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    // A service that was away is called again soon: the library's own pauses grow to two minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    "grpc.keepalive_time_ms": 60_000,
    "grpc.enable_http_proxy": useProxy ? 1 : 0,
  };
  const client = new Client(
    `${host}:${port}`,
    secure ? credentials.createSsl() : credentials.createInsecure(),
    options,
  );
  let closed = false;
  // The library throws at once, or in a timer of its own, when a closed channel is used.
  const checkOpen = (): void => {
    if (closed) throw toError("CLIENT_CLOSED");
  };
  const toFailure = (error: ServiceError): Error => {
    const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
    const status = bytes instanceof Buffer ? readStatus(bytes) : null;
    if (closed && status === null && error.code === GrpcStatus.UNAVAILABLE)
      return toError("CLIENT_CLOSED", {}, { cause: error });
    return new GrpcFailure(error.code, error.details || error.message, status, error);
  };
  return {
    async connect(withinMs) {
      checkOpen();
      await new Promise<void>((resolve, reject) => {
        client.waitForReady(Date.now() + withinMs, (error) => (error === undefined ? resolve() : reject(error)));
      });
    },
    async unary(path, request, { metadata, timeoutMs, signal }) {
      checkOpen();
      return new Promise((resolve, reject) => {
        const deadline = Date.now() + timeoutMs;
        const call = client.makeUnaryRequest(
          path,
          asBuffer,
          asItIs,
          request,
          toMetadata(metadata),
          { deadline },
          (error, answer) => {
            signal?.removeEventListener("abort", cancel);
            if (error === null) resolve(answer ?? new Uint8Array());
            else reject(toFailure(error));
          },
        );
        const cancel = (): void => call.cancel();
        if (signal?.aborted === true) cancel();
        else signal?.addEventListener("abort", cancel, { once: true });
      });
    },
    async *stream(path, request, { metadata, timeoutMs, signal }) {
      checkOpen();
      const call: ClientReadableStream<Buffer> = client.makeServerStreamRequest(
        path,
        asBuffer,
        asItIs,
        request,
        toMetadata(metadata),
        timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs },
      );
      const cancel = (): void => call.cancel();
      if (signal?.aborted === true) cancel();
      else signal?.addEventListener("abort", cancel, { once: true });
      try {
        yield* call;
      } catch (error) {
        throw toFailure(error as ServiceError);
      } finally {
        signal?.removeEventListener("abort", cancel);
        call.cancel();
      }
    },
    close() {
      closed = true;
      client.close();
    },
  };
}

/** What is no status is not of this service, and must not end the process in the callback of the library. */
function readStatus(bytes: Buffer): Status | null {
  try {
    return fromBinary(StatusSchema, bytes);
  } catch {
    // The call failed, whatever was sent with it: the code of the answer says how.
    return null;
  }
}

const asItIs = (bytes: Buffer): Buffer => bytes;

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function toMetadata(values: Readonly<Record<string, string>> = {}): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(values)) metadata.set(name, value);
  return metadata;
}
