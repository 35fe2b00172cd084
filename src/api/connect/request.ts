/**
 * Takes the message out of a request before the Connect library sees it, and gives the library an empty one in its place.
 *
 * Why: the library decodes before any code of ours runs. Its JSON rounds integers that a double cannot hold and passes over unknown fields and enum values,
 * and its refusals have other codes than those of the other protocols. With the bytes in hand the pipeline decodes, as it does for gRPC and REST.
 */
import { promisify } from "node:util";
import { gunzip, gunzipSync } from "node:zlib";
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { createContextKey } from "@connectrpc/connect";
import type { UniversalServerRequest } from "@connectrpc/connect/protocol";
import { type OrchestratorError, toError } from "../../base/errors.ts";
import { toFrame } from "../http/wire-error.ts";
import { readBinary, readJson, readJsonBody } from "../read-message.ts";

/** The message of a request, as the handlers find it in the context. */
export interface TakenMessage {
  /** Decodes it. Errors: those of its form, MESSAGE_TOO_LARGE. */
  read(desc: DescMessage): Message;
}

/** Where handlers find the message. */
export const takenMessage = createContextKey<TakenMessage | null>(null);

const FRAMED = /^application\/(?:grpc-web|connect\+)/i;
const JSON_FORM = /^application\/(?:json|grpc-web\+json|connect\+json)\s*(?:;|$)/i;
const gunzipBytes = promisify(gunzip);

/** A request whose message was taken out. `message` may be read once the library has read the body. */
export interface TakenRequest {
  readonly request: UniversalServerRequest;
  readonly message: TakenMessage;
}

/** Takes the message. What does not have the form of the protocol is left for the library to refuse. */
export function takeMessage(request: UniversalServerRequest, maxBytes: number): TakenRequest {
  if (request.method === "GET") return takeFromQuery(request, maxBytes);
  const header = new Headers(request.header);
  const type = header.get("content-type") ?? "";
  const slot = new Slot(JSON_FORM.test(type), maxBytes);
  const isFramed = FRAMED.test(type);
  const isGzip = header.get(encodingHeader(type, isFramed)) === "gzip";
  const declared = Number(header.get("content-length") ?? "0");
  const source = request.body as AsyncIterable<Uint8Array>;
  header.delete("content-length");
  if (isGzip && !isFramed) header.delete("content-encoding");
  const body = isFramed ? slot.takeFrame(source, declared, isGzip) : slot.takeBody(source, declared, isGzip);
  return { request: { ...request, header, body }, message: slot };
}

/** Requests by GET carry their message in the query. */
function takeFromQuery(request: UniversalServerRequest, maxBytes: number): TakenRequest {
  const url = new URL(request.url);
  const query = url.searchParams;
  const slot = new Slot(query.get("encoding") === "json", maxBytes);
  slot.takeText(query.get("message") ?? "", query.get("base64") === "1", query.get("compression") === "gzip");
  query.set("message", Buffer.from(slot.standIn).toString("latin1"));
  query.delete("base64");
  if (query.get("compression") === "gzip") query.delete("compression");
  return { request: { ...request, url: url.toString() }, message: slot };
}

function encodingHeader(type: string, isFramed: boolean): string {
  if (!isFramed) return "content-encoding";
  return type.toLowerCase().startsWith("application/grpc-web") ? "grpc-encoding" : "connect-content-encoding";
}

/** Length of the head of a frame: flags and the length of its data. */
const HEAD_BYTES = 5;

class Slot implements TakenMessage {
  /** What the library gets to read in place of the message. */
  readonly standIn: Buffer;
  readonly #isJson: boolean;
  readonly #maxBytes: number;
  #bytes: Uint8Array | null = null;
  #error: OrchestratorError = toError("REQUEST_MALFORMED", { problem: "there is no message" });

  constructor(isJson: boolean, maxBytes: number) {
    this.#isJson = isJson;
    this.#maxBytes = maxBytes;
    this.standIn = Buffer.from(isJson ? "{}" : "");
  }

  read(desc: DescMessage): Message {
    if (this.#bytes === null) throw this.#error;
    return this.#isJson ? readJson(desc, readJsonBody(this.#bytes, this.#maxBytes)) : readBinary(desc, this.#bytes);
  }

  async *takeBody(body: AsyncIterable<Uint8Array>, declared: number, isGzip: boolean): AsyncIterable<Uint8Array> {
    const bytes = declared > this.#maxBytes ? null : await collect(body, this.#maxBytes);
    if (bytes === null) this.#error = this.#tooLarge();
    else await this.#fill(bytes, isGzip);
    yield this.standIn;
  }

  async *takeFrame(body: AsyncIterable<Uint8Array>, declared: number, isGzip: boolean): AsyncIterable<Uint8Array> {
    const limit = this.#maxBytes + HEAD_BYTES;
    const bytes = declared > limit ? null : await collect(body, limit);
    if (bytes === null) this.#error = this.#tooLarge();
    else if (
      bytes.length < HEAD_BYTES ||
      bytes.readUInt32BE(1) !== bytes.length - HEAD_BYTES ||
      !isData(bytes, isGzip)
    ) {
      yield bytes;
      return;
    } else await this.#fill(bytes.subarray(HEAD_BYTES), bytes[0] === 1);
    yield toFrame(0, this.standIn);
  }

  takeText(text: string, isBase64: boolean, isGzip: boolean): void {
    if (isBase64 && !/^[\w+/-]*={0,2}$/.test(text)) {
      this.#error = toError("REQUEST_MALFORMED", { problem: "the message is not base64" });
      return;
    }
    const bytes = Buffer.from(text, isBase64 ? "base64" : "utf8");
    try {
      this.#bytes = isGzip ? gunzipSync(bytes, { maxOutputLength: this.#maxBytes }) : bytes;
    } catch (cause) {
      this.#error = this.#unpackError(cause);
    }
  }

  async #fill(bytes: Buffer, isGzip: boolean): Promise<void> {
    try {
      this.#bytes = isGzip ? await gunzipBytes(bytes, { maxOutputLength: this.#maxBytes }) : bytes;
    } catch (cause) {
      this.#error = this.#unpackError(cause);
    }
  }

  #unpackError(cause: unknown): OrchestratorError {
    if ((cause as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE") return this.#tooLarge();
    return toError("REQUEST_MALFORMED", { problem: "the compressed message is no gzip" }, { cause });
  }

  #tooLarge(): OrchestratorError {
    return toError("MESSAGE_TOO_LARGE", { direction: "request", limit: this.#maxBytes });
  }
}

/** Whether the frame holds a message, in a form that we read. */
function isData(frame: Buffer, isGzip: boolean): boolean {
  return frame[0] === 0 || (frame[0] === 1 && isGzip);
}

/** All bytes of a body; null when there are more than `maxBytes`. The rest is read all the same: a connection is of no use before. */
async function collect(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length <= maxBytes) chunks.push(chunk);
    else chunks.length = 0;
  }
  return length > maxBytes ? null : Buffer.concat(chunks);
}
