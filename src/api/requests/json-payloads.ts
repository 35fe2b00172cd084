/**
 * Payloads of JSON requests. The library converts every value in a `Struct` to a message and back to JSON, which takes
 * ten times as long as parsing; here the parsed value bypasses it.
 */
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { measureJson } from "../../base/json/json-size.ts";

const STRUCT = "google.protobuf.Struct";
const VALUE = "google.protobuf.Value";

/** Whether a message type represents arbitrary JSON. */
export function isPayload(desc: DescMessage): boolean {
  return desc.typeName === STRUCT || desc.typeName === VALUE;
}

/** Payloads of one request by path (`requests[3].input`). */
export class JsonPayloads {
  readonly #maxBytes: number;
  readonly #taken: { readonly path: string; readonly value: JsonObject }[] = [];

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes a payload out of the JSON and returns what the library reads instead. Error: PAYLOAD_TOO_LARGE for a `Value`,
   * which the library has to read.
   */
  take(desc: DescMessage, path: string, value: Json): Json {
    if (desc.typeName === STRUCT && typeof value === "object" && value !== null && !Array.isArray(value)) {
      this.#taken.push({ path, value: value as JsonObject });
      return {};
    }
    // A one-digit number counts eight times.
    if (measureJson(value, this.#maxBytes) > this.#maxBytes) {
      const size = Buffer.byteLength(JSON.stringify(value));
      if (size > this.#maxBytes) fail("PAYLOAD_TOO_LARGE", { field: path, size, limit: this.#maxBytes });
    }
    return value;
  }

  /** Sets the payloads that were taken out. */
  putBack(desc: DescMessage, message: Message): void {
    for (const { path, value } of this.#taken) set(desc, message, path.split("."), value);
  }
}

type Fields = Record<string, unknown>;

function set(desc: DescMessage, message: Message, path: readonly string[], value: JsonObject): void {
  const [step = "", ...rest] = path;
  const [, name, index] = /^(\w+)(?:\[(\d+)\])?$/.exec(step) ?? [];
  const field = desc.fields.find((one) => one.name === name);
  if (field?.message === undefined) throw new Error(`${desc.name} has no message ${step}`);
  const holder = (
    field.oneof === undefined ? message : (message as unknown as Fields)[field.oneof.localName]
  ) as Fields;
  const key = field.oneof === undefined ? field.localName : "value";
  if (rest.length === 0) {
    holder[key] = value;
    return;
  }
  const inner = holder[key] as Message | readonly Message[];
  set(
    field.message,
    (index === undefined ? inner : (inner as readonly Message[])[Number(index)]) as Message,
    rest,
    value,
  );
}
