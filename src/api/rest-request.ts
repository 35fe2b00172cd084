/** REST requests as messages: path, query and body are joined to one proto JSON object, which the library reads. */
import type { DescField, DescMessage, Message, JsonObject as ProtoJsonObject } from "@bufbuild/protobuf";
import { fromJson, ScalarType } from "@bufbuild/protobuf";
import { fail, toError } from "../base/errors.ts";
import type { Json, JsonObject } from "../base/json.ts";
import { parseJson } from "../base/json-parse.ts";
import type { RouteMatch } from "./rest-routes.ts";

/** What came. */
export interface RestInput {
  readonly match: RouteMatch;
  readonly query: URLSearchParams;
  /** Bytes of the body; empty when there is none. */
  readonly body: Uint8Array;
  /** Largest body in bytes. */
  readonly maxBytes: number;
}

/** The request message. Errors: INVALID_JSON, PAYLOAD_TOO_LARGE, INVALID_REQUEST with the field that cannot be read. */
export function readRestRequest({ match, query, body, maxBytes }: RestInput): Message {
  const { route, values } = match;
  const { input } = route.method.desc;
  const json: Record<string, Json> = Object.create(null);
  if (route.body === "*") Object.assign(json, readBody(body, maxBytes));
  else if (route.body !== "") setField(json, findField(input, route.body), readBody(body, maxBytes));
  if (route.body !== "*") readQuery(input, query, json);
  else if (query.size > 0) refuse([...query.keys()][0] ?? "", "this method takes its fields from the body");
  for (const [name, value] of Object.entries(values)) setField(json, findField(input, name), value);
  fixMasks(input, json);
  try {
    return fromJson(input, { ...json } as ProtoJsonObject);
  } catch (error) {
    return refuseJson(input, error);
  }
}

function readBody(body: Uint8Array, maxBytes: number): JsonObject {
  if (body.length === 0) return {};
  const value = parseJson(body, { field: "body", maxBytes, maxDepth: 80 });
  if (typeof value !== "object" || value === null || Array.isArray(value))
    fail("INVALID_JSON", { field: "body", problem: "it must be an object" });
  return value as JsonObject;
}

function readQuery(desc: DescMessage, query: URLSearchParams, json: Record<string, Json>): void {
  for (const name of new Set(query.keys())) {
    const texts = query.getAll(name);
    const path = name.split(".");
    let message: DescMessage | undefined = desc;
    let place = json;
    for (const [at, part] of path.entries()) {
      const field: DescField | undefined = message === undefined ? undefined : findField(message, part);
      if (field === undefined) refuse(name, `${desc.name} has no such field`);
      if (at < path.length - 1) {
        if (field.fieldKind !== "message") refuse(name, `${part} has no fields`);
        place[field.jsonName] ??= Object.create(null) as JsonObject;
        place = place[field.jsonName] as Record<string, Json>;
        message = field.message;
      } else if (field.fieldKind === "list")
        place[field.jsonName] = texts.map((text) => toQueryValue(field, text, name));
      else if (texts.length > 1) refuse(name, "stands more than once");
      else place[field.jsonName] = toQueryValue(field, texts[0] ?? "", name);
    }
  }
}

/** A text of the query as proto JSON takes it: numbers and well-known types are texts there anyway. */
function toQueryValue(field: DescField, text: string, name: string): Json {
  const kind = field.fieldKind === "list" ? field.listKind : field.fieldKind;
  if (kind === "map" || (kind === "message" && !field.message?.typeName.startsWith("google.protobuf.")))
    refuse(name, "cannot stand in a query");
  if (kind === "scalar" && field.scalar === ScalarType.BOOL) {
    if (text !== "true" && text !== "false") refuse(name, "must be true or false");
    return text === "true";
  }
  if (kind === "enum" && /^-?\d+$/.test(text)) return Number(text);
  return text;
}

function findField(desc: DescMessage, name: string): DescField | undefined {
  return desc.fields.find((field) => field.name === name || field.jsonName === name);
}

function setField(json: Record<string, Json>, field: DescField | undefined, value: Json): void {
  if (field === undefined) return;
  const { name, jsonName } = field;
  for (const key of new Set([name, jsonName])) {
    if (Object.hasOwn(json, key) && json[key] !== value) refuse(name, "the path and the body say different things");
    delete json[key];
  }
  json[jsonName] = value;
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

function refuse(field: string, description: string): never {
  return fail(
    "INVALID_REQUEST",
    { problem: `${field.slice(0, 200)}: ${description}`, field: field.slice(0, 200) },
    { violations: [{ field: field.slice(0, 200), description }] },
  );
}

/** Says which field of the JSON the library could not read. */
function refuseJson(desc: DescMessage, error: unknown): never {
  const message = error instanceof Error ? error.message : String(error);
  const unknown = /key "([^"]*)" is unknown/.exec(message)?.[1];
  if (unknown !== undefined) refuse(unknown, `${desc.name} has no such field`);
  const value = /cannot decode enum ([\w.]+) from JSON: (.*)$/s.exec(message);
  if (value !== null) refuseEnum(desc, value[1] ?? "", value[2] ?? "");
  const found = /field ([\w.]+) from JSON: (.*)$/s.exec(message);
  if (found?.[1] !== undefined)
    refuse(found[1].slice(found[1].lastIndexOf(".") + 1), (found[2] ?? "cannot be read").slice(0, 300));
  throw toError("REQUEST_MALFORMED", { problem: message.slice(0, 300) }, { cause: error });
}

function refuseEnum(desc: DescMessage, typeName: string, value: string): never {
  const field = desc.fields.find((one) => one.enum?.typeName === typeName);
  const possible = (field?.enum?.values ?? []).map((one) => one.name).join(", ");
  refuse(
    field?.name ?? typeName,
    `${value.slice(0, 100)} is no value of it${possible === "" ? "" : `; possible are ${possible}`}`,
  );
}
