/**
 * Reads the length-prefixed messages of gRPC: one byte of flags, four of length, the message. Input comes in chunks of
 * any size; an incomplete message is kept, up to the size limit.
 */
import { toError } from "../../base/errors.ts";
import { expand, isEncoded, REQUEST_ENCODINGS, tooLarge } from "../expand.ts";

/** Length of the prefix of a message, bytes. */
export const PREFIX_BYTES = 5;

/** Value of `grpc-accept-encoding`, see {@link expandMessage}. */
export const ACCEPTED_ENCODINGS = `identity,${REQUEST_ENCODINGS.replaceAll(" ", "")}`;

/** Receives a complete message. */
export type TakeMessage = (compressed: boolean, bytes: Buffer) => void;

/** Splits a stream of bytes into messages. */
export class MessageReader {
  readonly #maxBytes: number;
  readonly #take: TakeMessage;
  #parts: Buffer[] = [];
  #held = 0;
  /** Bytes needed for the next step. */
  #wanted = PREFIX_BYTES;

  constructor(maxBytes: number, take: TakeMessage) {
    this.#maxBytes = maxBytes;
    this.#take = take;
  }

  /** Forgets what it has: nothing more comes of it. */
  drop(): void {
    this.#parts = [];
  }

  /**
   * Adds bytes and passes on the messages that they complete. Errors: MESSAGE_TOO_LARGE as soon as the length is known,
   * REQUEST_MALFORMED.
   */
  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#held > 0) {
      this.#parts.push(chunk);
      this.#held += chunk.length;
      if (this.#held < this.#wanted) return;
      bytes = Buffer.concat(this.#parts, this.#held);
    }
    let at = 0;
    let wanted = PREFIX_BYTES;
    while (bytes.length - at >= PREFIX_BYTES) {
      const flags = bytes[at] as number;
      const length = bytes.readUInt32BE(at + 1);
      if (flags > 1)
        throw toError("REQUEST_MALFORMED", { problem: `flags ${flags} before a message; expected 0 or 1` });
      if (length > this.#maxBytes) throw tooLarge("request", this.#maxBytes);
      const end = at + PREFIX_BYTES + length;
      if (end > bytes.length) {
        wanted = PREFIX_BYTES + length;
        break;
      }
      this.#take(flags === 1, bytes.subarray(at + PREFIX_BYTES, end));
      at = end;
    }
    this.#held = bytes.length - at;
    this.#wanted = wanted;
    this.#parts = this.#held === 0 ? [] : [bytes.subarray(at)];
  }

  /** Ends the input. Error: REQUEST_MALFORMED in the middle of a message. */
  end(): void {
    if (this.#held > 0)
      throw toError("REQUEST_MALFORMED", {
        problem: `it ends after ${this.#held} bytes of a message of ${this.#wanted}`,
      });
  }
}

/**
 * Decompresses a message. Errors: PROTOCOL_UNSUPPORTED for an unknown encoding, REQUEST_MALFORMED, MESSAGE_TOO_LARGE.
 */
export async function expandMessage(bytes: Buffer, encoding: string, maxBytes: number): Promise<Buffer> {
  if (!isEncoded(encoding))
    throw toError("REQUEST_MALFORMED", {
      problem: "a message is marked as compressed, but grpc-encoding does not name its encoding",
    });
  return await expand(bytes, encoding, maxBytes);
}
