/**
 * Decodes requests for all protocols, from Protobuf and JSON. For JSON it checks the source text (numbers that a double
 * cannot represent, duplicate keys, NUL), rejects unknown fields and enum values, and names the path of an invalid
 * field.
 */
import type { DescField, DescMessage, JsonValue, Message, JsonObject as ProtoJsonObject } from "@bufbuild/protobuf";
import { fromBinary, fromJson, ScalarType } from "@bufbuild/protobuf";
import { fail, type OrchestratorError, toError } from "../../base/errors.ts";
import { fieldError } from "../../base/field-error.ts";
import { isJsonObject, type Json, type JsonObject } from "../../base/json/json.ts";
import { MAX_JSON_DEPTH, parseJson } from "../../base/json/json-parse.ts";
import { isPayload, JsonPayloads } from "./json-payloads.ts";
import { checkBinary, guardJson, MAX_MASK_PATHS } from "./request-shape.ts";
import { allowedEnumNames } from "./validate.ts";

/** Deepest nesting of messages. A level of a `Struct` takes three, so payloads reach their own limit first. */
const MAX_MESSAGE_DEPTH = 400;

/** Deepest JSON of a request: a payload at its limit inside its messages. */
const MAX_BODY_DEPTH = MAX_JSON_DEPTH + 16;

/**
 * Decodes Protobuf. Unknown fields are dropped. Errors: REQUEST_MALFORMED, INVALID_REQUEST and PAYLOAD_TOO_LARGE for
 * exceeded limits, INVALID_JSON for payloads that nest too deep to be read.
 */
export function readBinary(desc: DescMessage, bytes: Uint8Array, maxPayloadBytes: number): Message {
  checkBinary(desc, bytes, maxPayloadBytes);
  try {
    return fromBinary(desc, bytes, { recursionLimit: MAX_MESSAGE_DEPTH, readUnknownFields: false });
  } catch (cause) {
    if (cause instanceof Error && cause.message.includes("recursion depth"))
      throw toError("INVALID_JSON", { field: "request", problem: TOO_DEEP }, { cause });
    throw toError(
      "REQUEST_MALFORMED",
      { problem: `the bytes are not a Protobuf message of type ${desc.typeName}` },
      { cause },
    );
  }
}

const TOO_DEEP = `it nests deeper than the limit of ${MAX_JSON_DEPTH} levels`;

/**
 * Parses the JSON of a request for `desc`. Errors: INVALID_JSON, PAYLOAD_TOO_LARGE, INVALID_REQUEST for unknown fields
 * and too many elements or entries.
 */
export function readJsonBody(desc: DescMessage, body: Uint8Array, maxBytes: number): JsonObject {
  const guard = guardJson(desc);
  const value = parseJson(body, { field: "body", maxBytes, maxDepth: MAX_BODY_DEPTH, badText: "leave", guard });
  if (typeof value !== "object" || value === null || Array.isArray(value))
    fail("INVALID_JSON", { field: "body", problem: "it must be an object" });
  return value as JsonObject;
}

/**
 * Converts proto JSON to a message. Masks can use the names of the contract. Error: INVALID_REQUEST with the path of
 * the invalid field.
 */
export function readJson(desc: DescMessage, object: JsonObject, maxPayloadBytes: number): Message {
  const json: Record<string, Json> = { ...object };
  const payloads = new JsonPayloads(maxPayloadBytes);
  fixMasks(desc, json);
  readTexts(desc, json, "", 0, payloads);
  try {
    const message = fromJson(desc, json as ProtoJsonObject, { recursionLimit: MAX_MESSAGE_DEPTH });
    payloads.putBack(desc, message);
    return message;
  } catch (cause) {
    throw blameField(desc, json, "") ?? blamePair(desc, cause);
  }
}

/** Message for a duplicate field. */
export const STANDS_TWICE = "appears more than once";

/** A field of a message by its name in the contract or in JSON. */
export function findField(desc: DescMessage, name: string): DescField | undefined {
  return desc.fields.find((field) => field.name === name || field.jsonName === name);
}

