/** Reads the Protobuf wire format without creating messages. Invalid bytes end the scan; the decoder rejects them. */
import { fail } from "../../base/errors.ts";

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** A position in the bytes of a message. */
export class WireReader {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Number and wire type of the next field. */
  tag(): { readonly number: number; readonly wireType: number } {
    const tag = this.varint();
    return { number: Math.floor(tag / 8), wireType: tag & 7 };
  }

  /** A varint. Above 2^53 it is inexact, which is enough to see that it is too large. */
  varint(): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < 10; count += 1) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) return value;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    return value;
  }

  /**
   * Skips a value without a length prefix; false if it cannot. Error: REQUEST_MALFORMED for groups, which the contract
   * never uses.
   */
  skip(wireType: number): boolean {
    if (wireType === VARINT) this.varint();
    else if (wireType === FIXED64) this.at += 8;
    else if (wireType === FIXED32) this.at += 4;
    else if (wireType === 3 || wireType === 4)
      fail("REQUEST_MALFORMED", {
        problem: "the message contains a group, an old form of Protobuf that is not supported",
      });
    else return false;
    return true;
  }

  /** Number of varints in the next `length` bytes. */
  countVarints(length: number): number {
    let varints = 0;
    for (let at = this.at; at < this.at + length; at += 1) if ((this.#bytes[at] ?? 0) < 0x80) varints += 1;
    return varints;
  }
}

/** Deepest nesting to measure; the decoder rejects more. */
const MAX_DEPTH = 400;

/** The messages of `google/protobuf/struct.proto`, and a map entry of `Struct`. */
type StructPart = "struct" | "entry" | "value" | "list";

/** Length-delimited fields by number: a part or text. */
const PARTS: Readonly<Record<StructPart, Readonly<Record<number, StructPart | "text">>>> = {
  struct: { 1: "entry" },
  entry: { 1: "text", 2: "value" },
  value: { 3: "text", 5: "struct", 6: "list" },
  list: { 1: "value" },
};

/** Bytes of JSON around the parts: braces, brackets, and quotes; for a list element a comma. */
const FRAME_BYTES: Readonly<Record<StructPart | "text", number>> = { struct: 2, entry: 2, value: 1, list: 2, text: 2 };

/** Least bytes of JSON text for a `google.protobuf.Struct` or `Value`, to within a few. Duplicate parts count twice. */
export function measureStruct(reader: WireReader, end: number, part: "struct" | "value"): number {
  return measure(reader, end, part, 0);
}

function measure(reader: WireReader, end: number, part: StructPart, depth: number): number {
  let size = FRAME_BYTES[part];
  while (reader.at < end) {
    const { number, wireType } = reader.tag();
    if (wireType !== DELIMITED) {
      // A value has one of these: a number, a word, or null.
      size += part === "value" ? scalarBytes(wireType) : 0;
      if (!reader.skip(wireType)) return size;
      continue;
    }
    const length = reader.varint();
    const stop = reader.at + length;
    if (stop > end) return size;
    const inner = PARTS[part][number];
    if (inner === "text") size += length + FRAME_BYTES.text;
    else if (inner !== undefined && depth < MAX_DEPTH) size += measure(reader, stop, inner, depth + 1);
    reader.at = stop;
  }
  return size;
}

/** Bytes of `0`, or of `null` and `true`. */
function scalarBytes(wireType: number): number {
  return wireType === VARINT ? 4 : 1;
}
