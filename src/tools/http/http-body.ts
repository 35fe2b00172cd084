/** Reads the body of a response, with limits before and after it is decompressed. */
import type { Readable } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { isOrchestratorError } from "../../base/errors.ts";
import type { Json } from "../../base/json/json.ts";
import { parseJson } from "../../base/json/json-parse.ts";
import { scanJson } from "../../base/json/json-scan.ts";
import type { AnswerHeaders } from "./http-headers.ts";

/** The response is unusable; `type` is the error type of the task. */
export class AnswerRefused extends Error {
  readonly type:
    | "RESPONSE_TOO_LARGE"
    | "RESPONSE_INVALID"
    | "RESPONSE_UNSUPPORTED"
    | "REDIRECT_REFUSED"
    | "TOO_MANY_REDIRECTS"
    | "GATE_DENIED";

  constructor(type: AnswerRefused["type"], message: string) {
    super(message);
    this.type = type;
  }
}

/**
 * Reads and decompresses a body of at most `maxBytes`, which limits both the sent and the decompressed size. `onChunk`
 * is called for each chunk that arrives. Throws AnswerRefused, and then closes the stream.
 */
export async function readBody(
  body: Readable,
  headers: AnswerHeaders,
  maxBytes: number,
  onChunk?: () => void,
): Promise<Buffer> {
  const coding = headerOf(headers, "content-encoding").trim().toLowerCase();
  if (coding === "" || coding === "identity") return readBounded(body, maxBytes, onChunk);
  const unpack = createUnpacker(coding);
  if (unpack === null) {
    body.destroy();
    throw new AnswerRefused("RESPONSE_UNSUPPORTED", `the body is packed as "${coding}"; gzip, deflate and br are read`);
  }
  const packed = await readBounded(body, maxBytes, onChunk);
  if (packed.length === 0) return packed;
  unpack.end(packed);
  try {
    return await readBounded(unpack, maxBytes);
  } catch (error) {
    if (error instanceof AnswerRefused) throw error;
    throw new AnswerRefused("RESPONSE_INVALID", `the body is no ${coding}: ${(error as Error).message}`);
  }
}

/** Returns a body as text for a message; empty if it is broken or larger than `maxBytes`. Never throws. */
export async function readExcerpt(body: Readable, headers: AnswerHeaders, maxBytes: number): Promise<Buffer> {
  try {
    return await readBody(body, headers, maxBytes);
  } catch {
    return Buffer.alloc(0); // the status is enough; a body that is too long or broken adds nothing
  }
}

/** The body as JSON; null when it is something else. */
export function jsonOf(bytes: Buffer, headers: AnswerHeaders): Json {
  const [media = "", ...parameters] = headerOf(headers, "content-type").split(";");
  if (!isJsonType(media.trim().toLowerCase())) return null;
  try {
    return decodeJson(bytes, charsetOf(parameters), "text");
  } catch (error) {
    if (!(error instanceof AnswerRefused)) throw error;
    return null;
  }
}

/**
 * Drains an unwanted body so that the connection can be reused; closes the connection if there are more than
 * `maxBytes`.
 */
export async function discardBody(body: Readable, maxBytes: number): Promise<void> {
  try {
    await readBounded(body, maxBytes);
  } catch (error) {
    if (!(error instanceof AnswerRefused)) throw error; // too long: destroys the stream; the response stays valid
  }
}

/** How integers that a double cannot hold exactly are returned. */
export type LargeIntegers = "text" | "number" | "error";

/** Converts a body to the output. Throws AnswerRefused. */
export function decodeBody(
  bytes: Buffer,
  headers: AnswerHeaders,
  mode: "auto" | "json" | "text",
  integers: LargeIntegers = "text",
): Json {
  const [media = "", ...parameters] = headerOf(headers, "content-type").split(";");
  const type = media.trim().toLowerCase();
  if (mode === "json" || (mode === "auto" && isJsonType(type)))
    return decodeJson(bytes, charsetOf(parameters), integers);
  if (bytes.length === 0) return null;
  if (mode === "text" || type === "" || isTextType(type)) return decodeText(bytes, charsetOf(parameters));
  throw new AnswerRefused("RESPONSE_UNSUPPORTED", `the body is ${type}; outputs hold JSON and text`);
}

/**
 * Servers send a byte order mark, a charset other than UTF-8, or whitespace instead of a value; none of these is an
 * error (RFC 8259 §8.1).
 */
function decodeJson(bytes: Buffer, charset: string, integers: LargeIntegers): Json {
  const text = decodeCharset(bytes, charset);
  if (/^[ \t\r\n]*$/.test(text)) return null;
  const unfit = integers === "error" ? scanJson(text).unfitInteger : undefined;
  if (unfit !== undefined) {
    // Not retried: the same response would be refused again.
    throw new AnswerRefused(
      "RESPONSE_UNSUPPORTED",
      `the body holds the integer ${unfit.slice(0, 40)}, which a double cannot hold; response.integers says what to do`,
    );
  }
  try {
    return parseJson(Buffer.from(text), {
      field: "the body",
      largeIntegers: integers === "error" ? "refuse" : integers,
    });
  } catch (error) {
    if (!isOrchestratorError(error)) throw error;
    throw new AnswerRefused("RESPONSE_INVALID", error.message);
  }
}

/** The text of a body, without its byte order mark. */
function decodeCharset(bytes: Buffer, charset: string): string {
  try {
    return new TextDecoder(charset, { fatal: true }).decode(bytes);
  } catch {
    // An invalid byte or an unknown charset: either way, the body cannot be read as declared.
    throw new AnswerRefused("RESPONSE_UNSUPPORTED", `the body is not text in ${charset}; outputs hold JSON and text`);
  }
}

function decodeText(bytes: Buffer, charset: string): string {
  const text = decodeCharset(bytes, charset);
  if (text.includes("\u0000")) {
    throw new AnswerRefused("RESPONSE_UNSUPPORTED", "the body holds NUL; outputs hold JSON and text");
  }
  return text;
}

async function readBounded(stream: Readable, maxBytes: number, onChunk?: () => void): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop early destroys the stream, and with it the connection or the decompressor.
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    onChunk?.();
    size += chunk.length;
    if (size > maxBytes) throw new AnswerRefused("RESPONSE_TOO_LARGE", `the body has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size);
}

function createUnpacker(coding: string) {
  switch (coding) {
    case "gzip":
    case "x-gzip":
      return createGunzip();
    case "deflate":
      return createInflate();
    case "br":
      return createBrotliDecompress();
    default:
      return null;
  }
}

function headerOf(headers: AnswerHeaders, name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value : (value?.join(", ") ?? "");
}

function isJsonType(type: string): boolean {
  return type === "application/json" || type.endsWith("+json");
}

function isTextType(type: string): boolean {
  return type.startsWith("text/") || type.endsWith("+xml") || TEXT_TYPES.has(type);
}

const TEXT_TYPES: ReadonlySet<string> = new Set([
  "application/javascript",
  "application/x-ndjson",
  "application/x-www-form-urlencoded",
  "application/x-yaml",
  "application/xml",
  "application/yaml",
]);

function charsetOf(parameters: readonly string[]): string {
  for (const parameter of parameters) {
    const match = /^\s*charset\s*=\s*"?([^"\s]+)"?\s*$/i.exec(parameter);
    if (match?.[1] !== undefined) return match[1];
  }
  return "utf-8";
}
