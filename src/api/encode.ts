/**
 * Encodes responses as Protobuf with encoders compiled from the descriptors.
 *
 * The library's `toBinary` costs about five times as much for a StartRunResponse: a quarter of the whole call. A test
 * compares the two on random messages of every response type. Unknown fields are not written, because responses have
 * none.
 */
import type { DescField, DescMessage, JsonObject, JsonValue, Message } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";

/** Encodes messages of one type after `reserved` bytes that the caller can fill. The buffer belongs to the caller. */
export type Encode = (message: Message, reserved?: number) => Buffer;

/**
 * Compiles the encoder of a message type. Throws for fields that responses do not have (groups, extensions, 32-bit
 * floats).
 */
export function compileEncoder(desc: DescMessage): Encode {
  const write = compileMessage(desc, new Map());
  return (message, reserved = 0) => {
    const scratch = new Scratch();
    write(scratch, message);
    return scratch.finish(reserved);
  };
}

type WriteMessage = (out: Scratch, message: unknown) => void;
/** Writes a value with its tag. */
type WriteValue = (out: Scratch, value: unknown) => void;
type Fields = Readonly<Record<string, unknown>>;

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;

/** A growing buffer. All messages share one block, because encoding is synchronous and never nests. */
let block = Buffer.allocUnsafeSlow(65_536);
const MAX_KEPT_BLOCK = 1_048_576;

class Scratch {
  at = 0;

  room(bytes: number): void {
    if (this.at + bytes <= block.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(block.length * 2, this.at + bytes));
    block.copy(larger, 0, 0, this.at);
    block = larger;
  }

  varint(value: number): void {
    this.room(10);
    let rest = value;
    while (rest > 127) {
      block[this.at++] = (rest % 128) | 128;
      rest = rest > 0x7fffffff ? Math.floor(rest / 128) : rest >>> 7;
    }
    block[this.at++] = rest;
  }

