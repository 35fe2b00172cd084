/**
 * Checks how much a request contains before it is decoded: map entries and list elements against the rules of the
 * contract, names of fields, and sizes of payloads. The check stops at the first excess, so a rejection costs a scan of
 * the bytes before it, and no decoded message.
 *
 * Requests that pass are decoded and validated as usual. The check covers sizes only; the decoder rejects bytes that
 * are not a valid message.
 */
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { fail } from "../../base/errors.ts";
import { fieldError } from "../../base/field-error.ts";
import type { JsonGuard } from "../../base/json/json-guard.ts";
import { mostOf } from "./validate.ts";
import { measureStruct, WireReader } from "./wire-reader.ts";

/** Most paths in a field mask: no message has more fields, including nested ones. */
export const MAX_MASK_PATHS = 200;

/** A message type for this check. */
export interface MessageShape {
  readonly desc: DescMessage;
  readonly byName: ReadonlyMap<string, FieldShape>;
  readonly byNumber: ReadonlyMap<number, FieldShape>;
}

interface FieldShape {
  readonly name: string;
  readonly kind: "list" | "map" | "single";
  /** Index of its counter in a message. */
  readonly index: number;
  /** Most elements or entries. */
  readonly most: number;
  /** Whether elements are packed into one value on the wire. */
  readonly isPacked: boolean;
  /** Message type of the value, unless it is a well-known one. */
  readonly message: MessageShape | null;
  /** Arbitrary JSON: `google.protobuf.Struct` or `Value`. */
  readonly payload: "struct" | "value" | null;
}

const shapes = new WeakMap<DescMessage, MessageShape>();

/** Shape of a message type, built once. */
function shapeOf(desc: DescMessage): MessageShape {
  const known = shapes.get(desc);
  if (known !== undefined) return known;
  const byName = new Map<string, FieldShape>();
  const byNumber = new Map<number, FieldShape>();
  const shape: MessageShape = { desc, byName, byNumber };
  // Before its fields, because messages can be recursive.
  shapes.set(desc, shape);
  for (const [index, field] of desc.fields.entries()) {
    const made = makeField(field, index);
    byName.set(field.name, made).set(field.jsonName, made);
    byNumber.set(field.number, made);
  }
  return shape;
}

const PAYLOADS: Readonly<Record<string, "struct" | "value">> = {
  "google.protobuf.Struct": "struct",
  "google.protobuf.Value": "value",
};

function makeField(field: DescField, index: number): FieldShape {
  const { message } = field;
  const typeName = message?.typeName ?? "";
  const isMask = field.parent.typeName === "google.protobuf.FieldMask";
  const isDescended = !typeName.startsWith("google.protobuf.") || typeName === "google.protobuf.FieldMask";
  return {
    name: field.name,
    kind: field.fieldKind === "list" || field.fieldKind === "map" ? field.fieldKind : "single",
    index,
    most: isMask ? MAX_MASK_PATHS : mostOf(field),
    isPacked: field.fieldKind === "list" && isPackable(field),
    message: message !== undefined && isDescended ? shapeOf(message) : null,
    payload: PAYLOADS[typeName] ?? null,
  };
}

function isPackable(field: DescField & { fieldKind: "list" }): boolean {
  if (field.listKind === "enum") return true;
  return field.listKind === "scalar" && field.scalar !== ScalarType.STRING && field.scalar !== ScalarType.BYTES;
}

/** Deepest nesting of messages to check; the decoder rejects more. */
const MAX_DEPTH = 100;

/**
 * Checks a Protobuf message. Errors: INVALID_REQUEST with the field that has too much, PAYLOAD_TOO_LARGE,
 * REQUEST_MALFORMED for groups.
 */
export function checkBinary(desc: DescMessage, bytes: Uint8Array, maxPayloadBytes: number): void {
  walk(shapeOf(desc), new WireReader(bytes), bytes.length, "", 0, maxPayloadBytes);
}

