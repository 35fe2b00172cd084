/**
 * Payloads: JSON in the service, a oneof of three forms on the wire.
 *
 * Requests: an object or value that comes as a message or reference is checked like JSON text, including its size.
 * Responses: payloads are `Struct` or `Value`, or text if the read mask names the `…_json` field or the value nests
 * deeper than Protobuf libraries accept. A payload beyond the inline limit that is not requested as text, or that does
 * not fit into the response, becomes a reference: a call that succeeded never fails because its response is too large.
 */
import { createHash } from "node:crypto";
import type { JsonValue } from "@bufbuild/protobuf";
import { create, fromJson } from "@bufbuild/protobuf";
import type { Value } from "@bufbuild/protobuf/wkt";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { fail } from "../../base/errors.ts";
import { refuseField } from "../../base/field-error.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { checkJson, parseJson } from "../../base/json/json-parse.ts";
import { measureJson } from "../../base/json/json-size.ts";
import type { PayloadRef } from "../../gen/orchestrator/v1/payload_pb.ts";
import { PayloadRefSchema } from "../../gen/orchestrator/v1/payload_pb.ts";

/**
 * Deepest value that goes out as a message: each level takes up to three levels of messages, and libraries stop at 100.
 */
const MAX_MESSAGE_DEPTH = 30;

/** A payload of a request: its oneof, possibly unset. */
export type PayloadInput =
  | { readonly case: `${string}Json`; readonly value: Uint8Array }
  | { readonly case: `${string}Ref`; readonly value: PayloadRef }
  | { readonly case: string; readonly value: JsonObject | Value }
  | { readonly case: undefined; readonly value?: undefined };

/** Limits of payloads. */
export interface PayloadLimits {
  /** Largest payload, bytes of JSON. */
  readonly maxPayloadBytes: number;
  /** Largest payload in a response that does not name it in its mask, bytes of JSON. */
  readonly maxInlinePayloadBytes: number;
  /** Largest message, bytes. */
  readonly maxMessageBytes: number;
}

/** Payloads behind references in a request, by payload id. They are read before the request is mapped. */
export type StoredPayloads = ReadonlyMap<string, Json>;

/** For requests without references. */
export const NO_STORED_PAYLOADS: StoredPayloads = new Map();

/** The reference in a payload; undefined if the payload is inline or unset. */
export function referenceOf(payload: PayloadInput): PayloadRef | undefined {
  return payload.case?.endsWith("Ref") === true ? (payload.value as PayloadRef) : undefined;
}

/**
 * JSON of a payload; `absent` if it is unset. `field` is its name in the contract. Errors: INVALID_JSON,
 * PAYLOAD_TOO_LARGE; for references also PAYLOAD_NOT_FOUND if `stored` lacks the payload or its hash differs.
 */
export function fromPayload(
  payload: PayloadInput,
  field: string,
  absent: Json,
  limits: PayloadLimits,
  stored: StoredPayloads = NO_STORED_PAYLOADS,
): Json {
  if (payload.case === undefined) return absent;
  if (payload.value instanceof Uint8Array)
    return parseJson(payload.value, { field: `${field}_json`, maxBytes: limits.maxPayloadBytes });
  const reference = referenceOf(payload);
  if (reference !== undefined) {
    const { payloadId, sha256 } = reference;
    const found = stored.get(payloadId);
    if (found === undefined || (sha256 !== "" && sha256 !== hashOf(encodeJson(found))))
      fail("PAYLOAD_NOT_FOUND", { payloadId });
    return checkJson(found, { field: `${field}_ref`, maxBytes: limits.maxPayloadBytes });
  }
  const value = isValue(payload.value) ? fromValue(payload.value) : (payload.value as JsonObject);
  return checkJson(value, { field, maxBytes: limits.maxPayloadBytes });
}

/** Like {@link fromPayload}, but only accepts objects. Error: INVALID_REQUEST for other values. */
export function fromObjectPayload(
  payload: PayloadInput,
  field: string,
  limits: PayloadLimits,
  stored: StoredPayloads = NO_STORED_PAYLOADS,
): JsonObject {
  const value = fromPayload(payload, field, {}, limits, stored);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  return refuseField(field, "must be a JSON object");
}

