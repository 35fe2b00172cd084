/**
 * Payloads: JSON in the service, a oneof of three forms on the wire.
 *
 * In: an object or value that came as a message is checked like JSON text, its size too. Out: as `Struct` or `Value`, or as text when the read mask names the
 * `…_json` field or when the value nests deeper than Protobuf libraries of all languages read.
 */
import type { JsonValue } from "@bufbuild/protobuf";
import { fromJson, toJson } from "@bufbuild/protobuf";
import type { Value } from "@bufbuild/protobuf/wkt";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { checkJson, parseJson } from "../../base/json-parse.ts";
import type { PayloadRef } from "../../gen/orchestrator/v1/payload_pb.ts";

/** Deepest value that goes out as a message: each level costs up to three levels of messages, and libraries stop at 100. */
const MAX_MESSAGE_DEPTH = 30;

/** A payload of a request: the value of its oneof, or nothing. */
export type PayloadInput =
  | { readonly case: `${string}Json`; readonly value: Uint8Array }
  | { readonly case: `${string}Ref`; readonly value: PayloadRef }
  | { readonly case: string; readonly value: JsonObject | Value }
  | { readonly case: undefined; readonly value?: undefined };

/** Limits of payloads. */
export interface PayloadLimits {
  /** Largest payload in bytes of JSON. */
  readonly maxPayloadBytes: number;
}

/** JSON of a payload; `absent` when there is none. `field` is its name in the contract. Errors: INVALID_JSON, PAYLOAD_TOO_LARGE, INVALID_REQUEST for references. */
export function fromPayload(payload: PayloadInput, field: string, absent: Json, limits: PayloadLimits): Json {
  if (payload.case === undefined) return absent;
  if (payload.value instanceof Uint8Array)
    return parseJson(payload.value, { field: `${field}_json`, maxBytes: limits.maxPayloadBytes });
  if (payload.case.endsWith("Ref")) {
    const violations = [
      { field: `${field}_ref`, description: "stored payloads are not served by this version; send the payload itself" },
    ];
    fail(
      "INVALID_REQUEST",
      { problem: `${field}_ref: ${violations[0]?.description}`, field: `${field}_ref` },
      { violations },
    );
  }
  const value = isValue(payload.value) ? (toJson(ValueSchema, payload.value) as Json) : (payload.value as JsonObject);
  checkJson(value, { field, maxBytes: limits.maxPayloadBytes });
  return value;
}

/** Like {@link fromPayload}, for payloads that must be objects. Error: INVALID_REQUEST for other values. */
export function fromObjectPayload(payload: PayloadInput, field: string, limits: PayloadLimits): JsonObject {
  const value = fromPayload(payload, field, {}, limits);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  return fail(
    "INVALID_REQUEST",
    { problem: `${field} must be a JSON object`, field },
    { violations: [{ field, description: "must be a JSON object" }] },
  );
}

/** Form in which a payload goes out. */
export type PayloadForm = "none" | "message" | "json";

/** A payload as the oneof of an object. */
export function toObjectPayload(
  value: JsonObject,
  form: PayloadForm,
): { case: "message"; value: JsonObject } | { case: "json"; value: Uint8Array } {
  return form === "json" || isDeeperThan(value, MAX_MESSAGE_DEPTH)
    ? { case: "json", value: encodeJson(value) }
    : { case: "message", value: value as JsonObject };
}

/** A payload as the oneof of any value. */
export function toValuePayload(
  value: Json,
  form: PayloadForm,
): { case: "message"; value: Value } | { case: "json"; value: Uint8Array } {
  return form === "json" || isDeeperThan(value, MAX_MESSAGE_DEPTH)
    ? { case: "json", value: encodeJson(value) }
    : { case: "message", value: toValue(value) };
}

/** A JSON value as a message. */
export function toValue(value: Json): Value {
  return fromJson(ValueSchema, value as JsonValue);
}

/** JSON text as bytes. */
export function encodeJson(value: Json): Uint8Array {
  return Buffer.from(JSON.stringify(value), "utf8");
}

function isValue(value: unknown): value is Value {
  return (value as { $typeName?: unknown }).$typeName === "google.protobuf.Value";
}

function isDeeperThan(value: JsonValue | Json, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  for (const key in value) if (isDeeperThan((value as JsonObject)[key] as Json, levels - 1)) return true;
  return false;
}
