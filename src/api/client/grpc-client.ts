/** The client over gRPC. It retries calls that can be repeated when the service is briefly unavailable. */
import { setTimeout as sleep } from "node:timers/promises";
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { GRPC_CODE, GRPC_NAME } from "../../base/error-catalog/entry.ts";
import { isOrchestratorError, toError } from "../../base/errors.ts";
import { fromStatus } from "../errors/from-status.ts";
import { isRepeatable } from "../errors/repeatable.ts";
import { readAddress } from "./address.ts";
import type { ApiClient } from "./client.ts";
import { openGrpcChannel } from "./grpc-channel.ts";
import { GrpcFailure } from "./grpc-failure.ts";

/** Address and settings of a client. */
export interface GrpcTarget {
  /** `host`, `host:port`, `http://host:port`, or `https://host:port` for TLS. */
  readonly address: string;
  /** Sent as `authorization: Bearer …`. */
  readonly token?: string;
  /** Additional metadata for every call. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Largest message in either direction, bytes; default 64 MiB. */
  readonly maxMessageBytes?: number;
}

const DEADLINE_MS = 30_000;

/** Delays before retries, milliseconds. */
const RETRY_PAUSES_MS = [100, 300, 900] as const;

/** Opens a client, which connects with its first call. Error: ADDRESS_INVALID. */
export function openGrpcClient({ address, token, headers, maxMessageBytes = 2 ** 26 }: GrpcTarget): ApiClient {
  const { host, port, secure } = readAddress(address);
  // Calls to the local machine never go through a proxy.
  const useProxy = !/^(localhost|127\.[\d.]+|\[::1\])$/.test(host);
  const channel = openGrpcChannel({ host, port, secure, maxMessageBytes, useProxy });
  const metadata = token === undefined ? { ...headers } : { ...headers, authorization: `Bearer ${token}` };
  return {
    async call(method, init, { timeoutMs = DEADLINE_MS, signal } = {}) {
      const request = create(method.input, init);
      const bytes = toBinary(method.input, request);
      const repeatable = isRepeatable(method, request as { readonly requestId?: unknown });
      const options = { metadata, timeoutMs, ...(signal === undefined ? {} : { signal }) };
      for (let tries = 0; ; tries++) {
        try {
          return fromBinary(method.output, await channel.unary(pathOf(method), bytes, options));
        } catch (thrown) {
          const error = fromFailure(thrown, address);
          const pause = RETRY_PAUSES_MS[tries];
          if (!repeatable || pause === undefined || !isOrchestratorError(error) || error.grpc !== "UNAVAILABLE")
            throw error;
          await sleep(pause, undefined, signal === undefined ? {} : { signal }).catch((cause: unknown) => {
            throw toError("REQUEST_CANCELLED", {}, { cause });
          });
        }
      }
    },
    async *stream(method, init, options = {}) {
      const { input }: DescMethod = method;
      const bytes = toBinary(input, create(method.input, init) as Message);
      try {
        for await (const answer of channel.stream(pathOf(method), bytes, { ...options, metadata }))
          yield fromBinary(method.output, answer);
      } catch (thrown) {
        throw fromFailure(thrown, address);
      }
    },
    async close() {
      channel.close();
    },
  };
}

/** Path of a method on the wire. */
function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/**
 * Converts a failed call to the error of the service, or to one about the connection; returns other errors unchanged.
 */
function fromFailure(failure: unknown, address: string): unknown {
  if (!(failure instanceof GrpcFailure)) return failure;
  const { code, status, message } = failure;
  if (status !== null) return fromStatus(status);
  const cause = { cause: failure };
  switch (code) {
    case GRPC_CODE.UNAVAILABLE:
      return toError("SERVICE_UNREACHABLE", { address, problem: shorten(message) }, cause);
    case GRPC_CODE.CANCELLED:
      return toError("REQUEST_CANCELLED", {}, cause);
    case GRPC_CODE.DEADLINE_EXCEEDED:
      return toError("DEADLINE_EXCEEDED", {}, cause);
    case GRPC_CODE.RESOURCE_EXHAUSTED: {
      const [, size, limit] = /larger than max \((\d+) vs\.? (\d+)\)/.exec(message) ?? [];
      if (size === undefined || limit === undefined) break;
      const direction = /^received/i.test(message) ? "response" : "request";
      return toError("MESSAGE_TOO_LARGE", { direction, limit, size }, cause);
    }
  }
  return toError("CALL_REFUSED", { status: GRPC_NAME[code] ?? "UNKNOWN", message }, cause);
}

/** grpc-js concatenates the history of a failed connection; the last part is the cause. */
function shorten(problem: string): string {
  const reason = /Last error: (?:Error: )?(.*?)\.?(?: Resolution note:.*)?$/.exec(problem)?.[1] ?? problem;
  return reason.length > 200 ? `${reason.slice(0, 199)}…` : reason;
}
