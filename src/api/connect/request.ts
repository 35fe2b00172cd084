/**
 * Takes the message out of a request before the Connect library reads it, and gives the library an empty one instead.
 *
 * The library decodes before any of our code runs. Its JSON rounds integers that a double cannot represent, ignores
 * unknown fields and enum values, and its errors have different codes from those of the other protocols. With the
 * bytes, the pipeline decodes as it does for gRPC and REST.
 */
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { createContextKey } from "@connectrpc/connect";
import type { UniversalServerRequest } from "@connectrpc/connect/protocol";
import { isOrchestratorError, type OrchestratorError, toError } from "../../base/errors.ts";
import { fieldError } from "../../base/field-error.ts";
import type { BodyTime } from "../calls/call-timeout.ts";
import { checkEncoding, expand, isEncoded, tooLarge } from "../expand.ts";
import { toFrame } from "../http/wire-error.ts";
import { readBinary, readJson, readJsonBody, STANDS_TWICE } from "../requests/read-message.ts";

/** The message of a request, which handlers find in the context. */
export interface TakenMessage {
  /** Expands a message from a query; await it before {@link TakenMessage.read}. */
  expand(): Promise<void>;
  /** Decodes the message. Errors: those of its form, MESSAGE_TOO_LARGE. */
  read(desc: DescMessage): Message;
}

/** Context key of the message. */
export const takenMessage = createContextKey<TakenMessage | null>(null);

const FRAMED = /^application\/(?:grpc-web|connect\+)/i;
const JSON_FORM = /^application\/(?:json|grpc-web\+json|connect\+json)\s*(?:;|$)/i;

/** Size limits of requests, bytes. */
export interface RequestLimits {
  readonly maxMessageBytes: number;
  readonly maxPayloadBytes: number;
}

/** A request without its message. `message` can be read after the library has read the body. */
export interface TakenRequest {
  readonly request: UniversalServerRequest;
  readonly message: TakenMessage;
}

/**
 * Takes the message out, within the time limit. The library rejects requests that do not have the form of the protocol.
 */
export function takeMessage(request: UniversalServerRequest, limits: RequestLimits, time: BodyTime): TakenRequest {
  if (request.method === "GET") return takeFromQuery(request, limits);
  const header = new Headers(request.header);
  const type = header.get("content-type") ?? "";
  const slot = new Slot(JSON_FORM.test(type), limits);
  const isFramed = FRAMED.test(type);
  const encoding = header.get(encodingHeader(type, isFramed)) ?? "";
  const declared = Number(header.get("content-length") ?? "0");
  const source: Source = { chunks: request.body as AsyncIterable<Uint8Array>, declared, encoding, time };
  header.delete("content-length");
  header.delete(encodingHeader(type, isFramed));
  slot.checkEncoding(encoding);
  const body = isFramed ? slot.takeFrame(source) : slot.takeBody(source);
  return { request: { ...request, header, body }, message: slot };
}

/** A GET request carries its message in the query. */
function takeFromQuery(request: UniversalServerRequest, limits: RequestLimits): TakenRequest {
  const url = new URL(request.url);
  const query = url.searchParams;
  const slot = new Slot(query.get("encoding") === "json", limits);
  for (const name of QUERY_FIELDS) if (query.getAll(name).length > 1) slot.refuse(fieldError(name, STANDS_TWICE));
  slot.takeText(query.get("message") ?? "", query.get("base64") === "1", query.get("compression") ?? "");
  query.set("message", Buffer.from(slot.standIn).toString("latin1"));
  query.delete("base64");
  query.delete("compression");
  return { request: { ...request, url: url.toString() }, message: slot };
}

function encodingHeader(type: string, isFramed: boolean): string {
  if (!isFramed) return "content-encoding";
  return type.toLowerCase().startsWith("application/grpc-web") ? "grpc-encoding" : "connect-content-encoding";
}

const QUERY_FIELDS = ["message", "encoding", "base64", "compression", "connect"];

/** The source of a message. */
interface Source {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Declared length, bytes; 0 if none is declared. */
  readonly declared: number;
  readonly encoding: string;
  readonly time: BodyTime;
}

/** Length of a frame header: one byte of flags and the length of the data. */
const HEAD_BYTES = 5;

class Slot implements TakenMessage {
  /** What the library reads instead of the message. */
  readonly standIn: Buffer;
  readonly #isJson: boolean;
  readonly #limits: RequestLimits;
  readonly #maxBytes: number;
  #bytes: Uint8Array | null = null;
  #packed: { readonly bytes: Uint8Array; readonly encoding: string } | null = null;
  #error: OrchestratorError | null = null;

  constructor(isJson: boolean, limits: RequestLimits) {
    this.#isJson = isJson;
    this.#limits = limits;
    this.#maxBytes = limits.maxMessageBytes;
    this.standIn = Buffer.from(isJson ? "{}" : "");
  }

