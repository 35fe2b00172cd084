/** Converts REST requests to messages: path, query, and body form one proto JSON object. */
import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { refuseField } from "../../base/field-error.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { parseJson } from "../../base/json/json-parse.ts";
import { findField, readJson, readJsonBody, STANDS_TWICE } from "../requests/read-message.ts";
import type { RouteMatch } from "./routes.ts";

/** Parts of a REST request. */
export interface RestInput {
  readonly match: RouteMatch;
  readonly query: URLSearchParams;
  /** Bytes of the body; empty if there is none. */
  readonly body: Uint8Array;
  /** Largest body, bytes. */
  readonly maxBytes: number;
  /** Largest payload in it, bytes of JSON. */
  readonly maxPayloadBytes: number;
}

/** Reads the request message. Errors: INVALID_JSON, PAYLOAD_TOO_LARGE, INVALID_REQUEST with the invalid field. */
export function readRestRequest({ match, query, body, maxBytes, maxPayloadBytes }: RestInput): Message {
  const { route, values } = match;
  const { input } = route.method.desc;
  const json: Record<string, Json> = Object.create(null);
  const bodyField = findField(input, route.body);
  if (route.body === "*") Object.assign(json, readBody(input, body, maxBytes));
  else if (bodyField?.message?.typeName === VALUE) {
    if (body.length > 0) setField(json, bodyField, parseJson(body, { field: "body", maxBytes, badText: "leave" }));
  } else if (bodyField !== undefined) setField(json, bodyField, readBody(bodyField.message ?? input, body, maxBytes));
  if (route.body !== "*") readQuery(input, query, json);
  else if (query.size > 0) refuseField([...query.keys()][0] ?? "", "this method takes its fields from the body");
  for (const [name, value] of Object.entries(values)) setField(json, findField(input, name), value);
  return readJson(input, json, maxPayloadBytes);
}

/** A field of this type holds any JSON. */
const VALUE = "google.protobuf.Value";

function readBody(desc: DescMessage, body: Uint8Array, maxBytes: number): JsonObject {
  return body.length === 0 ? {} : readJsonBody(desc, body, maxBytes);
}

function readQuery(desc: DescMessage, query: URLSearchParams, json: Record<string, Json>): void {
  for (const name of new Set(query.keys())) {
    const texts = query.getAll(name);
    const path = name.split(".");
    let message: DescMessage | undefined = desc;
    let place = json;
    for (const [at, part] of path.entries()) {
      const field: DescField | undefined = message === undefined ? undefined : findField(message, part);
      if (field === undefined) refuseField(name, `${desc.name} has no such field`);
      if (at < path.length - 1) {
        if (field.fieldKind !== "message") refuseField(name, `${part} has no fields`);
        place[field.jsonName] ??= Object.create(null) as JsonObject;
        place = place[field.jsonName] as Record<string, Json>;
        message = field.message;
      } else if (Object.hasOwn(place, field.jsonName)) refuseField(name, STANDS_TWICE);
      else if (field.fieldKind === "list") place[field.jsonName] = texts.map((text) => toQueryValue(field, text, name));
      else if (texts.length > 1) refuseField(name, STANDS_TWICE);
      else place[field.jsonName] = toQueryValue(field, texts[0] ?? "", name);
    }
  }
}

/** Converts query text to proto JSON, which accepts text for numbers and well-known types. */
function toQueryValue(field: DescField, text: string, name: string): Json {
  const kind = field.fieldKind === "list" ? field.listKind : field.fieldKind;
  if (kind === "map" || (kind === "message" && !field.message?.typeName.startsWith("google.protobuf.")))
    refuseField(name, "cannot be in the query");
  if (kind === "scalar" && field.scalar === ScalarType.BOOL) {
    if (text !== "true" && text !== "false") refuseField(name, "must be true or false");
    return text === "true";
  }
  if (kind === "enum" && /^-?(0|[1-9]\d*)$/.test(text)) return Number(text);
  return text;
}

function setField(json: Record<string, Json>, field: DescField | undefined, value: Json): void {
  if (field === undefined) return;
  const { name, jsonName } = field;
  for (const key of new Set([name, jsonName])) {
    if (Object.hasOwn(json, key) && json[key] !== value)
      refuseField(name, "the path and the body have different values");
    delete json[key];
  }
  json[jsonName] = value;
}
