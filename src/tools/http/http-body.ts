/** Reads the body of an answer: bounded before and after it is unpacked. */
import type { Readable } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { isOrchestratorError } from "../../base/errors.ts";
import type { Json } from "../../base/json/json.ts";
import { parseJson } from "../../base/json/json-parse.ts";
import { scanJson } from "../../base/json/json-scan.ts";
import type { AnswerHeaders } from "./http-headers.ts";

/** An answer that cannot be used; `type` is that of the task's error. */
export class AnswerRefused extends Error {
  readonly type:
    | "RESPONSE_TOO_LARGE"
    | "RESPONSE_INVALID"
    | "RESPONSE_UNSUPPORTED"
    | "REDIRECT_REFUSED"
    | "TOO_MANY_REDIRECTS";

  constructor(type: AnswerRefused["type"], message: string) {
    super(message);
    this.type = type;
  }
}

/** Reads and unpacks a body of at most `maxBytes`, counted both as sent and unpacked; `onChunk` is called for each part that arrives. Throws AnswerRefused; the stream is closed then. */
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

/** At most `maxBytes` of a body as text for a message; never throws. */
export async function readExcerpt(body: Readable, headers: AnswerHeaders, maxBytes: number): Promise<string> {
  try {
    const bytes = await readBody(body, headers, maxBytes);
    return new TextDecoder().decode(bytes);
  } catch {
    return ""; // the status is what counts; a body that is too long or broken tells nothing more
  }
}

/** Reads past a body that nobody wants, so that the connection can be used again; closes the connection when there are more than `maxBytes`. */
export async function discardBody(body: Readable, maxBytes: number): Promise<void> {
  try {
    await readBounded(body, maxBytes);
  } catch (error) {
    if (!(error instanceof AnswerRefused)) throw error; // too long: the stream is destroyed, and the answer counts all the same
  }
}

/** What becomes of integers that a double cannot hold exactly. */
export type LargeIntegers = "text" | "number" | "error";

/** The output that a body makes. Throws AnswerRefused. */
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

/** Servers send a byte order mark, another charset than UTF-8, or blanks where they have nothing to say; none of it is an error (RFC 8259 §8.1). */
function decodeJson(bytes: Buffer, charset: string, integers: LargeIntegers): Json {
  const text = decodeCharset(bytes, charset);
  if (/^[ \t\r\n]*$/.test(text)) return null;
  const unfit = integers === "error" ? scanJson(text).unfitInteger : undefined;
  if (unfit !== undefined) {
    // The same answer would be refused again: it is not retried.
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

/** The text of a body, without a byte order mark. */
function decodeCharset(bytes: Buffer, charset: string): string {
  try {
    return new TextDecoder(charset, { fatal: true }).decode(bytes);
  } catch {
    // A wrong byte, or a charset that is not known: either way it cannot be read as it says it is.
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
  // Leaving the loop early destroys the stream, and with it the connection or the unpacker.
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
