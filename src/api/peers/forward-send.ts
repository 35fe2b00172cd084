/** Sends calls to other instances over gRPC. */
import { type DescMethod, fromBinary, type Message, type MessageShape } from "@bufbuild/protobuf";
import { GRPC_CODE } from "../../base/error-catalog/entry.ts";
import { toError } from "../../base/errors.ts";
import { HOPS_HEADER } from "../../base/net/hops.ts";
import { TRACEPARENT, TRACESTATE } from "../../base/traces/trace-context.ts";
import type { Cluster } from "../../engine/ports/cluster.ts";
import type { CallContext } from "../calls/call.ts";
import type { ServedMethod } from "../calls/methods.ts";
import { ownedRunOf } from "../calls/routing.ts";
import type { ChannelCall, GrpcChannel } from "../client/grpc-channel.ts";
import { GrpcFailure } from "../client/grpc-failure.ts";
import { PassedError } from "../errors/passed-error.ts";
import type { ForwardedCallers } from "./forwarded-caller.ts";
import { openLostOwners } from "./lost-owners.ts";
import { openPeerChannels } from "./peer-channels.ts";
import { toSentBytes } from "./sent-bytes.ts";

/** Time reserved for the response to travel back, milliseconds. */
export const WAY_BACK_MS = 50;

/** Connect timeout, milliseconds. Instances are close to each other, and callers must not wait for a dead one. */
const CONNECT_MS = 500;

/** No instance of this service answers at the address. Nothing was done, so the call can go elsewhere. */
export class Unreached extends Error {
  readonly address: string;

  constructor(address: string, cause: unknown) {
    super(`no instance answers at ${address}`, { cause });
    this.address = address;
  }
}

/** A method as it is sent. */
export type SentMethod<Method extends DescMethod = DescMethod> = Pick<ServedMethod, "path" | "routing"> & {
  readonly desc: Method;
};

/** On whose behalf a call is sent, and how long it may take. */
export type SentCall = Pick<CallContext, "caller" | "requestId" | "remainingMs"> &
  Partial<Pick<CallContext, "header" | "ownerDied">>;

/** Connections to other instances. */
export interface Sender {
  /** Largest message in either direction, bytes. */
  readonly maxMessageBytes: number;
  /**
   * Sends the call and resolves with the response. Errors: those of the other instance; {@link Unreached};
   * MESSAGE_TOO_LARGE; PEER_LOST if the instance was lost and DEADLINE_EXCEEDED if it did not respond in time, so the
   * call may have been made.
   */
  send<Method extends DescMethod>(
    address: string,
    method: SentMethod<Method>,
    request: MessageShape<Method["input"]>,
    call: SentCall,
    signal: AbortSignal,
  ): Promise<MessageShape<Method["output"]>>;
  /** Sends a call that is answered by a stream. Calls `opened` once connected. Errors: see {@link Sender.send}. */
  stream<Method extends DescMethod>(
    address: string,
    method: SentMethod<Method>,
    request: MessageShape<Method["input"]>,
    call: SentCall,
    signal: AbortSignal,
    opened: () => void,
  ): AsyncIterable<MessageShape<Method["output"]>>;
  close(): void;
}

/** A method that any instance answers, as it is sent. */
export function anywhere<Method extends DescMethod>(desc: Method): SentMethod<Method> {
  return { desc, path: `/${desc.parent.typeName}/${desc.name}`, routing: { to: "any_instance" } };
}

/** Headers of the call that the owner of the run reads, too. */
const PASSED_ON = [HOPS_HEADER, TRACEPARENT, TRACESTATE] as const;

export interface SenderParts {
  readonly callers: Pick<ForwardedCallers, "sign">;
  readonly cluster: Pick<Cluster, "view">;
  readonly maxMessageBytes: number;
}

/** Creates a sender that connects on demand. */
export function openSender({ callers, cluster, maxMessageBytes }: SenderParts): Sender {
  const channels = openPeerChannels(maxMessageBytes);
  const lostOwners = openLostOwners(cluster);
  const connect = (address: string, channel: GrpcChannel): Promise<void> =>
    channel.connect(CONNECT_MS).catch((cause: unknown) => {
      throw new Unreached(address, cause);
    });
  const optionsOf = ({ path }: SentMethod, call: SentCall, signal: AbortSignal): ChannelCall => {
    const metadata: Record<string, string> = { ...callers.sign(call.caller, path), "x-request-id": call.requestId };
    for (const name of PASSED_ON) {
      const value = call.header?.(name) ?? "";
      if (value !== "") metadata[name] = value;
    }
    return { metadata, signal };
  };
  const toFailure = (error: unknown, address: string, method: SentMethod, request: Message): Error => {
    if (!(error instanceof GrpcFailure) || error.status === null) {
      const isLate = error instanceof GrpcFailure && error.code === GRPC_CODE.DEADLINE_EXCEEDED;
      const details = { runId: ownedRunOf(method, request) };
      return toError(isLate ? "DEADLINE_EXCEEDED" : "PEER_LOST", details, { cause: error });
    }
    const passed = new PassedError(error.status);
    // An instance on another database got the address of one that is gone.
    return passed.code === "CALLER_UNVERIFIED" ? new Unreached(address, passed) : passed;
  };
  return {
    maxMessageBytes,
    async send(address, method, request, call, signal) {
      const bytes = toSentBytes(method.desc.input, request, maxMessageBytes);
      const answer = await channels.use(address, async (channel) => {
        await connect(address, channel);
        const timeoutMs = Math.max(1, call.remainingMs() - WAY_BACK_MS);
        const watched = lostOwners.watch(address, signal);
        try {
          return await channel.unary(method.path, bytes, { ...optionsOf(method, call, watched.signal), timeoutMs });
        } catch (error) {
          if (hasGone(error)) call.ownerDied?.();
          throw toFailure(error, address, method, request);
        } finally {
          watched.release();
        }
      });
      return fromBinary(method.desc.output, answer) as never;
    },
    async *stream(address, method, request, call, signal, opened) {
      const bytes = toSentBytes(method.desc.input, request, maxMessageBytes);
      const { channel, release } = channels.hold(address);
      try {
        await connect(address, channel);
        opened();
        for await (const message of channel.stream(method.path, bytes, optionsOf(method, call, signal)))
          yield fromBinary(method.desc.output, message) as never;
      } catch (error) {
        throw error instanceof Unreached ? error : toFailure(error, address, method, request);
      } finally {
        release();
      }
    },
    close() {
      lostOwners.close();
      channels.close();
    },
  };
}

/** The connection broke while the call was under way: the instance may have died of it. One that is slow has not. */
function hasGone(error: unknown): boolean {
  return error instanceof GrpcFailure && error.status === null && error.code === GRPC_CODE.UNAVAILABLE;
}
