/**
 * Payloads: JSON in the service, a oneof of three forms on the wire.
 *
 * In: an object or value that came as a message, or that a reference leads to, is checked like JSON text, its size too.
 * Out: as `Struct` or `Value`, or as text when the read mask names the `…_json` field or when the value nests deeper
 * than Protobuf libraries of all languages read. What is larger than the inline limit and not asked for as text, or
 * does not fit into the answer, goes out as a reference: no call that did its work fails because its answer is too
 * large.
 */
import { createHash } from "node:crypto";
import type { JsonValue } from "@bufbuild/protobuf";
import { create, fromJson, toJson } from "@bufbuild/protobuf";
import type { Value } from "@bufbuild/protobuf/wkt";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { checkJson, parseJson } from "../../base/json/json-parse.ts";
import { measureJson } from "../../base/json/json-size.ts";
import type { PayloadRef } from "../../gen/orchestrator/v1/payload_pb.ts";
import { PayloadRefSchema } from "../../gen/orchestrator/v1/payload_pb.ts";

/**
 * Deepest value that goes out as a message: each level costs up to three levels of messages, and libraries stop at 100.
 */
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
  /** Largest payload that is answered without being asked for by name. */
  readonly maxInlinePayloadBytes: number;
  /** Largest message. */
  readonly maxMessageBytes: number;
}

/** Payloads that the references of a request lead to, by payload id: they are read before the request is mapped. */
export type StoredPayloads = ReadonlyMap<string, Json>;

/** For requests without references. */
export const NO_STORED_PAYLOADS: StoredPayloads = new Map();

/** The reference in a payload of a request; undefined when it is there itself, or not at all. */
export function referenceOf(payload: PayloadInput): PayloadRef | undefined {
  return payload.case?.endsWith("Ref") === true ? (payload.value as PayloadRef) : undefined;
}

/**
 * JSON of a payload; `absent` when there is none. `field` is its name in the contract. Errors: INVALID_JSON,
 * PAYLOAD_TOO_LARGE; for references also PAYLOAD_NOT_FOUND, when `stored` lacks it or it is another one than its hash
 * says.
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
  const value = isValue(payload.value) ? (toJson(ValueSchema, payload.value) as Json) : (payload.value as JsonObject);
  return checkJson(value, { field, maxBytes: limits.maxPayloadBytes });
}

/** Like {@link fromPayload}, for payloads that must be objects. Error: INVALID_REQUEST for other values. */
export function fromObjectPayload(
  payload: PayloadInput,
  field: string,
  limits: PayloadLimits,
  stored: StoredPayloads = NO_STORED_PAYLOADS,
): JsonObject {
  const value = fromPayload(payload, field, {}, limits, stored);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  return fail(
    "INVALID_REQUEST",
    { problem: `${field} must be a JSON object`, field },
    { violations: [{ field, description: "must be a JSON object" }] },
  );
}

/** Form in which a payload goes out. */
export type PayloadForm = "none" | "message" | "json" | "ref";

/** How much of payloads one answer may hold. Used up as payloads are put into it. */
export interface PayloadRoom {
  /** Payloads with more bytes of JSON are referenced unless their JSON is asked for. */
  readonly inlineBytes: number;
  /** Bytes that are left in the answer. */
  left: number;
}

/** What an answer holds beside its payloads: context, labels, error, holds. */
const RESERVED_BYTES = 131_072;

/** The room of one answer. */
export function createPayloadRoom(limits: PayloadLimits): PayloadRoom {
  const { maxMessageBytes, maxInlinePayloadBytes } = limits;
  return { inlineBytes: maxInlinePayloadBytes, left: maxMessageBytes - Math.min(RESERVED_BYTES, maxMessageBytes / 2) };
}

/** A payload in the form in which it goes out. */
export type PayloadOut<T> =
  | { readonly case: "message"; readonly value: T }
  | { readonly case: "json"; readonly value: Uint8Array }
  | { readonly case: "ref"; readonly value: PayloadRef };

/** A payload as the oneof of an object. `payloadId` names it when it is too large to stand in the answer. */
export function toObjectPayload(
  value: JsonObject,
  form: PayloadForm,
  payloadId: string,
  room: PayloadRoom,
): PayloadOut<JsonObject> {
  return place(value, form, payloadId, room) ?? { case: "message", value };
}

/** A payload as the oneof of any value. */
export function toValuePayload(
  value: Json,
  form: PayloadForm,
  payloadId: string,
  room: PayloadRoom,
): PayloadOut<Value> {
  return place(value, form, payloadId, room) ?? { case: "message", value: toValue(value) };
}

/** Bytes that a message takes for each byte of JSON at most: a number of one digit in a list becomes eleven. */
const MESSAGE_FACTOR = 6;
/** The same for each byte as {@link measureJson} counts them. */
const MEASURE_FACTOR = 3;

/** Takes room for a payload. Null: it goes out as a message. */
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

/**
 * The reference to a payload; `place` says where it is: run and part of it. In the id it needs no escaping in paths.
 */
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