/** Characters per path in the longest mask: more than any path of the contract has. */
const MASK_PATH_CHARACTERS = 100;
const MAX_MASK_CHARACTERS = MAX_MASK_PATHS * MASK_PATH_CHARACTERS;

/** Accepts names of the contract in masks, which proto JSON writes in camel case. */
function fixMasks(desc: DescMessage, json: Record<string, Json>): void {
  for (const field of desc.fields) {
    if (field.fieldKind !== "message" || field.message.typeName !== "google.protobuf.FieldMask") continue;
    for (const key of [field.name, field.jsonName]) {
      const value = json[key];
      if (typeof value !== "string") continue;
      if (value.length > MAX_MASK_CHARACTERS)
        throw fieldError(field.name, `has more than ${MAX_MASK_PATHS} paths of ${MASK_PATH_CHARACTERS} characters`);
      json[key] = value.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    }
  }
}

/**
 * Checks numbers, durations, and times in text form: numbers follow the JSON grammar, and integers have a whole value.
 * The library accepts everything that JavaScript converts to a number (`0x10`, ` 5`, `+5`), durations with a suffix
 * (`1s!`), and nonexistent days.
 */
function readTexts(
  desc: DescMessage,
  json: Record<string, Json>,
  path: string,
  depth: number,
  payloads: JsonPayloads,
): void {
  if (depth > MAX_BODY_DEPTH) return;
  for (const [key, value] of Object.entries(json)) {
    const field = typeof value === "string" || typeof value === "object" ? findField(desc, key) : undefined;
    if (field === undefined || value === null) continue;
    const place = `${path}${field.name}`;
    if (field.fieldKind === "list" && Array.isArray(value))
      json[key] = value.map((element, at) =>
        readText(field, field.listKind, element, `${place}[${at}]`, depth, payloads),
      );
    else if (field.fieldKind === "map" && isJsonObject(value)) {
      const entries = Object.entries(value).map(([name, entry]): [string, Json] => [
        name,
        readText(field, field.mapKind, entry, `${place}[${JSON.stringify(name)}]`, depth, payloads),
      ]);
      json[key] = Object.assign(Object.create(null) as JsonObject, Object.fromEntries(entries));
    } else if (field.fieldKind !== "list" && field.fieldKind !== "map")
      json[key] = readText(field, field.fieldKind, value as Json, place, depth, payloads);
  }
}

function readText(
  field: DescField,
  kind: "scalar" | "enum" | "message",
  value: Json,
  place: string,
  depth: number,
  payloads: JsonPayloads,
): Json {
  const { message } = field;
  if (kind === "message" && message !== undefined) {
    if (!message.typeName.startsWith("google.protobuf.") && isJsonObject(value)) {
      const copy: Record<string, Json> = { ...value };
      readTexts(message, copy, `${place}.`, depth + 1, payloads);
      return copy;
    }
    if (isPayload(message)) return payloads.take(message, place, value);
    const form = TEXT_FORMS[message.typeName];
    if (form !== undefined && typeof value === "string" && !form(value))
      throw fieldError(place, `must be ${expected(field, "message")}; it is ${show(value)}`);
    return value;
  }
  if (kind === "enum" && typeof value === "string") return readEnumName(field, value);
  if (kind !== "scalar" || typeof value !== "string" || !NUMBERS.has(field.scalar ?? 0)) return value;
  const isFloat = field.scalar === ScalarType.DOUBLE || field.scalar === ScalarType.FLOAT;
  const number = isFloat ? readFloat(value) : readInteger(value);
  if (number === null) throw fieldError(place, `must be ${expected(field, "scalar")}; it is ${show(value)}`);
  return number;
}

/**
 * The full name of an enum value, which can be written without the shared prefix (`APPROVED`, as in filters and the
 * command line).
 */
function readEnumName(field: DescField, text: string): string {
  const names = field.enum?.values.map(({ name }) => name) ?? [];
  const full = `${field.enum?.sharedPrefix?.toUpperCase() ?? ""}${text}`;
  return !names.includes(text) && names.includes(full) ? full : text;
}

