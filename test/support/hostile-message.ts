/** Messages of the contract in which every text tries to manipulate the terminal that prints it. */
import { create, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";

/** Seven-bit and eight-bit control sequences, a title, a new line, and characters that reorder text. */
export const HOSTILE =
  "evil\u001b]0;title\u0007\u001b[2J\u001b[31m\u009b31m\u202egnp\u2066\r\nFORGED\u2028\u00ad\u0085";

const MAX_DEPTH = 5;

/** Responses of a type: one for each member of its first oneof, with all texts and payloads hostile. */
export function hostileAnswers(desc: DescMessage): Message[] {
  const count = Math.max(1, ...desc.oneofs.map((oneof) => oneof.fields.length));
  return Array.from({ length: count }, (_, variant) => make(desc, variant, 0));
}

function make(desc: DescMessage, variant: number, depth: number): Message {
  const init: Record<string, unknown> = {};
  for (const field of desc.fields) {
    if (field.oneof !== undefined) continue;
    init[field.localName] = fill(field, variant, depth);
  }
  for (const oneof of desc.oneofs) {
    const field = oneof.fields[variant % oneof.fields.length];
    if (field !== undefined) init[oneof.localName] = { case: field.localName, value: fill(field, variant, depth) };
  }
  return create(desc, init as never);
}

function fill(field: DescField, variant: number, depth: number): unknown {
  switch (field.fieldKind) {
    case "list": {
      if (depth >= MAX_DEPTH) return [];
      const kinds =
        field.listKind === "message" ? Math.max(1, ...field.message.oneofs.map((one) => one.fields.length)) : 1;
      return Array.from({ length: kinds }, (_, at) => single(field.listKind, field, at, depth));
    }
    case "map":
      return depth >= MAX_DEPTH ? {} : { [HOSTILE]: single(field.mapKind, field, variant, depth) };
    default:
      return single(field.fieldKind, field, variant, depth);
  }
}

function single(kind: "scalar" | "enum" | "message", field: DescField, variant: number, depth: number): unknown {
  if (kind === "enum") return field.enum?.values[Math.min(1, field.enum.values.length - 1)]?.number ?? 0;
  if (kind === "message")
    return depth >= MAX_DEPTH || field.message === undefined ? undefined : known(field.message, variant, depth);
  // Otherwise the pages would never end.
  if (field.name === "next_page_token") return "";
  switch (field.scalar) {
    case ScalarType.STRING:
      return HOSTILE;
    case ScalarType.BYTES:
      return new TextEncoder().encode(JSON.stringify({ [HOSTILE]: HOSTILE }));
    case ScalarType.BOOL:
      return false;
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return 1n;
    default:
      return 1;
  }
}

function known(desc: DescMessage, variant: number, depth: number): unknown {
  switch (desc.typeName) {
    case "google.protobuf.Struct":
      return { [HOSTILE]: HOSTILE };
    case "google.protobuf.Value":
      return { kind: { case: "stringValue", value: HOSTILE } };
    case "google.protobuf.Timestamp":
    case "google.protobuf.Duration":
      return { seconds: 1_800_000_000n, nanos: 0 };
    default:
      return make(desc, variant, depth + 1);
  }
}
