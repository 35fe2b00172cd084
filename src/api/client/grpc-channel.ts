/**
 * The one gRPC client, used by the command line, other instances, and tests. It transports bytes, so an error in
 * encoding or decoding affects only its call. It never retries. The library is loaded by the first call: a service that
 * is alone needs none.
 *
 * Closing a channel fails new calls and those that wait for a connection with CLIENT_CLOSED. Calls in progress finish.
 */
import { toError } from "../../base/errors.ts";

/** Target and settings of a channel. */
export interface ChannelTarget {
  readonly host: string;
  readonly port: number;
  /** Whether to use TLS. */
  readonly secure: boolean;
  /** Largest message in either direction, bytes. */
  readonly maxMessageBytes: number;
  /** Whether calls go through the proxy that the environment configures. */
  readonly useProxy: boolean;
}

/** Options of one call. */
export interface ChannelCall {
  readonly metadata?: Readonly<Record<string, string>>;
  /** Milliseconds; required for unary calls. A stream without it has no deadline. */
  readonly timeoutMs?: number;
  /** Cancels the call. */
  readonly signal?: AbortSignal;
}

/** A connection to a service, opened by the first call. */
export interface GrpcChannel {
  /** Resolves once connected; rejects after `withinMs`. Error: CLIENT_CLOSED. */
  connect(withinMs: number): Promise<void>;
  /** Errors: `GrpcFailure`, CLIENT_CLOSED. */
  unary(path: string, request: Uint8Array, call: ChannelCall & { readonly timeoutMs: number }): Promise<Uint8Array>;
  /** Ending the iteration cancels the call. Errors: see {@link GrpcChannel.unary}. */
  stream(path: string, request: Uint8Array, call: ChannelCall): AsyncIterable<Uint8Array>;
  close(): void;
}

/** Opens a channel, which connects with its first call. */
export function openGrpcChannel(target: ChannelTarget): GrpcChannel {
  let channel: GrpcChannel | null = null;
  let closed = false;
  const load = async (): Promise<GrpcChannel> => {
    const { createChannel } = await import("./grpc-library.ts");
    if (closed) throw toError("CLIENT_CLOSED");
    channel ??= createChannel(target);
    return channel;
  };
  return {
    connect: async (withinMs) => (channel ?? (await load())).connect(withinMs),
    unary: async (path, request, call) => (channel ?? (await load())).unary(path, request, call),
    async *stream(path, request, call) {
      yield* (channel ?? (await load())).stream(path, request, call);
    },
    close() {
      closed = true;
      channel?.close();
    },
  };
}
