/** Asks every other instance the same: for what each of them knows of itself, such as the workers that it has. */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { GRPC_CODE } from "../../base/error-catalog/entry.ts";
import type { Cluster } from "../../engine/ports/cluster.ts";
import type { CallContext } from "../calls/call.ts";
import { GrpcFailure } from "../client/grpc-failure.ts";
import type { ForwardedCallers } from "./forwarded-caller.ts";
import { openPeerChannels } from "./peer-channels.ts";

/** How long an instance may take, milliseconds: one that hangs must not make the others wait for long. */
const PATIENCE_MS = 2_000;

/** What the other instances answered. */
export interface PeerAnswers<T> {
  readonly answers: readonly T[];
  /** Instances that did not answer in time. */
  readonly silent: number;
}

/**
 * Makes a call at every other instance, on behalf of its caller. An instance that refuses it counts as one that has
 * nothing to say. A forwarded call asks nobody.
 */
export type AskPeers = <I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  call: Pick<CallContext, "caller" | "forwarded" | "signal" | "remainingMs">,
) => Promise<PeerAnswers<MessageShape<O>>>;

export interface AskPeersParts {
  readonly cluster: Pick<Cluster, "view">;
  readonly callers: Pick<ForwardedCallers, "sign">;
  readonly maxMessageBytes: number;
}

/** {@link AskPeers} with its connections. */
export function openAskPeers({ cluster, callers, maxMessageBytes }: AskPeersParts): {
  readonly askPeers: AskPeers;
  close(): void;
} {
  const channels = openPeerChannels(maxMessageBytes);
  return {
    askPeers: async (method, request, call) => {
      const { caller, forwarded, signal } = call;
      const { others } = forwarded ? { others: [] } : cluster.view();
      const path = `/${method.parent.typeName}/${method.name}`;
      const bytes = toBinary(method.input, create(method.input, request));
      const timeoutMs = Math.max(1, Math.min(PATIENCE_MS, call.remainingMs() / 2));
      const asked = others.map(async ({ address }) => {
        try {
          const options = { metadata: callers.sign(caller, path), timeoutMs, signal };
          return fromBinary(
            method.output,
            await channels.use(address, (channel) => channel.unary(path, bytes, options)),
          );
        } catch (error) {
          return isRefusal(error) ? "refused" : "silent";
        }
      });
      const all = await Promise.all(asked);
      signal.throwIfAborted();
      return {
        answers: all.filter((one) => typeof one !== "string"),
        silent: all.filter((one) => one === "silent").length,
      };
    },
    close: () => channels.close(),
  };
}

/** It answered, with an error that says what the caller asked for is not there. */
function isRefusal(error: unknown): boolean {
  return error instanceof GrpcFailure && error.code === GRPC_CODE.NOT_FOUND;
}