function walk(
  shape: MessageShape,
  reader: WireReader,
  end: number,
  path: string,
  depth: number,
  maxPayloadBytes: number,
): void {
  const counts: number[] = [];
  while (reader.at < end) {
    const { number, wireType } = reader.tag();
    const field = shape.byNumber.get(number);
    if (wireType !== 2) {
      if (field !== undefined && field.kind === "list") count(field, 1, counts, path);
      if (!reader.skip(wireType)) return;
      continue;
    }
    const length = reader.varint();
    const start = reader.at;
    // The decoder rejects values that end beyond the message.
    if (start + length > end) return;
    if (field !== undefined) {
      if (field.kind !== "single") count(field, field.isPacked ? reader.countVarints(length) : 1, counts, path);
      if (field.payload !== null)
        checkPayload(field.name, field.payload, reader, start + length, path, maxPayloadBytes);
      else if (field.message !== null && field.kind !== "map" && depth < MAX_DEPTH) {
        const place = field.kind === "list" ? `${field.name}[${(counts[field.index] ?? 1) - 1}]` : field.name;
        walk(field.message, reader, start + length, `${path}${place}.`, depth + 1, maxPayloadBytes);
      }
    }
    reader.at = start + length;
  }
}

function count(field: FieldShape, more: number, counts: number[], path: string): void {
  const now = (counts[field.index] ?? 0) + more;
  counts[field.index] = now;
  if (now > field.most) refuseCount(field, path);
}

function refuseCount({ name, kind, most }: FieldShape, path: string): never {
  throw fieldError(`${path}${name}`, `has more than ${most} ${kind === "map" ? "entries" : "elements"}`);
}

function checkPayload(
  name: string,
  part: "struct" | "value",
  reader: WireReader,
  end: number,
  path: string,
  limit: number,
): void {
  // A byte of the message stands for at most one and a quarter bytes of JSON.
  if ((end - reader.at) * 2 <= limit) return;
  const size = measureStruct(reader, end, part);
  if (size > limit) fail("PAYLOAD_TOO_LARGE", { field: `${path}${name}`, size, limit });
}

/** Checks a JSON request while its text is scanned. Errors: INVALID_REQUEST. */
export function guardJson(desc: DescMessage): JsonGuard {
  return new MessageGuard(shapeOf(desc), "");
}

class MessageGuard implements JsonGuard {
  readonly #shape: MessageShape;
  readonly #path: string;

  constructor(shape: MessageShape, path: string) {
    this.#shape = shape;
    this.#path = path;
  }

  key(name: string): JsonGuard | null {
    const field = this.#shape.byName.get(name);
    if (field === undefined) throw fieldError(`${this.#path}${name}`, `${this.#shape.desc.name} has no such field`);
    if (field.kind !== "single") return new ManyGuard(field, this.#path);
    if (field.message !== null) return new MessageGuard(field.message, `${this.#path}${field.name}.`);
    return field.payload !== null ? null : new ManyGuard(field, this.#path);
  }

  element(index: number): JsonGuard | null {
    // A list instead of a message; the decoder reports it if it is small.
    if (index >= FEW) throw fieldError(this.#path.slice(0, -1) || "body", "must be an object; it is a list");
    return null;
  }
}

/** Elements of a wrong-typed value that are left to the decoder, whose error shows the value. */
const FEW = 100;

/** Counts elements of a list or entries of a map; for a single value, those that it cannot have. */
class ManyGuard implements JsonGuard {
  readonly #field: FieldShape;
  readonly #path: string;

  constructor(field: FieldShape, path: string) {
    this.#field = field;
    this.#path = path;
  }

  key(_name: string, index: number): JsonGuard | null {
    return this.#part(index, "map");
  }

  element(index: number): JsonGuard | null {
    return this.#part(index, "list");
  }

  #part(index: number, kind: "list" | "map"): JsonGuard | null {
    const { name, kind: wanted, most, message } = this.#field;
    const found = kind === "map" ? "an object" : "a list";
    const place = `${this.#path}${name}`;
    if (wanted !== kind) {
      if (index >= FEW) throw fieldError(place, `must be ${NAMES[wanted]}; it is ${found}`);
      return null;
    }
    if (index >= most) refuseCount(this.#field, this.#path);
    return message === null || kind === "map" ? null : new MessageGuard(message, `${place}[${index}].`);
  }
}

const NAMES = { list: "a list", map: "an object", single: "a single value" } as const;