  /** A signed integer; negative ones take ten bytes. */
  int(value: number | bigint): void {
    if (typeof value === "number" ? value >= 0 : value >= 0n && value <= 0x1fffffffffffffn) {
      this.varint(Number(value));
      return;
    }
    this.room(10);
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 127n) {
      block[this.at++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    block[this.at++] = Number(rest);
  }

  double(value: number): void {
    this.room(8);
    this.at = block.writeDoubleLE(value, this.at);
  }

  text(value: string): void {
    const { length } = value;
    this.room(length * 3 + 10);
    if (length < 40) {
      // Short text is nearly always ASCII, where a loop is faster than a call into native code.
      let at = this.at + 1;
      let index = 0;
      for (; index < length; index += 1) {
        const code = value.charCodeAt(index);
        if (code > 127) break;
        block[at++] = code;
      }
      if (index === length) {
        block[this.at] = length;
        this.at = at;
        return;
      }
      // At most 39 × 3 bytes: the length still fits one byte.
      const size = block.write(value, this.at + 1, "utf8");
      block[this.at] = size;
      this.at += size + 1;
      return;
    }
    const size = Buffer.byteLength(value);
    this.varint(size);
    this.at += block.write(value, this.at, "utf8");
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.room(value.length);
    block.set(value, this.at);
    this.at += value.length;
  }

  /** Begins a length-delimited value and reserves one byte for the length. */
  open(): number {
    this.room(1);
    this.at += 1;
    return this.at;
  }

  /** Ends the value that began at `start`, and moves it if its length needs more than one byte. */
  close(start: number): void {
    const size = this.at - start;
    if (size < 128) {
      block[start - 1] = size;
      return;
    }
    const extra = size < 16_384 ? 1 : size < 2_097_152 ? 2 : size < 268_435_456 ? 3 : 4;
    this.room(extra);
    block.copyWithin(start + extra, start, this.at);
    const end = this.at + extra;
    this.at = start - 1;
    this.varint(size);
    this.at = end;
  }

  finish(reserved: number): Buffer {
    const result = Buffer.allocUnsafe(reserved + this.at);
    block.copy(result, reserved, 0, this.at);
    if (block.length > MAX_KEPT_BLOCK) block = Buffer.allocUnsafeSlow(65_536);
    return result;
  }
}

function compileMessage(desc: DescMessage, known: Map<string, WriteMessage>): WriteMessage {
  const before = known.get(desc.typeName);
  if (before !== undefined) return before;
  const steps: WriteMessage[] = [];
  const write: WriteMessage = (out, message) => {
    for (let at = 0; at < steps.length; at += 1) (steps[at] as WriteMessage)(out, message);
  };
  known.set(desc.typeName, write);
  for (const field of desc.fields) if (field.oneof === undefined) steps.push(compileField(field, known));
  for (const oneof of desc.oneofs) {
    const writers = new Map(oneof.fields.map((field) => [field.localName, compileValue(field, known)]));
    const name = oneof.localName;
    steps.push((out, message) => {
      const chosen = (message as Fields)[name] as { case?: string; value?: unknown };
      if (chosen.case !== undefined) writers.get(chosen.case)?.(out, chosen.value);
    });
  }
  return write;
}

function compileField(field: DescField, known: Map<string, WriteMessage>): WriteMessage {
  const name = field.localName;
  if (field.fieldKind === "list") {
    const packed = field.packed ? compilePacked(field) : null;
    const write = compileSingle(field, field.listKind, known);
    return (out, message) => {
      const list = (message as Fields)[name] as readonly unknown[];
      if (list.length === 0) return;
      if (packed !== null) packed(out, list);
      else for (const value of list) write(out, value);
    };
  }
  if (field.fieldKind === "map") return compileMap(field, known);
  const write = compileValue(field, known);
  if (field.presence !== IMPLICIT) {
    return (out, message) => {
      const value = (message as Fields)[name];
      if (value !== undefined) write(out, value);
    };
  }
  const isBytes = field.fieldKind === "scalar" && field.scalar === ScalarType.BYTES;
  return (out, message) => {
    const value = (message as Fields)[name];
    if (isBytes ? (value as Uint8Array).length > 0 : isSet(value)) write(out, value);
  };
}

/** `FeatureSet.FieldPresence.IMPLICIT`: zero values are not written. */
const IMPLICIT = 2;

function isSet(value: unknown): boolean {
  return value !== "" && value !== false && value !== 0n && (value !== 0 || Object.is(value, -0));
}

function compileMap(field: DescField & { fieldKind: "map" }, known: Map<string, WriteMessage>): WriteMessage {
  if (field.mapKey !== ScalarType.STRING) throw new Error(`${field.toString()}: only text keys are supported`);
  const name = field.localName;
  const tag = tagOf(field.number, BYTES);
  const writeEntry = compileTyped(field, field.mapKind, 2, known);
  return (out, message) => {
    const entries = (message as Fields)[name] as Fields;
    for (const key in entries) {
      out.varint(tag);
      const start = out.open();
      out.varint(tagOf(1, BYTES));
      out.text(key);
      writeEntry(out, entries[key]);
      out.close(start);
    }
  };
}

function compilePacked(field: DescField & { fieldKind: "list" }): (out: Scratch, list: readonly unknown[]) => void {
  const tag = tagOf(field.number, BYTES);
  const isInt = field.listKind === "enum" || field.scalar === ScalarType.INT32 || field.scalar === ScalarType.INT64;
  if (!isInt) throw new Error(`${field.toString()}: lists of this type are not supported`);
  return (out, list) => {
    out.varint(tag);
    const start = out.open();
    for (const value of list) out.int(value as number);
    out.close(start);
  };
}

function compileValue(field: DescField, known: Map<string, WriteMessage>): WriteValue {
  if (field.fieldKind === "list" || field.fieldKind === "map") throw new Error(`${field.toString()} cannot stand here`);
  return compileSingle(field, field.fieldKind, known);
}

function compileSingle(
  field: DescField,
  kind: "scalar" | "enum" | "message",
  known: Map<string, WriteMessage>,
): WriteValue {
  return compileTyped(field, kind, field.number, known);
}

function compileTyped(
  field: DescField,
  kind: "scalar" | "enum" | "message",
  number: number,
  known: Map<string, WriteMessage>,
): WriteValue {
  if (kind === "message") return compileNested(field, number, known);
  const scalar = kind === "enum" ? ScalarType.INT32 : field.scalar;
  const tag = (wire: number): number => tagOf(number, wire);
  switch (scalar) {
    case ScalarType.STRING:
      return (out, value) => {
        out.varint(tag(BYTES));
        out.text(value as string);
      };
    case ScalarType.BYTES:
      return (out, value) => {
        out.varint(tag(BYTES));
        out.bytes(value as Uint8Array);
      };
    case ScalarType.BOOL:
      return (out, value) => {
        out.varint(tag(VARINT));
        out.varint(value === true ? 1 : 0);
      };
    case ScalarType.INT32:
    case ScalarType.INT64:
      return (out, value) => {
        out.varint(tag(VARINT));
        out.int(value as number | bigint);
      };
    case ScalarType.DOUBLE:
      return (out, value) => {
        out.varint(tag(FIXED64));
        out.double(value as number);
      };
    default:
      throw new Error(`${field.toString()}: this type is not supported`);
  }
}

function compileNested(field: DescField, number: number, known: Map<string, WriteMessage>): WriteValue {
  const desc = field.message;
  if (desc === undefined) throw new Error(`${field.toString()} is no message`);
  const tag = tagOf(number, BYTES);
  // The library represents a Struct as a plain object, except inside a Value.
  const isPlain = desc.typeName === "google.protobuf.Struct" && field.parent?.typeName !== "google.protobuf.Value";
  const write: WriteMessage = isPlain
    ? (out, value) => writeStruct(out, value as JsonObject)
    : compileMessage(desc, known);
  return (out, value) => {
    out.varint(tag);
    const start = out.open();
    write(out, value);
    out.close(start);
  };
}

function writeStruct(out: Scratch, object: JsonObject): void {
  for (const key of Object.keys(object)) {
    out.varint(tagOf(1, BYTES));
    const start = out.open();
    out.varint(tagOf(1, BYTES));
    out.text(key);
    out.varint(tagOf(2, BYTES));
    const inner = out.open();
    writeJson(out, object[key] as JsonValue);
    out.close(inner);
    out.close(start);
  }
}

/** Writes the fields of a `google.protobuf.Value`. */
function writeJson(out: Scratch, value: JsonValue): void {
  if (value === null) {
    out.varint(tagOf(1, VARINT));
    out.varint(0);
  } else if (typeof value === "number") {
    out.varint(tagOf(2, FIXED64));
    out.double(value);
  } else if (typeof value === "string") {
    out.varint(tagOf(3, BYTES));
    out.text(value);
  } else if (typeof value === "boolean") {
    out.varint(tagOf(4, VARINT));
    out.varint(value ? 1 : 0);
  } else {
    out.varint(tagOf(Array.isArray(value) ? 6 : 5, BYTES));
    const start = out.open();
    if (Array.isArray(value)) {
      for (const element of value) {
        out.varint(tagOf(1, BYTES));
        const inner = out.open();
        writeJson(out, element);
        out.close(inner);
      }
    } else writeStruct(out, value);
    out.close(start);
  }
}

function tagOf(number: number, wire: number): number {
  return number * 8 + wire;
}
