/** Sends calls to other instances over gRPC. */
import { type DescMethod, fromBinary, type Message, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { toError } from "../../base/errors.ts";
import type { CallContext } from "../calls/call.ts";
import type { ServedMethod } from "../calls/methods.ts";
import { ownedRunOf } from "../calls/routing.ts";
import { type ChannelCall, type GrpcChannel, GrpcFailure } from "../client/grpc-channel.ts";
import { PassedError } from "../errors/passed-error.ts";
import type { ForwardedCallers } from "./forwarded-caller.ts";
import { openPeerChannels } from "./peer-channels.ts";

/** Time reserved for the response to travel back, milliseconds. */
export const WAY_BACK_MS = 50;

/** Connect timeout, milliseconds. Instances are close to each other, and callers must not wait for a dead one. */
const CONNECT_MS = 500;

/** Nothing answers at the address. The call was not sent, so it can go elsewhere. */
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
export type SentCall = Pick<CallContext, "caller" | "requestId" | "remainingMs">;

/** Connections to other instances. */
export interface Sender {
  /**
   * Sends the call and resolves with the response. Errors: those of the other instance; {@link Unreached}; PEER_LOST if
   * it did not respond, so the call may have been made.
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

/** Creates a sender that connects on demand. */
export function openSender(callers: Pick<ForwardedCallers, "sign">, maxMessageBytes: number): Sender {
  const channels = openPeerChannels(maxMessageBytes);
  const connect = (address: string, channel: GrpcChannel): Promise<void> =>
    channel.connect(CONNECT_MS).catch((cause: unknown) => {
      throw new Unreached(address, cause);
    });
  const optionsOf = ({ path }: SentMethod, { caller, requestId }: SentCall, signal: AbortSignal): ChannelCall => ({
    metadata: { ...callers.sign(caller, path), "x-request-id": requestId },
    signal,
  });
  const toFailure = (error: unknown, method: SentMethod, request: Message): Error =>
    error instanceof GrpcFailure && error.status !== null
      ? new PassedError(error.status)
      : toError("PEER_LOST", { runId: ownedRunOf(method, request) }, { cause: error });
  return {
    async send(address, method, request, call, signal) {
      const bytes = toBinary(method.desc.input, request);
      const answer = await channels.use(address, async (channel) => {
        await connect(address, channel);
        const timeoutMs = Math.max(1, call.remainingMs() - WAY_BACK_MS);
        return channel
          .unary(method.path, bytes, { ...optionsOf(method, call, signal), timeoutMs })
          .catch((error: unknown) => {
            throw toFailure(error, method, request);
          });
      });
      return fromBinary(method.desc.output, answer) as never;
    },
    async *stream(address, method, request, call, signal, opened) {
      const { channel, release } = channels.hold(address);
      try {
        await connect(address, channel);
        opened();
        const bytes = toBinary(method.desc.input, request);
        for await (const message of channel.stream(method.path, bytes, optionsOf(method, call, signal)))
          yield fromBinary(method.desc.output, message) as never;
      } catch (error) {
        throw error instanceof Unreached ? error : toFailure(error, method, request);
      } finally {
        release();
      }
    },
    close: () => channels.close(),
  };
}
