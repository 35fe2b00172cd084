/**
 * Calls for runs that another instance owns. The engine refuses them with RUN_MOVED before anything happened; here they are sent on, over gRPC and once:
 * the instance that gets a forwarded call does not forward it again, so two instances that disagree cannot play ball with it.
 */
import { fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { ServiceError } from "@grpc/grpc-js";
import { Metadata } from "@grpc/grpc-js";
import { isOrchestratorError, type OrchestratorError, toError } from "../base/errors.ts";
import type { Engine } from "../engine/port.ts";
import { StatusSchema } from "../gen/google/rpc/status_pb.ts";
import type { CallContext, UnaryHandler } from "./call.ts";
import { ACTOR_KEY, encodeActor } from "./caller.ts";
import { fromStatus } from "./client.ts";
import type { ServedMethod } from "./methods.ts";
import { openPeerClients } from "./peer-clients.ts";

/** Metadata of a call that another instance sent on. */
export const FORWARDED_KEY = "x-orchestrator-forwarded";

/** Time that is kept for the way back, milliseconds. */
const WAY_BACK_MS = 50;

/** Sends calls on. */
export interface Forwarder {
  /** The methods, those for single runs with forwarding. */
  wrap(methods: readonly ServedMethod[]): readonly ServedMethod[];
  /** Closes the connections to other instances. */
  close(): void;
}

/** Forwards to the instances that the engine names. */
export function createForwarder(engine: Pick<Engine, "ownerOf">, maxMessageBytes: number): Forwarder {
  const clients = openPeerClients(maxMessageBytes);
  const send = (address: string, method: ServedMethod, runId: string, bytes: Buffer, call: CallContext) =>
    clients.use(
      address,
      (client) =>
        new Promise<Buffer>((resolve, reject) => {
          const metadata = new Metadata();
          metadata.set(FORWARDED_KEY, "1");
          metadata.set("x-request-id", call.requestId);
          if (call.caller.actor !== "") metadata.set(ACTOR_KEY, encodeActor(call.caller.actor));
          const sent = client.makeUnaryRequest(
            method.path,
            asItIs,
            asItIs,
            bytes,
            metadata,
            { deadline: Date.now() + Math.max(1, call.remainingMs() - WAY_BACK_MS) },
            (error, answer) => {
              if (error === null) resolve(answer ?? Buffer.alloc(0));
              else reject(toAnswer(error, runId));
            },
          );
          call.signal.addEventListener("abort", () => sent.cancel(), { once: true });
        }),
    );

  const wrapHandler = (method: ServedMethod, handler: UnaryHandler): UnaryHandler => {
    return (request, call) =>
      handler(request, call).catch(async (error: unknown) => {
        if (call.forwarded || !isOrchestratorError(error) || error.code !== "RUN_MOVED") throw error;
        const owner = await engine.ownerOf(runIdOf(request));
        if (owner === null) throw error;
        // Both ways here, not in the library: what cannot be encoded or decoded is an error of this call.
        const bytes = Buffer.from(toBinary(method.desc.input, request));
        return fromBinary(method.desc.output, await send(owner, method, runIdOf(request), bytes, call));
      });
  };

  return {
    wrap: (methods) =>
      methods.map((method) => {
        const isForRun = method.desc.input.fields.some((field) => field.name === "run_id");
        return method.unary === null || !isForRun ? method : { ...method, unary: wrapHandler(method, method.unary) };
      }),
    close: () => clients.close(),
  };
}

const asItIs = (bytes: Buffer): Buffer => bytes;

function runIdOf(request: Message): string {
  return (request as unknown as { readonly runId: string }).runId;
}

/** What the other instance said; when it said nothing, the call may be sent again. */
function toAnswer(error: ServiceError, runId: string): OrchestratorError {
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (bytes instanceof Buffer) return fromStatus(fromBinary(StatusSchema, bytes));
  return toError("RUN_MOVED", { runId }, { cause: error });
}