/** Form of a payload in a response. */
export type PayloadForm = "none" | "message" | "json" | "ref";

/** How much space payloads have in one response. Each payload uses up some of it. */
export interface PayloadRoom {
  /** Larger payloads become references unless their JSON is requested, bytes of JSON. */
  readonly inlineBytes: number;
  /** Bytes left in the response. */
  left: number;
}

/** Bytes reserved for the rest of a response: context, labels, error, holds. */
const RESERVED_BYTES = 131_072;

/** Space for the payloads of one response. */
export function createPayloadRoom(limits: PayloadLimits): PayloadRoom {
  const { maxMessageBytes, maxInlinePayloadBytes } = limits;
  return { inlineBytes: maxInlinePayloadBytes, left: maxMessageBytes - Math.min(RESERVED_BYTES, maxMessageBytes / 2) };
}

/** A payload in the form for a response. */
export type PayloadOut<T> =
  | { readonly case: "message"; readonly value: T }
  | { readonly case: "json"; readonly value: Uint8Array }
  | { readonly case: "ref"; readonly value: PayloadRef };

/** Payload oneof of an object. `payloadId` becomes the reference if it does not fit. */
export function toObjectPayload(
  value: JsonObject,
  form: PayloadForm,
  payloadId: string,
  room: PayloadRoom,
): PayloadOut<JsonObject> {
  return place(value, form, payloadId, room) ?? { case: "message", value };
}

/** Payload oneof of any value. */
export function toValuePayload(
  value: Json,
  form: PayloadForm,
  payloadId: string,
  room: PayloadRoom,
): PayloadOut<Value> {
  return place(value, form, payloadId, room) ?? { case: "message", value: toValue(value) };
}

/** Most bytes of a message for each byte of JSON: a one-digit number in a list becomes eleven. */
const MESSAGE_FACTOR = 6;
/** The same for each byte counted by {@link measureJson}. */
const MEASURE_FACTOR = 3;

/** Reserves space for a payload. Null: it goes out as a message. */
function place(value: Json, form: PayloadForm, payloadId: string, room: PayloadRoom): PayloadOut<never> | null {
  if (form === "ref") return { case: "ref", value: toRef(payloadId, encodeJson(value)) };
  const asMessage = form !== "json" && !isDeeperThan(value, MAX_MESSAGE_DEPTH);
  const measured = measureJson(value, room.inlineBytes);
  if (asMessage && measured <= room.inlineBytes && take(room, measured * MEASURE_FACTOR)) return null;
  const json = encodeJson(value);
  const isInline = form === "json" || json.length <= room.inlineBytes;
  if (isInline && asMessage && take(room, json.length * MESSAGE_FACTOR)) return null;
  if (isInline && take(room, json.length)) return { case: "json", value: json };
  return { case: "ref", value: toRef(payloadId, json) };
}

function take(room: PayloadRoom, bytes: number): boolean {
  if (bytes > room.left) return false;
  room.left -= bytes;
  return true;
}

/** The reference to a payload in `place`, a run and a part of it. The id needs no escaping in paths. */
export function toRef(place: string, json: Uint8Array): PayloadRef {
  return create(PayloadRefSchema, {
    payloadId: Buffer.from(place, "utf8").toString("base64url"),
    sizeBytes: BigInt(json.length),
    sha256: hashOf(json),
    contentType: "application/json",
  });
}

function hashOf(json: Uint8Array): string {
  return createHash("sha256").update(json).digest("hex");
}

export function toValue(value: Json): Value {
  return fromJson(ValueSchema, value as JsonValue);
}

/**
 * What a message says, whether or not it is JSON: the library throws an error of its own at NaN and at a value that
 * says nothing. The first is left to the check of the payload, and the second is null, as in a `Struct`.
 */
export function fromValue({ kind }: Value): Json {
  switch (kind.case) {
    case "structValue":
      return Object.fromEntries(Object.entries(kind.value.fields).map(([key, value]) => [key, fromValue(value)]));
    case "listValue":
      return kind.value.values.map(fromValue);
    case "nullValue":
    case undefined:
      return null;
    default:
      return kind.value;
  }
}

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
