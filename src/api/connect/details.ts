/**
 * Adds details to errors that the Connect library creates itself, before or after the handlers: broken frames, messages
 * over the limit, unknown compression. The library returns a bare code and message; here they become errors of the
 * catalog with the ErrorInfo that every error has.
 */
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { readAllBytes } from "@connectrpc/connect/protocol";
import type { OrchestratorError } from "../../base/errors.ts";
import { toError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Status } from "../../gen/google/rpc/status_pb.ts";
import { toConnectHttp } from "../errors/http-status.ts";
import { classifyError, toStatus } from "../errors/status.ts";
import { tooLarge } from "../expand.ts";
import type { ConnectErrorJson } from "../http/wire-error.ts";
import { CONNECT_END, GRPC_WEB_END, printTrailers, toConnectJson, toFrame, toWireError } from "../http/wire-error.ts";
import { FRAME_EXPECTED } from "./request.ts";

/** Larger responses are not inspected: errors without details have a line or two. */
const MAX_ERROR_BYTES = 8_192;

export interface DetailParts {
  readonly maxMessageBytes: number;
  readonly log: Log;
  /** Path of the method. */
  readonly path: string;
  /** HTTP method and content type of the request. */
  readonly verb: string;
  readonly contentType: string | undefined;
  readonly requestId: string;
}

/** Adds details to an error response without any. Other responses pass unchanged. */
export async function withDetails(
  response: UniversalServerResponse,
  parts: DetailParts,
): Promise<UniversalServerResponse> {
  const { body } = response;
  const type = new Headers(response.header).get("content-type") ?? "";
  if (body === undefined) return response.status < 400 ? response : refuse(response, parts);
  // Only a response with details is long enough to be compressed.
  if (new Headers(response.header).has("content-encoding")) return response;
  if (response.status >= 400 && type === "application/json") {
    const bytes = await readAllBytes(body, Number.MAX_SAFE_INTEGER);
    const status = bytes.length > MAX_ERROR_BYTES ? null : completeJson(parseError(bytes), parts);
    if (status === null) return { ...response, body: once(bytes) };
    const header = new Headers(response.header);
    const completed = Buffer.from(JSON.stringify(toConnectJson(status)));
    header.set("content-length", String(completed.length));
    return { ...response, status: toConnectHttp(status.code), header, body: once(completed) };
  }
  if (type.startsWith("application/grpc-web"))
    return { ...response, body: mapLast(body, GRPC_WEB_END, (data) => completeTrailer(data, parts)) };
  if (type.startsWith("application/connect+"))
    return { ...response, body: mapLast(body, CONNECT_END, (data) => completeEnd(data, parts)) };
  return response;
}

/** A rejection without a body: wrong content type or HTTP method. */
function refuse(response: UniversalServerResponse, parts: DetailParts): UniversalServerResponse {
  const refusal = toError("PROTOCOL_UNSUPPORTED", { problem: WRONG_TYPE });
  const { status, headers, body } = toWireError(refusal, parts.requestId, parts.path, parts.contentType);
  const header = new Headers(response.header);
  for (const [name, value] of Object.entries(headers)) header.set(name, value);
  return { ...response, status, header, body: once(body) };
}

const WRONG_TYPE =
  "this method does not accept the content type; use application/json, application/proto, application/grpc-web, application/grpc-web-text, or their forms for streams";

function parseError(bytes: Uint8Array): Partial<ConnectErrorJson> {
  return JSON.parse(Buffer.from(bytes).toString("utf8")) as Partial<ConnectErrorJson>;
}

function completeEnd(data: Buffer, parts: DetailParts): Buffer {
  const end = JSON.parse(data.toString("utf8")) as { error?: Partial<ConnectErrorJson> };
  const status = end.error === undefined ? null : completeJson(end.error, parts);
  return status === null ? data : Buffer.from(JSON.stringify({ ...end, error: toConnectJson(status) }));
}

function completeTrailer(data: Buffer, parts: DetailParts): Buffer {
  const lines = data.toString("latin1").split("\r\n");
  const lineOf = (name: string): string | undefined =>
    lines
      .find((line) => line.slice(0, line.indexOf(":")).toLowerCase() === name)
      ?.slice(name.length + 1)
      .trim();
  const code = Number(lineOf("grpc-status") ?? "0");
  if (code === 0 || lineOf("grpc-status-details-bin") !== undefined) return data;
  return printTrailers(
    statusOf(CODE_NAMES[code] ?? "unknown", decodeURIComponent(lineOf("grpc-message") ?? ""), parts),
  );
}

/** The status for an error without details; null if it has them. */
function completeJson(error: Partial<ConnectErrorJson>, parts: DetailParts): Status | null {
  if (error.details !== undefined && error.details.length > 0) return null;
  return statusOf(error.code ?? "unknown", error.message ?? "", parts);
}

const CODE_NAMES: Readonly<Record<number, string>> = {
  1: "canceled",
  3: "invalid_argument",
  4: "deadline_exceeded",
  8: "resource_exhausted",
  12: "unimplemented",
  13: "internal",
};

function statusOf(code: string, problem: string, parts: DetailParts): Status {
  return toStatus(errorOf(code, problem, parts), { requestId: parts.requestId, inHeaders: true });
}

function errorOf(code: string, problem: string, parts: DetailParts): OrchestratorError {
  switch (code) {
    case "canceled":
      return toError("REQUEST_CANCELLED");
    case "deadline_exceeded":
      return toError("DEADLINE_EXCEEDED");
    case "resource_exhausted":
      return tooLarge("response", parts.maxMessageBytes);
    case "unimplemented":
      return toError("PROTOCOL_UNSUPPORTED", { problem: wordsFor(problem, parts) });
    case "internal":
      // Our code reads requests, so this is a response that the library could not write.
      return classifyError(new Error(problem), parts.log, parts.path, parts);
    default:
      return toError("REQUEST_MALFORMED", { problem: wordsFor(problem, parts) });
  }
}

/** Our message for an error of the library. */
function wordsFor(problem: string, { path }: DetailParts): string {
  if (/protocol-version/i.test(problem)) return 'the header connect-protocol-version must be "1"';
  if (/missing|extra/i.test(problem)) return `${path} takes exactly one message`;
  if (/compress/i.test(problem)) return "a message is marked as compressed, but no header names its encoding";
  return FRAME_EXPECTED;
}

/** Maps the data of the last frame, which is in a chunk of its own. */
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
    yield toFrame(flag, change(bytes.subarray(5)));
  }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
