/** Random messages of a type, from its descriptor. */
import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { create, ScalarType } from "@bufbuild/protobuf";
import fc from "fast-check";

/** Random values of a type's fields. `text` gives the texts; depth bounds messages in messages. */
export function arbitraryMessage(
  desc: DescMessage,
  text: fc.Arbitrary<string> = fc.string({ unit: "binary", maxLength: 60 }),
  depth = 3,
): fc.Arbitrary<Message> {
  const parts: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of desc.fields) {
    if (field.oneof !== undefined) continue;
    const value = arbitraryField(field, text, depth);
    if (value !== null) parts[field.localName] = value;
  }
  for (const oneof of desc.oneofs) {
    const cases = oneof.fields.flatMap((field) => {
      const value = arbitraryField(field, text, depth);
      return value === null ? [] : [value.map((one) => ({ case: field.localName, value: one }))];
    });
    parts[oneof.localName] = fc.oneof(fc.constant({ case: undefined }), ...cases);
  }
  return fc.record(parts, { requiredKeys: [] }).map((init) => create(desc, init as never));
}

function arbitraryField(field: DescField, text: fc.Arbitrary<string>, depth: number): fc.Arbitrary<unknown> | null {
  switch (field.fieldKind) {
    case "list": {
      const one = arbitrarySingle(field, field.listKind, text, depth);
      return one === null ? null : fc.array(one, { maxLength: 4 });
    }
    case "map": {
      const one = arbitrarySingle(field, field.mapKind, text, depth);
      return one === null ? null : fc.dictionary(text, one, { maxKeys: 4 });
    }
    default:
      return arbitrarySingle(field, field.fieldKind, text, depth);
  }
}

function arbitrarySingle(
  field: DescField,
  kind: "scalar" | "enum" | "message",
  text: fc.Arbitrary<string>,
  depth: number,
): fc.Arbitrary<unknown> | null {
  if (kind === "enum")
    return fc.oneof(
      fc.constantFrom(...(field.enum?.values ?? []).map((value) => value.number)),
      fc.constantFrom(0, 99, -1),
    );
  if (kind === "message")
    return field.message === undefined || depth === 0 ? null : arbitraryKnown(field, field.message, text, depth);
  switch (field.scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 300 });
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.INT32:
      return fc.oneof(fc.integer(), fc.constantFrom(0, -1, 127, 128, 16_384, 2_147_483_647, -2_147_483_648));
    case ScalarType.INT64:
      return fc.oneof(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.constantFrom(0n, -1n, 2n ** 53n, 2n ** 53n - 1n),
      );
    case ScalarType.DOUBLE:
      return fc.double({ noNaN: true });
    default:
      throw new Error(`${field.toString()}: no random values for this type`);
  }
}

function arbitraryKnown(
  field: DescField,
  desc: DescMessage,
  text: fc.Arbitrary<string>,
  depth: number,
): fc.Arbitrary<unknown> {
  switch (desc.typeName) {
    case "google.protobuf.Struct":
      if (field.parent.typeName !== "google.protobuf.Value")
        return fc.dictionary(text, fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<never>);
      return arbitraryMessage(desc, text, depth - 1);
    case "google.protobuf.Duration":
      return fc
        .record({ seconds: fc.bigInt({ min: -10n, max: 400_000_000n }), nanos: fc.constantFrom(0, 1, 500_000_000) })
        .map((init) => create(desc, init));
    case "google.protobuf.Timestamp":
      return fc
        .record({
          seconds: fc.bigInt({ min: 0n, max: 4_000_000_000n }),
          nanos: fc.integer({ min: 0, max: 999_999_999 }),
        })
        .map((init) => create(desc, init));
    default:
      return arbitraryMessage(desc, text, depth - 1);
  }
}