/** Numeric types that JSON can write as text. */
const NUMBERS: ReadonlySet<number> = new Set([
  ScalarType.INT32,
  ScalarType.SINT32,
  ScalarType.UINT32,
  ScalarType.INT64,
  ScalarType.SINT64,
  ScalarType.UINT64,
  ScalarType.DOUBLE,
  ScalarType.FLOAT,
]);

const JSON_NUMBER = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/;

function readFloat(text: string): string | null {
  return JSON_NUMBER.test(text) || /^(NaN|-?Infinity)$/.test(text) ? text : null;
}

/** The integer in the text of a JSON number, in plain digits; null if it is not an integer. */
function readInteger(text: string): string | null {
  const [, sign, whole, fraction = "", exponent = "0"] = JSON_NUMBER.exec(text) ?? [];
  if (whole === undefined) return null;
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  const shift = Number(exponent) - fraction.length;
  if (digits === "") return "0";
  if (shift >= 0) return shift > 20 ? null : `${sign}${digits}${"0".repeat(shift)}`;
  return digits.length + shift <= 0 || /[1-9]/.test(digits.slice(shift)) ? null : `${sign}${digits.slice(0, shift)}`;
}

/** Text forms of well-known types in JSON. */
const TEXT_FORMS: Readonly<Record<string, (text: string) => boolean>> = {
  "google.protobuf.Duration": (text) => /^-?(0|[1-9]\d*)(\.\d{1,9})?s$/.test(text),
  "google.protobuf.Timestamp": (text) => {
    const [, day] = /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):/.exec(text) ?? [];
    // A nonexistent day would become another one.
    return day !== undefined && new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day) === true;
  },
};

/**
 * The error for the first invalid field; null if each is valid on its own. Called only when the whole message is
 * invalid.
 */
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
    if (!isJsonObject(value)) return fieldError(place, `must be an object; it is ${show(value)}`);
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
    if (!isJsonObject(value)) return fieldError(place, `must be an object; it is ${show(value)}`);
    return blameField(message, value, `${place}.`) ?? blamePair(message, reasonOf(message, value), `${place}.`);
  }
  if (kind === "enum") {
    const possible = allowedEnumNames(field).join(", ");
    return fieldError(place, `${show(value)} is not a valid value; expected one of ${possible}`);
  }
  return fieldError(place, `must be ${expected(field, kind)}; it is ${show(value)}`);
}

/** For messages whose fields are each valid: two of them exclude each other. */
function blamePair(desc: DescMessage, cause: unknown, path = ""): OrchestratorError {
  const problem = cause instanceof Error ? cause.message : String(cause);
  const pair = /oneof set multiple times by (\w+) and (\w+)/.exec(problem);
  if (pair !== null) return fieldError(`${path}${pair[2]}`, `only one of ${pair[1]} and ${pair[2]} may be set`, cause);
  const twice = /cannot decode field [\w.]*\.(\w+) from JSON: set multiple times/.exec(problem);
  if (twice !== null) return fieldError(`${path}${twice[1]}`, "stands twice", cause);
  return toError(
    "REQUEST_MALFORMED",
    { problem: `the JSON does not match the message type ${desc.typeName}` },
    { cause },
  );
}

function expected(field: DescField, kind: "scalar" | "message"): string {
  if (kind === "message") return WELL_KNOWN[field.message?.typeName ?? ""] ?? `a ${field.message?.name ?? "message"}`;
  switch (field.scalar) {
    case ScalarType.STRING:
      return "a text";
    case ScalarType.BOOL:
      return "true or false";
    case ScalarType.BYTES:
      return "bytes as a base64 string";
    case ScalarType.INT32:
      return "a 32-bit integer";
    case ScalarType.INT64:
      return "a 64-bit integer";
    default:
      return "a number";
  }
}

const WELL_KNOWN: Readonly<Record<string, string>> = {
  "google.protobuf.Duration": 'a duration in seconds as a string, for example "1.5s"',
  "google.protobuf.Timestamp": 'a time as a string, for example "2026-01-31T12:00:00Z"',
  "google.protobuf.FieldMask": 'field names in one string, for example "runId,state"',
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

function show(value: Json): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}
