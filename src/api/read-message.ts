/**
 * Requests from bytes, in one place for all protocols: Protobuf, and JSON whose source text is checked (numbers that a double cannot hold, keys that stand
 * twice, NUL), whose unknown fields and enum values are refused, and whose refusals name the field with its path.
 */
import type { DescField, DescMessage, JsonValue, Message, JsonObject as ProtoJsonObject } from "@bufbuild/protobuf";
import { fromBinary, fromJson, ScalarType } from "@bufbuild/protobuf";
import { fail, type OrchestratorError, toError } from "../base/errors.ts";
import type { Json, JsonObject } from "../base/json.ts";
import { MAX_JSON_DEPTH, parseJson } from "../base/json-parse.ts";

/** Deepest nesting of messages that is read. A level of a `Struct` takes three: payloads meet their own limit long before. */
const MAX_MESSAGE_DEPTH = 400;

/** Deepest JSON of a request: a payload at its limit, inside the messages that hold it. */
const MAX_BODY_DEPTH = MAX_JSON_DEPTH + 16;

/** A message from Protobuf. Errors: REQUEST_MALFORMED, INVALID_JSON for payloads that nest too deep even to be read. */
export function readBinary(desc: DescMessage, bytes: Uint8Array): Message {
  try {
    return fromBinary(desc, bytes, { recursionLimit: MAX_MESSAGE_DEPTH });
  } catch (cause) {
    if (cause instanceof Error && cause.message.includes("recursion depth"))
      throw toError("INVALID_JSON", { field: "request", problem: TOO_DEEP }, { cause });
    throw toError("REQUEST_MALFORMED", { problem: `not a ${desc.typeName} in Protobuf` }, { cause });
  }
}

const TOO_DEEP = `it nests far deeper than the limit of ${MAX_JSON_DEPTH} levels`;

/** A JSON object from the bytes of a request. Errors: INVALID_JSON, PAYLOAD_TOO_LARGE. */
export function readJsonBody(body: Uint8Array, maxBytes: number): JsonObject {
  const value = parseJson(body, { field: "body", maxBytes, maxDepth: MAX_BODY_DEPTH });
  if (typeof value !== "object" || value === null || Array.isArray(value))
    fail("INVALID_JSON", { field: "body", problem: "it must be an object" });
  return value as JsonObject;
}

/** A message from proto JSON. Masks may use the names of the contract. Error: INVALID_REQUEST with the path of the field that cannot be read. */
export function readJson(desc: DescMessage, object: JsonObject): Message {
  const json: Record<string, Json> = { ...object };
  fixMasks(desc, json);
  try {
    return fromJson(desc, json as ProtoJsonObject, { recursionLimit: MAX_MESSAGE_DEPTH });
  } catch (cause) {
    throw blameField(desc, json, "") ?? blamePair(desc, cause);
  }
}

/** What is said of a field that a request gives twice. */
export const STANDS_TWICE = "stands more than once";

/** INVALID_REQUEST about one field. */
export function fieldError(field: string, description: string, cause?: unknown): OrchestratorError {
  const name = field.slice(0, 200);
  return toError(
    "INVALID_REQUEST",
    { problem: `${name}: ${description}`, field: name },
    { cause, violations: [{ field: name, description }] },
  );
}

/** The field of a message by its name in the contract or in JSON. */
export function findField(desc: DescMessage, name: string): DescField | undefined {
  return desc.fields.find((field) => field.name === name || field.jsonName === name);
}

/** Masks are written in camel case in proto JSON; the names of the contract are taken as well. */
function fixMasks(desc: DescMessage, json: Record<string, Json>): void {
  for (const field of desc.fields) {
    if (field.fieldKind !== "message" || field.message.typeName !== "google.protobuf.FieldMask") continue;
    for (const key of [field.name, field.jsonName]) {
      const value = json[key];
      if (typeof value === "string")
        json[key] = value.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    }
  }
}

/** The first field that cannot be read by itself; null when each of them can. Only called when the whole could not be read. */
function blameField(desc: DescMessage, json: JsonObject, path: string): OrchestratorError | null {
  for (const [key, value] of Object.entries(json)) {
    const field = findField(desc, key);
    const place = `${path}${field?.name ?? key}`;
    if (field === undefined) return fieldError(place, `${desc.name} has no such field`);
    if (canRead(desc, { [key]: value as JsonValue })) continue;
    return blameValue(desc, field, key, value, place);
  }
  return null;
}

