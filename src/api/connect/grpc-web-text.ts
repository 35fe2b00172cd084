/**
 * `application/grpc-web-text`: gRPC-Web in base64 in both directions, translated from and to the binary form.
 *
 * A body can be several base64 texts in a row, each with its own padding, split anywhere. Each chunk of a response is
 * one such text.
 */
import type { UniversalServerRequest, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { type OrchestratorError, toError } from "../../base/errors.ts";

const TEXT_TYPE = /^application\/grpc-web-text(\+proto)?\s*(;|$)/i;

export function isGrpcWebText(contentType: string | null): boolean {
  return contentType !== null && TEXT_TYPE.test(contentType);
}

/** Converts a request to the binary form. Its body throws REQUEST_MALFORMED for invalid base64. */
export function toBinaryRequest(request: UniversalServerRequest): UniversalServerRequest {
  const header = new Headers(request.header);
  header.set("content-type", "application/grpc-web+proto");
  return { ...request, header, body: decodeBase64(request.body as AsyncIterable<Uint8Array>) };
}

/** Converts a response to the text form. */
export function toTextResponse(response: UniversalServerResponse): UniversalServerResponse {
  const header = new Headers(response.header);
  if (header.get("content-type")?.startsWith("application/grpc-web") !== true) return response;
  header.set("content-type", "application/grpc-web-text+proto");
  return response.body === undefined
    ? { ...response, header }
    : { ...response, header, body: encodeBase64(response.body) };
}

async function* decodeBase64(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let rest = "";
  for await (const chunk of body) {
    const text =
      rest +
      Buffer.from(chunk)
        .toString("latin1")
        .replaceAll(/[\r\n]/g, "");
    const whole = text.length - (text.length % 4);
    rest = text.slice(whole);
    if (whole > 0) yield decodeTexts(text.slice(0, whole));
  }
  if (rest !== "") throw malformed("the base64 of grpc-web-text is truncated");
}

/** Decodes groups of four characters; any of them can end with padding. */
function decodeTexts(text: string): Uint8Array {
  if (!/^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)*$/.test(text)) {
    throw malformed("the body of grpc-web-text is not base64");
  }
  const inner = text.indexOf("=");
  if (inner < 0 || inner >= text.length - 2) return Buffer.from(text, "base64");
  return Buffer.concat((text.match(/[^=]+={0,2}/g) ?? []).map((part) => Buffer.from(part, "base64")));
}

async function* encodeBase64(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  for await (const chunk of body)
    yield Buffer.from(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("base64"), "latin1");
}

function malformed(problem: string): OrchestratorError {
  return toError("REQUEST_MALFORMED", { problem });
}
