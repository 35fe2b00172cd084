/** Channels of the gRPC library. */
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
import type { ChannelTarget, GrpcChannel } from "./grpc-channel.ts";
import { GrpcFailure } from "./grpc-failure.ts";

/** Creates a channel, which connects with its first call. */
export function createChannel({ host, port, secure, maxMessageBytes, useProxy }: ChannelTarget): GrpcChannel {
  const options: ClientOptions = {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    // Reconnects soon after an outage; the default backoff grows to two minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    "grpc.keepalive_time_ms": 60_000,
    "grpc.enable_http_proxy": useProxy ? 1 : 0,
    // A connection of its own. By default the library puts all channels of a process on one connection, where a call
    // waits without an error once the server's limit of open streams is reached.
    "grpc.use_local_subchannel_pool": 1,
  };
  const client = new Client(
    `${host}:${port}`,
    secure ? credentials.createSsl() : credentials.createInsecure(),
    options,
  );
  let closed = false;
  // The library throws at once, or in its own timer, when a closed channel is used.
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

/** Decodes a status. Anything else must not end the process from a callback of the library. */
function readStatus(bytes: Buffer): Status | null {
  try {
    return fromBinary(StatusSchema, bytes);
  } catch {
    // The call failed either way; its code says how.
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
