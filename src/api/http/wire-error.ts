/**
 * Errors for responses that no protocol server creates: unknown methods, rejected origins, wrong HTTP methods and
 * content types. REST gets a `google.rpc.Status`, Connect its own JSON, and gRPC-Web and Connect streams their last
 * frame.
 */
import { toBinary } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { GRPC_CODE } from "../../base/error-catalog/entry.ts";
import type { OrchestratorError } from "../../base/errors.ts";
import type { Status } from "../../gen/google/rpc/status_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { toConnectHttp } from "../errors/http-status.ts";
import { encodeMessage, retryDelayMs, toStatus } from "../errors/status.ts";
import { REQUEST_ENCODINGS } from "../expand.ts";
import { printStatus } from "./print.ts";

/** Headers of every response: no caching, no content sniffing. */
export const DATA_HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff" } as const;

/** Flag of the last frame of a Connect stream. */
export const CONNECT_END = 0x02;
/** Flag of the trailers in gRPC-Web. */
export const GRPC_WEB_END = 0x80;

/** Errors of HTTP itself keep their status on Connect paths; the others have that of Connect. */
const HTTP_ERRORS = new Set([
  "HTTP_METHOD_NOT_ALLOWED",
  "HTTP_METHOD_UNKNOWN",
  "PROTOCOL_UNSUPPORTED",
  "HEADERS_TOO_LARGE",
  "TRANSFER_CODING_UNKNOWN",
]);

/** A path of Connect and gRPC-Web: package, service, method. */
const RPC_PATH = /^\/(?:\w+\.)+\w+\/\w+\/?$/;

export interface WireError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Whether a path has the form of Connect and gRPC-Web, served or not. */
export function isRpcPath(path: string): boolean {
  return RPC_PATH.test(path);
}

/** The error response for `path` and `contentType`. */
export function toWireError(
  error: OrchestratorError,
  requestId: string,
  path: string,
  contentType: string | undefined,
): WireError {
  const type = contentType?.toLowerCase() ?? "";
  if (type.startsWith("application/grpc-web")) {
    const frame = toFrame(GRPC_WEB_END, printTrailers(toStatus(error, { requestId, inHeaders: true })));
    const isText = type.startsWith("application/grpc-web-text");
    return {
      status: 200,
      headers: { "content-type": isText ? "application/grpc-web-text+proto" : "application/grpc-web+proto" },
      body: isText ? Buffer.from(frame.toString("base64"), "latin1") : frame,
    };
  }
  const headers: Record<string, string> = isRpcPath(path) ? { ...retryHeaders(error) } : { ...restHeaders(error) };
  const status = toStatus(error, { requestId });
  if (type.startsWith("application/connect+")) {
    const end = Buffer.from(JSON.stringify({ error: toConnectJson(status) }));
    return {
      status: 200,
      headers: { "content-type": type.startsWith("application/connect+proto") ? type : "application/connect+json" },
      body: toFrame(CONNECT_END, end),
    };
  }
  if (!isRpcPath(path)) {
    headers["content-type"] = "application/json; charset=utf-8";
    return { status: error.http, headers, body: Buffer.from(printStatus(status)) };
  }
  headers["content-type"] = "application/json";
  return {
    status: httpOf(error, status),
    headers,
    body: Buffer.from(JSON.stringify(toConnectJson(status))),
  };
}

/** What an error says in headers, besides its body: when to come back, and which encodings are read. */
export function restHeaders(error: OrchestratorError): Readonly<Record<string, string>> {
  const encodings = error.code === "PROTOCOL_UNSUPPORTED" ? { "accept-encoding": REQUEST_ENCODINGS } : {};
  return { ...retryHeaders(error), ...encodings };
}

/** `Retry-After`, if a retry helps. */
function retryHeaders(error: OrchestratorError): Readonly<Record<string, string>> {
  const retryMs = retryDelayMs(error);
  return retryMs === null ? {} : { "retry-after": String(Math.ceil(retryMs / 1_000)) };
}

function httpOf(error: OrchestratorError, status: Status): number {
  // The protocol requires it: intermediaries must see that nothing is at the URL.
  if (error.code === "METHOD_UNIMPLEMENTED") return 404;
  return HTTP_ERRORS.has(error.code) ? error.http : toConnectHttp(status.code);
}

export interface ConnectErrorJson {
  code: string;
  readonly message?: string;
  readonly details?: readonly { readonly type: string; readonly value: string }[];
}

/** A status in the JSON of Connect. */
export function toConnectJson(status: Status): ConnectErrorJson {
  return {
    code: NAMES[status.code] ?? "unknown",
    message: status.message,
    details: status.details.map((any) => ({
      type: any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1),
      value: base64Encode(any.value, "std_raw"),
    })),
  };
}

/** A status as gRPC-Web trailers. */
export function printTrailers(status: Status): Buffer {
  const details = base64Encode(toBinary(StatusSchema, status), "std_raw");
  return Buffer.from(
    `grpc-status: ${status.code}\r\ngrpc-message: ${encodeMessage(status.message)}\r\ngrpc-status-details-bin: ${details}\r\n`,
    "latin1",
  );
}

/** Prefixes data with a frame header. */
export function toFrame(flag: number, data: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(data.length, 1);
  return Buffer.concat([head, data]);
}

/** Code names of Connect by number: those of gRPC, except for one letter. */
const NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(GRPC_CODE).map(([name, code]) => [code, name === "CANCELLED" ? "canceled" : name.toLowerCase()]),
);
