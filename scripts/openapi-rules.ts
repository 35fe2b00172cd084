/**
 * What a request of the contract may hold, as keywords of JSON Schema: the validation rules, and the grammars of proto
 * JSON.
 */
import {
  type DescField,
  type DescMessage,
  type DescMethod,
  getOption,
  hasOption,
  ScalarType,
} from "@bufbuild/protobuf";
import { type Duration, FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import {
  type FieldRules,
  field as fieldRules,
  oneof as oneofRules,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { groupsOf } from "../src/api/requests/field-groups.ts";

/** A schema, or a part of one. */
export type Json = Record<string, unknown>;

/** What is known of a field. */
export interface FieldKeywords {
  readonly keywords: Json;
  readonly required: boolean;
}

const NO_NUL = "^[^\\x00]*$";
const BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$";
const FRACTION = "(\\.[0-9]{1,9})?";
/** One to nine digits, not all of them 0: by the number of zeros that they begin with. */
const FRACTION_ABOVE_0 = Array.from({ length: 9 }, (_, zeros) => `${"0".repeat(zeros)}[1-9][0-9]{0,${8 - zeros}}`).join(
  "|",
);

/** Keywords of a field of a request. `mask`: the message that field masks of the method choose from. */
export function toKeywords(field: DescField, mask: DescMessage | undefined): FieldKeywords {
  const rules = hasOption(field, fieldRules) ? getOption(field, fieldRules) : undefined;
  if (field.fieldKind === "list") {
    const own = rules?.type.case === "repeated" ? rules.type.value : undefined;
    const items = toSingle(field, field.listKind, own?.items, mask).keywords;
    const keywords: Json = Object.keys(items).length === 0 ? {} : { items };
    if (own?.minItems) keywords.minItems = Number(own.minItems);
    if (own?.maxItems) keywords.maxItems = Number(own.maxItems);
    return { keywords, required: (own?.minItems ?? 0n) > 0n };
  }
  if (field.fieldKind === "map") {
    const own = rules?.type.case === "map" ? rules.type.value : undefined;
    const additionalProperties = toSingle(field, field.mapKind, own?.values, mask).keywords;
    const keywords: Json = Object.keys(additionalProperties).length === 0 ? {} : { additionalProperties };
    keywords.propertyNames = ofString(own?.keys).keywords;
    if (own?.maxPairs) keywords.maxProperties = Number(own.maxPairs);
    return { keywords, required: false };
  }
  return toSingle(field, field.fieldKind, rules, mask);
}

function toSingle(
  field: DescField,
  kind: "scalar" | "enum" | "message",
  rules: FieldRules | undefined,
  mask: DescMessage | undefined,
): FieldKeywords {
  if (kind === "enum") return ofEnum(field, rules);
  if (kind === "message") {
    const name = field.message?.typeName;
    if (name === "google.protobuf.Duration") return { keywords: { pattern: ofDuration(rules) }, required: false };
    if (name === "google.protobuf.FieldMask" && mask !== undefined)
      return { keywords: { pattern: ofMask(mask) }, required: false };
    return { keywords: {}, required: false };
  }
  switch (field.scalar) {
    case ScalarType.STRING:
      return ofString(rules);
    case ScalarType.BYTES:
      return ofBytes(rules);
    case ScalarType.INT32:
      return ofInt32(rules);
    case ScalarType.INT64:
      return ofInt64(rules);
    default:
      return { keywords: {}, required: false };
  }
}

function ofString(rules: FieldRules | undefined): FieldKeywords {
  const own = rules?.type.case === "string" ? rules.type.value : undefined;
  const pattern = own?.pattern || NO_NUL;
  const keywords: Json = { pattern };
  if (own?.minLen) keywords.minLength = Number(own.minLen);
  if (own?.maxLen) keywords.maxLength = Number(own.maxLen);
  return { keywords, required: (own?.minLen ?? 0n) > 0n || !new RegExp(pattern).test("") };
}

/** Bytes hold JSON text everywhere in the contract. */
function ofBytes(rules: FieldRules | undefined): FieldKeywords {
  const own = rules?.type.case === "bytes" ? rules.type.value : undefined;
  const keywords: Json = { pattern: BASE64, contentEncoding: "base64", contentMediaType: "application/json" };
  if (own?.minLen) keywords.minLength = Math.ceil(Number(own.minLen) / 3) * 4;
  if (own?.maxLen) keywords.maxLength = Math.ceil(Number(own.maxLen) / 3) * 4;
  return { keywords, required: false };
}

/** Digits in text. Without an upper bound numbers of 18 digits fit, whatever they are. */
function ofInt64(rules: FieldRules | undefined): FieldKeywords {
  const own = rules?.type.case === "int64" ? rules.type.value : undefined;
  const sign = own?.greaterThan.case === "gte" && own.greaterThan.value >= 0n ? "" : "-?";
  const whole = own?.lessThan.case === "lte" ? upTo(Number(own.lessThan.value)) : "(0|[1-9][0-9]{0,17})";
  return { keywords: { pattern: `^${sign}${whole}$` }, required: false };
}

function ofInt32(rules: FieldRules | undefined): FieldKeywords {
  const own = rules?.type.case === "int32" ? rules.type.value : undefined;
  const minimum = own?.greaterThan.case === "gte" ? own.greaterThan.value : -(2 ** 31);
  const maximum = own?.lessThan.case === "lte" ? own.lessThan.value : 2 ** 31 - 1;
  return { keywords: { minimum, maximum }, required: false };
}

function ofEnum(field: DescField, rules: FieldRules | undefined): FieldKeywords {
  const refused = rules?.type.case === "enum" ? rules.type.value.notIn : [];
  if (refused.length === 0) return { keywords: {}, required: false };
  const values = field.enum?.values.filter((value) => !refused.includes(value.number)).map((value) => value.name);
  return { keywords: { enum: values }, required: refused.includes(0) };
}

/** Seconds with the suffix `s`, within the bounds of the rules: whole seconds up to the upper one. */
function ofDuration(rules: FieldRules | undefined): string {
  const own = rules?.type.case === "duration" ? rules.type.value : undefined;
  const max = own?.lessThan.case === "lte" ? secondsOf(own.lessThan.value) : undefined;
  const min = own?.greaterThan.value;
  if (min !== undefined && secondsOf(min) !== 0)
    throw new Error("lower bounds of durations other than 0 are not known");
  const sign = min === undefined ? "-?" : "";
  const whole = max === undefined ? "(0|[1-9][0-9]{0,11})" : upTo(max - 1);
  const top = max === undefined ? "" : `|${max}(\\.0{1,9})?`;
  if (own?.greaterThan.case !== "gt") return `^${sign}(${whole}${FRACTION}${top})s$`;
  const positive = max === undefined ? "[1-9][0-9]{0,11}" : upTo(max - 1, 1);
  return `^(${positive}${FRACTION}|0\\.(${FRACTION_ABOVE_0})${top})s$`;
}

function secondsOf({ seconds, nanos }: Duration): number {
  if (nanos !== 0) throw new Error("bounds of durations with nanoseconds are not known");
  return Number(seconds);
}

/** A pattern of the integers from `min` (0 or 1) to `max`, in plain digits. */
function upTo(max: number, min: 0 | 1 = 0): string {
  const digits = String(max);
  const parts = min === 0 ? ["0"] : [];
  if (digits.length > 1) parts.push(`[1-9]${digits.length > 2 ? `[0-9]{0,${digits.length - 2}}` : ""}`);
  for (const [at, digit] of [...digits].entries()) {
    const from = at === 0 ? 1 : 0;
    if (Number(digit) > from)
      parts.push(`${digits.slice(0, at)}${range(from, Number(digit) - 1)}${some(digits.length - at - 1)}`);
  }
  if (max >= min && max > 0) parts.push(digits);
  return `(${parts.join("|")})`;
}

const some = (count: number): string => (count === 0 ? "" : count === 1 ? "[0-9]" : `[0-9]{${count}}`);
const range = (from: number, to: number): string => (from === to ? String(from) : `[${from}-${to}]`);

/** Names of fields, in the spelling of JSON, with commas between. What lies deeper is not shown. */
function ofMask(message: DescMessage): string {
  const names = message.fields.map((field) => field.jsonName).join("|");
  return `^((${names})(,(${names}))*)?$`;
}

/** Whether a field belongs to a batch and not to its items: a mask that no response of its message can satisfy. */
export function isOfBatch(field: DescField, mask: DescMessage | undefined): boolean {
  return field.message?.typeName === "google.protobuf.FieldMask" && mask === undefined;
}

/**
 * The message that the `read_mask` of a method chooses from: the resource that its response holds, in a batch inside
 * the results.
 */
export function maskedMessage({ input, output }: DescMethod): DescMessage | undefined {
  if (!input.fields.some((field) => field.name === "read_mask")) return undefined;
  let found: DescMessage | undefined = output;
  while (found !== undefined && /(Response|Result)$/.test(found.name))
    found = found.fields.find((field) => field.message !== undefined)?.message;
  return found;
}

/** Groups of which at most one field may be given, by JSON name, and whether one must. */
export function oneofsOf(message: DescMessage): { readonly names: readonly string[]; readonly required: boolean }[] {
  return message.oneofs.map((oneof) => ({
    names: oneof.fields.map((field) => field.jsonName),
    required: hasOption(oneof, oneofRules) && getOption(oneof, oneofRules).required === true,
  }));
}

/** What a message demands of several of its fields, by JSON name: one of them, or one and none of the others. */
export function groupRulesOf(message: DescMessage): { readonly names: readonly string[]; readonly rule: Json }[] {
  return groupsOf(message).map(({ fields, exclusive }) => {
    const alternatives = fields.map((field) => ({ required: [field.jsonName], ...whenSet(field) }));
    const rule = exclusive ? { oneOf: alternatives } : { anyOf: alternatives };
    return { names: fields.map(({ jsonName }) => jsonName), rule };
  });
}

/** A field without presence is not set while it holds its default. */
function whenSet(field: DescField): Json {
  if (field.fieldKind === "list") return { properties: { [field.jsonName]: { minItems: 1 } } };
  if (field.scalar === ScalarType.STRING && field.presence === FeatureSet_FieldPresence.IMPLICIT)
    return { properties: { [field.jsonName]: { minLength: 1 } } };
  if (field.presence === FeatureSet_FieldPresence.IMPLICIT)
    throw new Error(`when ${field.toString()} is set is not known`);
  return {};
}