  read(desc: DescMessage): Message {
    if (this.#error !== null) throw this.#error;
    if (this.#bytes === null) throw toError("REQUEST_MALFORMED", { problem: "the request has no message" });
    const { maxMessageBytes, maxPayloadBytes } = this.#limits;
    if (!this.#isJson) return readBinary(desc, this.#bytes, maxPayloadBytes);
    return readJson(desc, readJsonBody(desc, this.#bytes, maxMessageBytes), maxPayloadBytes);
  }

  async expand(): Promise<void> {
    const packed = this.#packed;
    this.#packed = null;
    if (packed === null) return;
    try {
      this.#bytes = await expand(packed.bytes, packed.encoding, this.#maxBytes);
    } catch (error) {
      this.refuse(error as OrchestratorError);
    }
  }

  /** Marks the message as unreadable. The first reason counts. */
  refuse(error: OrchestratorError): void {
    this.#error ??= error;
  }

  /** The encoding in the header must be known even if the message does not use it. */
  checkEncoding(encoding: string): void {
    try {
      checkEncoding(encoding);
    } catch (error) {
      this.refuse(error as OrchestratorError);
    }
  }

  async *takeBody(source: Source): AsyncIterable<Uint8Array> {
    const bytes = await this.#collect(source, this.#maxBytes);
    if (bytes !== null) {
      this.#fill(bytes, bytes.length > 0 ? source.encoding : "");
      await this.expand();
    }
    yield this.standIn;
  }

  async *takeFrame(source: Source): AsyncIterable<Uint8Array> {
    const bytes = await this.#collect(source, this.#maxBytes + HEAD_BYTES);
    if (bytes !== null) {
      const messages = countMessages(bytes);
      if (messages !== null && messages !== 1) {
        // The library rejects any number but one, so two messages are enough.
        for (let at = 0; at < Math.min(messages, 2); at++) yield toFrame(0, this.standIn);
        return;
      }
      if (messages === null) this.refuse(BAD_FRAME());
      else if (bytes[0] === 1 && !isEncoded(source.encoding)) this.refuse(UNNAMED_ENCODING());
      else this.#fill(bytes.subarray(HEAD_BYTES), bytes[0] === 1 ? source.encoding : "");
      await this.expand();
    }
    yield toFrame(0, this.standIn);
  }

  takeText(text: string, isBase64: boolean, encoding: string): void {
    if (isBase64 && !/^[\w+/-]*={0,2}$/.test(text))
      this.refuse(toError("REQUEST_MALFORMED", { problem: "the message is not base64" }));
    this.#fill(Buffer.from(text, isBase64 ? "base64" : "utf8"), encoding);
  }

  #fill(bytes: Uint8Array, encoding: string): void {
    if (isEncoded(encoding)) this.#packed = { bytes, encoding };
    else this.#bytes = bytes;
  }

  /** The whole body; null if it cannot be read, with the reason in the slot. */
  async #collect({ chunks, declared, time }: Source, maxBytes: number): Promise<Buffer | null> {
    const late = Promise.withResolvers<"late">();
    const timer = setTimeout(() => late.resolve("late"), time.ms);
    try {
      const bytes = declared > maxBytes ? null : await Promise.race([collect(chunks, maxBytes), late.promise]);
      if (bytes === "late") this.refuse(time.late());
      else if (bytes === null) this.refuse(tooLarge("request", this.#maxBytes));
      else return bytes;
    } catch (error) {
      // When a body breaks off, nobody waits for the response.
      this.refuse(isOrchestratorError(error) ? error : toError("REQUEST_CANCELLED", {}, { cause: error }));
    } finally {
      clearTimeout(timer);
    }
    return null;
  }
}

const UNNAMED_ENCODING = (): OrchestratorError =>
  toError("REQUEST_MALFORMED", { problem: "a message is marked as compressed, but no header names its encoding" });

/** Message for a body that is not a frame. */
export const FRAME_EXPECTED =
  "the body is not one message in a frame of the protocol: one byte of flags, four bytes of length, the message";

const BAD_FRAME = (): OrchestratorError => toError("REQUEST_MALFORMED", { problem: FRAME_EXPECTED });

/** Counts the messages in a body of frames; null if it ends inside a frame or has flags that no request has. */
function countMessages(body: Buffer): number | null {
  let messages = 0;
  for (let at = 0; at < body.length; messages++) {
    if (body.length - at < HEAD_BYTES || (body[at] ?? 0) > 1) return null;
    at += HEAD_BYTES + body.readUInt32BE(at + 1);
    if (at > body.length) return null;
  }
  return messages;
}

/**
 * The whole body; null if it exceeds `maxBytes`. The rest is read anyway, because the connection cannot be used before.
 */
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
