/**
 * Length-prefixed messages of gRPC: one byte of flags, four of length, the message. They come in pieces of any size;
 * what is not whole yet is kept, at most one message of the limit.
 */
import { toError } from "../../base/errors.ts";
import { expand, isEncoded, REQUEST_ENCODINGS, tooLarge } from "../expand.ts";

/** Length of what stands before a message, bytes. */
export const PREFIX_BYTES = 5;

/** What `grpc-accept-encoding` says of {@link expandMessage}. */
export const ACCEPTED_ENCODINGS = `identity,${REQUEST_ENCODINGS.replaceAll(" ", "")}`;

/** Takes a message that is whole. */
export type TakeMessage = (compressed: boolean, bytes: Buffer) => void;

/** Cuts a stream of bytes into messages. */
export class MessageReader {
  readonly #maxBytes: number;
  readonly #take: TakeMessage;
  #parts: Buffer[] = [];
  #held = 0;
  /** Bytes that must be held before there is anything to do. */
  #wanted = PREFIX_BYTES;

  constructor(maxBytes: number, take: TakeMessage) {
    this.#maxBytes = maxBytes;
    this.#take = take;
  }

  /**
   * Adds bytes and gives on what is whole with them. Errors: MESSAGE_TOO_LARGE as soon as a length says so,
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
        throw toError("REQUEST_MALFORMED", { problem: `flags ${flags} before a message; there are 0 and 1` });
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

  /** The sender has ended. Error: REQUEST_MALFORMED in the middle of a message. */
  end(): void {
    if (this.#held > 0)
      throw toError("REQUEST_MALFORMED", {
        problem: `it ends after ${this.#held} bytes of a message of ${this.#wanted}`,
      });
  }
}

/**
 * Expands a compressed message. Errors: PROTOCOL_UNSUPPORTED for an unknown encoding, REQUEST_MALFORMED,
 * MESSAGE_TOO_LARGE.
 */
export async function expandMessage(bytes: Buffer, encoding: string, maxBytes: number): Promise<Buffer> {
  if (!isEncoded(encoding))
    throw toError("REQUEST_MALFORMED", {
      problem: "a message says that it is compressed, grpc-encoding does not say how",
    });
  return await expand(bytes, encoding, maxBytes);
}
