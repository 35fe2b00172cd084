/** Sends one unary call to another instance over gRPC. */
import { fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { toError } from "../../base/errors.ts";
import type { CallContext } from "../calls/call.ts";
import type { ServedMethod } from "../calls/methods.ts";
import { ownedRunOf } from "../calls/routing.ts";
import { GrpcFailure } from "../client/grpc-channel.ts";
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

/** Connections to other instances. */
export interface Sender {
  /**
   * Sends the call and resolves with the response. Errors: those of the other instance; {@link Unreached}; PEER_LOST if
   * it did not respond, so the call may have been made.
   */
  send(
    address: string,
    method: ServedMethod,
    request: Message,
    call: CallContext,
    signal: AbortSignal,
  ): Promise<Message>;
  close(): void;
}

/** Creates a sender that connects on demand. */
export function openSender(callers: Pick<ForwardedCallers, "sign">, maxMessageBytes: number): Sender {
  const channels = openPeerChannels(maxMessageBytes);
  return {
    async send(address, method, request, call, signal) {
      const bytes = toBinary(method.desc.input, request);
      const answer = await channels.use(address, async (channel) => {
        await channel.connect(CONNECT_MS).catch((cause: unknown) => {
          throw new Unreached(address, cause);
        });
        const metadata = { ...callers.sign(call.caller, method.path), "x-request-id": call.requestId };
        const timeoutMs = Math.max(1, call.remainingMs() - WAY_BACK_MS);
        return channel.unary(method.path, bytes, { metadata, timeoutMs, signal }).catch((error: unknown) => {
          if (error instanceof GrpcFailure && error.status !== null) throw new PassedError(error.status);
          throw toError("PEER_LOST", { runId: ownedRunOf(method, request) }, { cause: error });
        });
      });
      return fromBinary(method.desc.output, answer);
    },
    close: () => channels.close(),
  };
}
