/**
 * The bytes of a request that is sent to another instance.
 *
 * A request that arrived as JSON can be several times larger as a message: a list of digits becomes eleven bytes for
 * each of them. Its payloads then travel as JSON text, so that whatever one instance accepts, another one does too.
 */
import { type DescMessage, type DescOneof, type Message, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { fail } from "../../base/errors.ts";
import type { Json } from "../../base/json/json.ts";
import { fromValue } from "../mapping/payload.ts";

/** From this size on, a message is measured with its payloads as JSON text, bytes. */
const LARGE_BYTES = 16_384;

/** Encodes a request. Error: MESSAGE_TOO_LARGE. */
export function toSentBytes<Desc extends DescMessage>(
  desc: Desc,
  request: MessageShape<Desc>,
  maxBytes: number,
): Uint8Array {
  const bytes = toBinary(desc, request);
  if (bytes.length <= maxBytes) return bytes;
  const smaller = toBinary(desc, withJsonPayloads(desc, request));
  if (smaller.length > maxBytes) fail("MESSAGE_TOO_LARGE", { direction: "request", limit: maxBytes });
  return smaller;
}

/** The size of a message as a part of a large request, bytes. */
export function sentSizeOf<Desc extends DescMessage>(desc: Desc, message: MessageShape<Desc>): number {
  const size = toBinary(desc, message).length;
  return size < LARGE_BYTES ? size : toBinary(desc, withJsonPayloads(desc, message)).length;
}

/** A copy of `message` whose payloads are JSON text, wherever the contract has that form. */
function withJsonPayloads<Desc extends DescMessage>(desc: Desc, message: MessageShape<Desc>): MessageShape<Desc> {
  const copy: Record<string, unknown> = { ...message };
  for (const member of desc.members) {
    const value = copy[member.localName];
    if (member.kind === "oneof") copy[member.localName] = withJsonOneof(member, value as OneofValue);
    else if (member.message === undefined || isForeign(member.message)) continue;
    else if (member.fieldKind === "list")
      copy[member.localName] = (value as Message[]).map((one) => withJsonPayloads(member.message as DescMessage, one));
    else if (member.fieldKind === "message" && value !== undefined)
      copy[member.localName] = withJsonPayloads(member.message, value as Message);
  }
  return copy as MessageShape<Desc>;
}

interface OneofValue {
  readonly case: string | undefined;
  readonly value?: unknown;
}

function withJsonOneof(oneof: DescOneof, chosen: OneofValue): OneofValue {
  const field = oneof.fields.find(({ localName }) => localName === chosen.case);
  if (field?.message === undefined) return chosen;
  const asText = oneof.fields.find(({ name }) => name === `${field.name}_json`);
  if (asText !== undefined) {
    const isValue = field.message.typeName === ValueSchema.typeName;
    const text = toText(isValue ? fromValue(chosen.value as Value) : (chosen.value as Json));
    return text === null ? chosen : { case: asText.localName, value: text };
  }
  if (isForeign(field.message)) return chosen;
  return { case: chosen.case, value: withJsonPayloads(field.message, chosen.value as Message) };
}

function isForeign({ typeName }: DescMessage): boolean {
  return typeName.startsWith("google.");
}

/** JSON text; null if it would not be read as the same value: text with such a number is refused. */
function toText(value: Json): Uint8Array | null {
  let isExact = true;
  const text = JSON.stringify(value, (_key, part) => {
    if (typeof part === "number" && !(Math.abs(part) <= Number.MAX_SAFE_INTEGER)) isExact = false;
    return part;
  });
  return isExact ? Buffer.from(text, "utf8") : null;
}
