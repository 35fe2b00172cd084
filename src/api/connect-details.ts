/**
 * Details for errors that the Connect library makes by itself, before or after the handlers: bytes that are no message, messages over the limit,
 * unknown compression. It answers them with a bare code and sentence; here they get the ErrorInfo that every error has.
 */
import { toBinary } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { readAllBytes } from "@connectrpc/connect/protocol";
import type { OrchestratorError } from "../base/errors.ts";
import { toError } from "../base/errors.ts";
import type { Status } from "../gen/google/rpc/status_pb.ts";
import { StatusSchema } from "../gen/google/rpc/status_pb.ts";
import { toStatus } from "./errors.ts";
import { printStatus } from "./rest-print.ts";

/** Flags of the last frame of a stream. */
const CONNECT_END = 0x02;
const GRPC_WEB_END = 0x80;

/** Largest answer that is looked at; errors without details are a line or two. */
const MAX_ERROR_BYTES = 8_192;

/** Adds details to an answer that is an error without any. Other answers pass as they are. */
export async function withDetails(
  response: UniversalServerResponse,
  maxMessageBytes: number,
): Promise<UniversalServerResponse> {
  const { body } = response;
  const type = new Headers(response.header).get("content-type") ?? "";
  if (body === undefined) return response.status < 400 ? response : refuse(response);
  // Only an answer with details is long enough to be compressed.
  if (new Headers(response.header).has("content-encoding")) return response;
  if (response.status >= 400 && type === "application/json") {
    const bytes = await readAllBytes(body, Number.MAX_SAFE_INTEGER);
    const completed = completeConnect(bytes, maxMessageBytes);
    const header = new Headers(response.header);
    header.set("content-length", String(completed.length));
    return { ...response, header, body: once(completed) };
  }
  if (type.startsWith("application/grpc-web"))
    return { ...response, body: mapLast(body, GRPC_WEB_END, (data) => completeTrailer(data, maxMessageBytes)) };
  if (type.startsWith("application/connect+"))
    return { ...response, body: mapLast(body, CONNECT_END, (data) => completeEnd(data, maxMessageBytes)) };
  return response;
}

/** A refusal without a body: wrong content type or HTTP method. */
function refuse(response: UniversalServerResponse): UniversalServerResponse {
  const problem =
    response.status === 415
      ? "the content type is not one of this method: application/json, application/proto, application/grpc-web, application/grpc-web-text, or their forms for streams"
      : `this method is not served in that way (HTTP status ${response.status})`;
  const header = new Headers(response.header);
  header.set("content-type", "application/json");
  return {
    ...response,
    header,
    body: once(Buffer.from(printStatus(toStatus(toError("PROTOCOL_UNSUPPORTED", { problem }))))),
  };
}

function completeConnect(bytes: Uint8Array, maxMessageBytes: number): Uint8Array {
  if (bytes.length > MAX_ERROR_BYTES) return bytes;
  const error = JSON.parse(Buffer.from(bytes).toString("utf8")) as ConnectErrorJson;
  return completeJson(error, maxMessageBytes) ? Buffer.from(JSON.stringify(error)) : bytes;
}

function completeEnd(data: Buffer, maxMessageBytes: number): Buffer {
  const end = JSON.parse(data.toString("utf8")) as { error?: ConnectErrorJson };
  if (end.error === undefined || !completeJson(end.error, maxMessageBytes)) return data;
  return Buffer.from(JSON.stringify(end));
}

function completeTrailer(data: Buffer, maxMessageBytes: number): Buffer {
  const lines = new Map(
    data
      .toString("latin1")
      .split("\r\n")
      .map(
        (line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()] as const,
      ),
  );
  const code = Number(lines.get("grpc-status") ?? "0");
  if (code === 0 || lines.has("grpc-status-details-bin")) return data;
  const status = statusOf(
    CODE_NAMES[code] ?? "unknown",
    decodeURIComponent(lines.get("grpc-message") ?? ""),
    maxMessageBytes,
  );
  return Buffer.concat([
    data,
    Buffer.from(`grpc-status-details-bin: ${base64Encode(toBinary(StatusSchema, status), "std_raw")}\r\n`, "latin1"),
  ]);
}

interface ConnectErrorJson {
  readonly code?: string;
  readonly message?: string;
  details?: { type: string; value: string }[];
}

function completeJson(error: ConnectErrorJson, maxMessageBytes: number): boolean {
  if (error.details !== undefined && error.details.length > 0) return false;
  const { details } = statusOf(error.code ?? "unknown", error.message ?? "", maxMessageBytes);
  error.details = details.map((any) => ({
    type: any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1),
    value: base64Encode(any.value, "std_raw"),
  }));
  return true;
}

const CODE_NAMES: Readonly<Record<number, string>> = {
  1: "canceled",
  3: "invalid_argument",
  4: "deadline_exceeded",
  8: "resource_exhausted",
  12: "unimplemented",
};

function statusOf(code: string, problem: string, maxMessageBytes: number): Status {
  return toStatus(errorOf(code, problem, maxMessageBytes));
}

function errorOf(code: string, problem: string, limit: number): OrchestratorError {
  switch (code) {
    case "canceled":
      return toError("REQUEST_CANCELLED");
    case "deadline_exceeded":
      return toError("DEADLINE_EXCEEDED");
    case "resource_exhausted":
      return toError("MESSAGE_TOO_LARGE", { direction: "message", limit });
    case "unimplemented":
      return toError("PROTOCOL_UNSUPPORTED", { problem });
    default:
      return toError("REQUEST_MALFORMED", { problem });
  }
}

/** Changes the data of the last frame, which stands in a chunk of its own. */
async function* mapLast(
  body: AsyncIterable<Uint8Array>,
  flag: number,
  change: (data: Buffer) => Buffer,
): AsyncIterable<Uint8Array> {
  for await (const chunk of body) {
    if (chunk[0] !== flag || chunk.length > MAX_ERROR_BYTES) {
      yield chunk;
      continue;
    }
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const data = change(bytes.subarray(5));
    const head = Buffer.alloc(5);
    head[0] = flag;
    head.writeUInt32BE(data.length, 1);
    yield Buffer.concat([head, data]);
  }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