function blameValue(
  desc: DescMessage,
  field: DescField,
  key: string,
  value: Json,
  place: string,
): OrchestratorError | null {
  if (field.fieldKind === "list") {
    if (!Array.isArray(value)) return fieldError(place, `must be a list; it is ${show(value)}`);
    const at = value.findIndex((element) => !canRead(desc, { [key]: [element as JsonValue] }));
    return blameSingle(field, field.listKind, value[at] as Json, `${place}[${at}]`);
  }
  if (field.fieldKind === "map") {
    if (!isObject(value)) return fieldError(place, `must be an object; it is ${show(value)}`);
    const [name, entry] = Object.entries(value).find(
      ([one, element]) => !canRead(desc, { [key]: { [one]: element as JsonValue } }),
    ) ?? ["", null];
    return blameSingle(field, field.mapKind, entry as Json, `${place}[${JSON.stringify(name)}]`);
  }
  return blameSingle(field, field.fieldKind, value, place);
}

function blameSingle(
  field: DescField,
  kind: "scalar" | "enum" | "message",
  value: Json,
  place: string,
): OrchestratorError {
  const { message } = field;
  if (kind === "message" && message !== undefined && !message.typeName.startsWith("google.protobuf.")) {
    if (!isObject(value)) return fieldError(place, `must be an object; it is ${show(value)}`);
    return blameField(message, value, `${place}.`) ?? blamePair(message, reasonOf(message, value), `${place}.`);
  }
  if (kind === "enum") {
    const possible = (field.enum?.values ?? []).map((one) => one.name).join(", ");
    return fieldError(place, `${show(value)} is no value of it; possible are ${possible}`);
  }
  return fieldError(place, `must be ${expected(field, kind)}; it is ${show(value)}`);
}

/** For messages whose fields can each be read: two of them exclude each other. */
function blamePair(desc: DescMessage, cause: unknown, path = ""): OrchestratorError {
  const problem = cause instanceof Error ? cause.message : String(cause);
  const pair = /oneof set multiple times by (\w+) and (\w+)/.exec(problem);
  if (pair !== null) return fieldError(`${path}${pair[2]}`, `only one of ${pair[1]} and ${pair[2]} may be set`, cause);
  const twice = /cannot decode field [\w.]*\.(\w+) from JSON: set multiple times/.exec(problem);
  if (twice !== null) return fieldError(`${path}${twice[1]}`, "stands twice", cause);
  return toError("REQUEST_MALFORMED", { problem: `not a ${desc.typeName} in JSON` }, { cause });
}

function expected(field: DescField, kind: "scalar" | "message"): string {
  if (kind === "message") return WELL_KNOWN[field.message?.typeName ?? ""] ?? `a ${field.message?.name ?? "message"}`;
  switch (field.scalar) {
    case ScalarType.STRING:
      return "a text";
    case ScalarType.BOOL:
      return "true or false";
    case ScalarType.BYTES:
      return "bytes as base64 in a text";
    case ScalarType.INT32:
      return "an integer of 32 bits";
    case ScalarType.INT64:
      return "an integer of 64 bits";
    default:
      return "a number";
  }
}

const WELL_KNOWN: Readonly<Record<string, string>> = {
  "google.protobuf.Duration": 'a duration in seconds as text, for instance "1.5s"',
  "google.protobuf.Timestamp": 'a time as text, for instance "2026-01-31T12:00:00Z"',
  "google.protobuf.FieldMask": 'names of fields in one text, for instance "runId,state"',
  "google.protobuf.Struct": "a JSON object",
};

function canRead(desc: DescMessage, json: ProtoJsonObject): boolean {
  return reasonOf(desc, json as JsonObject) === null;
}

function reasonOf(desc: DescMessage, json: JsonObject): unknown {
  try {
    fromJson(desc, json as ProtoJsonObject, { recursionLimit: MAX_MESSAGE_DEPTH });
    return null;
  } catch (error) {
    return error;
  }
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: Json): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}
