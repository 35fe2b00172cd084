/** The client over gRPC. Calls that may be repeated are sent again while the service is away for a moment. */
import { setTimeout as sleep } from "node:timers/promises";
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ServiceError } from "@grpc/grpc-js";
import { Client, credentials, status as GrpcStatus, Metadata } from "@grpc/grpc-js";
import { isOrchestratorError, type OrchestratorError, toError } from "../../base/errors.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { type ApiClient, type ClientCallOptions, fromStatus, isRepeatable } from "../client/client.ts";
import { readAddress } from "./address.ts";

/** Where the service is and how to speak to it. */
export interface GrpcTarget {
  /** `host`, `host:port`, `http://host:port`, or `https://host:port` for TLS. */
  readonly address: string;
  /** Sent as `authorization: Bearer …`. */
  readonly token?: string;
  /** Further metadata of every call. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Largest message, both ways, in bytes; 64 MiB. */
  readonly maxMessageBytes?: number;
}

const DEADLINE_MS = 30_000;

/** Pauses before a call is sent again, milliseconds. */
const RETRY_PAUSES_MS = [100, 300, 900] as const;

/** Opens a client. It connects with the first call. Error: ADDRESS_INVALID. */
export function openGrpcClient(options: GrpcTarget): ApiClient {
  const { address, token, maxMessageBytes = 64 * 1_024 * 1_024 } = options;
  const { host, port, secure } = readAddress(address);
  const target = `${host}:${port}`;
  const channel = secure ? credentials.createSsl() : credentials.createInsecure();
  const client = new Client(target, channel, {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    "grpc.keepalive_time_ms": 60_000,
    // A proxy named in the environment must not see calls to the own machine.
    "grpc.enable_http_proxy": isOwnMachine(target) ? 0 : 1,
  });
  const metadata = (): Metadata => {
    const headers = new Metadata();
    for (const [name, value] of Object.entries(options.headers ?? {})) headers.set(name, value);
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    return headers;
  };
  const callOnce = (method: DescMethod, request: Message, options: ClientCallOptions): Promise<Message> =>
    new Promise((resolve, reject) => {
      const call = client.makeUnaryRequest(
        pathOf(method),
        (message: Message) => Buffer.from(toBinary(method.input, message)),
        (bytes: Buffer) => fromBinary(method.output, bytes),
        request,
        metadata(),
        { deadline: Date.now() + (options.timeoutMs ?? DEADLINE_MS) },
        (error, answer) => {
          options.signal?.removeEventListener("abort", cancel);
          if (error !== null) reject(fromServiceError(error, address));
          else resolve(answer as Message);
        },
      );
      const cancel = () => call.cancel();
      if (options.signal?.aborted === true) cancel();
      else options.signal?.addEventListener("abort", cancel, { once: true });
    });
  return {
    async call(method, init, options = {}) {
      const request = create(method.input, init);
      const repeatable = isRepeatable(method, request as { readonly requestId?: unknown });
      for (let tries = 0; ; tries++) {
        try {
          return (await callOnce(method, request, options)) as never;
        } catch (error) {
          const pause = RETRY_PAUSES_MS[tries];
          if (!repeatable || pause === undefined || !isOrchestratorError(error) || error.grpc !== "UNAVAILABLE")
            throw error;
          await sleep(pause, undefined, options.signal === undefined ? {} : { signal: options.signal });
        }
      }
    },
    async *stream(method, init, options = {}) {
      const { input, output }: DescMethod = method;
      const call = client.makeServerStreamRequest(
        pathOf(method),
        (message: Message) => Buffer.from(toBinary(input, message)),
        (bytes: Buffer) => fromBinary(output, bytes),
        create(method.input, init) as Message,
        metadata(),
        options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs },
      );
      const cancel = () => call.cancel();
      if (options.signal?.aborted === true) cancel();
      options.signal?.addEventListener("abort", cancel, { once: true });
      try {
        for await (const message of call) yield message as never;
      } catch (error) {
        throw fromServiceError(error as ServiceError, address);
      } finally {
        options.signal?.removeEventListener("abort", cancel);
        call.cancel();
      }
    },
    async close() {
      client.close();
    },
  };
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function isOwnMachine(target: string): boolean {
  return /^(localhost|127\.[\d.]+|\[::1\]):/.test(target);
}

/** What the service said, or what kept it from saying anything. */
function fromServiceError(error: ServiceError, address: string): OrchestratorError {
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (bytes instanceof Buffer) return fromStatus(fromBinary(StatusSchema, bytes));
  const problem = error.details || error.message;
  if (error.code === GrpcStatus.UNAVAILABLE)
    return toError("SERVICE_UNREACHABLE", { address, problem: shorten(problem) }, { cause: error });
  if (error.code === GrpcStatus.CANCELLED) return toError("REQUEST_CANCELLED", {}, { cause: error });
  if (error.code === GrpcStatus.DEADLINE_EXCEEDED) return toError("DEADLINE_EXCEEDED", {}, { cause: error });
  const [, size, limit] = /larger than max \((\d+) vs\.? (\d+)\)/.exec(problem) ?? [];
  if (error.code === GrpcStatus.RESOURCE_EXHAUSTED && size !== undefined && limit !== undefined)
    return toError(
      "MESSAGE_TOO_LARGE",
      { direction: /^received/i.test(problem) ? "response" : "request", limit, size },
      { cause: error },
    );
  return toError("CALL_REFUSED", { status: GrpcStatus[error.code] ?? "UNKNOWN", message: problem }, { cause: error });
}

/** grpc-js strings the whole story of a failed connection together; its last part says what happened. */
function shorten(problem: string): string {
  const reason = /Last error: (?:Error: )?(.*?)\.?(?: Resolution note:.*)?$/.exec(problem)?.[1] ?? problem;
  return reason.length > 200 ? `${reason.slice(0, 199)}…` : reason;
}
