/** Conversions between types. Text that does not represent a value of the type is an error; nothing is guessed. */
import { lengthOf } from "../values/code-points.ts";
import { chargeText } from "../values/meter.ts";
import {
  formatDuration,
  formatTimestamp,
  makeDuration,
  makeTimestamp,
  parseDuration,
  parseTimestamp,
} from "../values/time.ts";
import { failExpression, isInt, isUint, type Kind, typeOf, Uint } from "../values/values.ts";
import { constant, costing, defineFunction, defineMethod, type FunctionDefinition, type Overload } from "./function.ts";
import { SIZE_OVERLOADS } from "./list-functions.ts";

const SECOND = 1_000_000_000n;

const ofText = (text: string): void => chargeText(text.length);
const ofBytes = (bytes: Uint8Array): void => chargeText(bytes.length);

function show(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}…` : text);
}

/** Parses a decimal integer of at most 20 digits. */
function readInteger(text: string, pattern: RegExp): bigint | undefined {
  if (!pattern.test(text)) return undefined;
  const digits = text.replace(/^([+-]?)0+(?=\d)/, "$1");
  return digits.length > 21 ? undefined : BigInt(digits.replace(/^\+/, ""));
}

function intOfText(text: string): bigint {
  const value = readInteger(text, /^[+-]?\d+$/);
  return value === undefined || !isInt(value)
    ? failExpression(`int(${show(text)}): that is no integer of 64 bits; write digits with nothing around them`)
    : value;
}

function uintOfText(text: string): Uint {
  const value = readInteger(text, /^\d+$/);
  return value === undefined || !isUint(value)
    ? failExpression(`uint(${show(text)}): that is no uint of 64 bits; write digits with nothing around them`)
    : new Uint(value);
}

function doubleOfText(text: string): number {
  if (/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? value : failExpression(`double(${show(text)}): that is too large for a double`);
  }
  const special = /^([+-]?)(?:inf|infinity|(nan))$/i.exec(text);
  if (special === null) failExpression(`double(${show(text)}): that is no number; write digits such as 1.5 or 2e3`);
  if (special[2] !== undefined) return Number.NaN;
  return special[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

function wholePart(name: string, value: number): bigint {
  return Number.isFinite(value) ? BigInt(Math.trunc(value)) : failExpression(`${name}(${value}): that is no integer`);
}

function intOfDouble(value: number): bigint {
  const whole = wholePart("int", value);
  // The ends of the range are excluded: a double cannot distinguish them from their neighbors.
  return Math.abs(value) < 2 ** 63 ? whole : failExpression(`int(${value}): that does not fit into 64 bits`);
}

function uintOf(value: bigint, shown: string): Uint {
  return isUint(value) ? new Uint(value) : failExpression(`uint(${shown}): that does not fit into a uint of 64 bits`);
}

const TRUE = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const FALSE = new Set(["0", "f", "F", "FALSE", "false", "False"]);

function boolOfText(text: string): boolean {
  if (TRUE.has(text)) return true;
  return FALSE.has(text) ? false : failExpression(`bool(${show(text)}): that is neither "true" nor "false"`);
}

function textOfBytes(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // A TypeError with a less helpful message.
    return failExpression("string(bytes): the bytes are not UTF-8");
  }
}

function textOfDouble(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return Object.is(value, -0) ? "-0" : String(value);
}

function timestampOfText(text: string): ReturnType<typeof makeTimestamp> {
  const nanos = text.length > 64 ? undefined : parseTimestamp(text);
  return nanos === undefined
    ? failExpression(
        `timestamp(${show(text)}): that is no time; write RFC 3339 with a zone, for instance "2026-01-31T08:00:00Z"`,
      )
    : makeTimestamp(nanos);
}

function durationOfText(text: string): ReturnType<typeof makeDuration> {
  const nanos = parseDuration(text);
  return nanos === undefined
    ? failExpression(
        `duration(${show(text)}): that is no duration; write numbers with h, m, s, ms, us or ns, for instance "1h30m"`,
      )
    : makeDuration(nanos);
}

function same<const K extends Kind>(kind: K): Overload {
  return constant([kind], kind, (value) => value);
}

const SIZE: readonly Overload[] = [
  costing(["string"], "int", ofText, (text) => BigInt(lengthOf(text))),
  constant(["bytes"], "int", (bytes) => BigInt(bytes.length)),
  SIZE_OVERLOADS.list,
  SIZE_OVERLOADS.map,
];

/** Conversions, and functions that every value supports. */
export const CONVERSIONS: readonly FunctionDefinition[] = [
  defineFunction(
    "bool",
    "A bool from text such as true or false.",
    same("bool"),
    costing(["string"], "bool", ofText, boolOfText),
  ),
  defineFunction(
    "bytes",
    "The bytes of a string in UTF-8.",
    same("bytes"),
    costing(
      ["string"],
      "bytes",
      (text) => chargeText(3 * text.length),
      (text) => new TextEncoder().encode(text),
    ),
  ),
  defineFunction(
    "double",
    "A double from a number or the text of one.",
    same("double"),
    constant(["int"], "double", Number),
    constant(["uint"], "double", ({ value }) => Number(value)),
    costing(["string"], "double", ofText, doubleOfText),
  ),
  defineFunction(
    "duration",
    "A duration from text such as 1h30m.",
    same("duration"),
    costing(["string"], "duration", ofText, durationOfText),
  ),
  defineFunction(
    "dyn",
    "The value as it is.",
    constant(["any"], "any", (value) => value),
  ),
  defineFunction(
    "int",
    "An int from a number (cut off toward zero) or the digits of one; of a timestamp seconds since 1970, of a duration nanoseconds.",
    same("int"),
    constant(["uint"], "int", ({ value }) =>
      isInt(value) ? value : failExpression(`int(${value}u): that does not fit into an int`),
    ),
    constant(["double"], "int", intOfDouble),
    costing(["string"], "int", ofText, intOfText),
    constant(["timestamp"], "int", ({ nanos }) => (nanos - (((nanos % SECOND) + SECOND) % SECOND)) / SECOND),
    constant(["duration"], "int", ({ nanos }) => nanos),
  ),
  defineFunction("size", "Characters of a string, bytes, elements of a list, or keys of a map.", ...SIZE),
  defineMethod("size", "The same as the function.", ...SIZE),
  defineFunction(
    "string",
    "Text of a number, bool, timestamp, duration or bytes (UTF-8).",
    same("string"),
    constant(["int"], "string", String),
    constant(["uint"], "string", ({ value }) => String(value)),
    constant(["double"], "string", textOfDouble),
    constant(["bool"], "string", String),
    costing(["bytes"], "string", ofBytes, textOfBytes),
    constant(["timestamp"], "string", formatTimestamp),
    constant(["duration"], "string", formatDuration),
  ),
  defineFunction(
    "timestamp",
    "A timestamp from RFC 3339 text with a zone, or from seconds since 1970.",
    same("timestamp"),
    costing(["string"], "timestamp", ofText, timestampOfText),
    constant(["int"], "timestamp", (seconds) => makeTimestamp(seconds * SECOND)),
  ),
  defineFunction("type", "The type of a value.", constant(["any"], "type", typeOf)),
  defineFunction(
    "uint",
    "A uint from a number (cut off toward zero) or the digits of one.",
    same("uint"),
    constant(["int"], "uint", (value) => uintOf(value, String(value))),
    constant(["double"], "uint", (value) => uintOf(value < 0 ? -1n : wholePart("uint", value), String(value))),
    costing(["string"], "uint", ofText, uintOfText),
  ),
];
