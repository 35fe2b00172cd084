/** Sends one unary call to another instance over gRPC. */
import { fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { Client, ServiceError } from "@grpc/grpc-js";
import { Metadata } from "@grpc/grpc-js";
import { type OrchestratorError, toError } from "../../base/errors.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import type { CallContext } from "../calls/call.ts";
import type { ServedMethod } from "../calls/methods.ts";
import { PassedError } from "../calls/passed-error.ts";
import { ownedRunOf } from "../calls/routing.ts";
import type { ForwardedCallers } from "./forwarded-caller.ts";
import { openPeerClients } from "./peer-clients.ts";

/** Time that is kept for the way back, milliseconds. */
export const WAY_BACK_MS = 50;

/** Longest time for a connection, milliseconds. Instances are near each other, and a dead one must not hold its runs' callers. */
const CONNECT_MS = 500;

/** Nothing answers at the address: the call was not sent, so it may be made elsewhere. */
export class Unreached extends Error {
  readonly address: string;

  constructor(address: string, cause: Error) {
    super(`no instance answers at ${address}`, { cause });
    this.address = address;
  }
}

/** Connections to other instances. */
export interface Sender {
  /** Sends the call and answers what came back. Errors: those of the other instance; {@link Unreached}; RUN_MOVED when it said nothing, so the call may have been made. */
  send(
    address: string,
    method: ServedMethod,
    request: Message,
    call: CallContext,
    signal: AbortSignal,
  ): Promise<Message>;
  close(): void;
}

/** Opens connections when they are needed. */
export function openSender(callers: Pick<ForwardedCallers, "sign">, maxMessageBytes: number): Sender {
  const clients = openPeerClients(maxMessageBytes);
  return {
    send: async (address, method, request, call, signal) => {
      // Both ways here, not in the library: what cannot be encoded or decoded is an error of this call.
      const bytes = Buffer.from(toBinary(method.desc.input, request));
      const answer = await clients.use(address, async (client) => {
        await connect(client, address);
        return exchange(client, method, request, bytes, call, callers.sign(call.caller, method.path), signal);
      });
      return fromBinary(method.desc.output, answer);
    },
    close: () => clients.close(),
  };
}

function connect(client: Client, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + CONNECT_MS, (error) => {
      if (error === undefined) resolve();
      else reject(new Unreached(address, error));
    });
  });
}

function exchange(
  client: Client,
  method: ServedMethod,
  request: Message,
  bytes: Buffer,
  call: CallContext,
  proof: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(proof)) metadata.set(name, value);
    metadata.set("x-request-id", call.requestId);
    const deadline = Date.now() + Math.max(1, call.remainingMs() - WAY_BACK_MS);
    const stop = (): void => sent.cancel();
    const sent = client.makeUnaryRequest(
      method.path,
      asItIs,
      asItIs,
      bytes,
      metadata,
      { deadline },
      (error, answer) => {
        signal.removeEventListener("abort", stop);
        if (error === null) resolve(answer ?? Buffer.alloc(0));
        else reject(toAnswer(error, ownedRunOf(method, request)));
      },
    );
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop);
  });
}

const asItIs = (bytes: Buffer): Buffer => bytes;

/** What the other instance said; when it said nothing, the call may be sent again. */
function toAnswer(error: ServiceError, runId: string): OrchestratorError {
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (bytes instanceof Buffer) return new PassedError(fromBinary(StatusSchema, bytes));
  return toError("PEER_LOST", { runId }, { cause: error });
}
