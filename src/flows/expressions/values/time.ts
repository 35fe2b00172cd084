/** Timestamps and durations: text, arithmetic, calendar. */
import { parseRfc3339 } from "../../../base/time/rfc3339.ts";
import { Duration, failExpression, Timestamp } from "./values.ts";

const SECOND = 1_000_000_000n;
const DAY_MS = 86_400_000;
/** The years 0001 to 9999, as in protobuf. */
const MIN_TIME = -62_135_596_800n * SECOND;
const MAX_TIME = 253_402_300_800n * SECOND - 1n;
/** Range of an int of nanoseconds, about 292 years. */
const MAX_DURATION = 9_223_372_036_854_775_807n;

/** Creates a timestamp from nanoseconds since 1970. Fails outside the years 0001 to 9999. */
export function makeTimestamp(nanos: bigint): Timestamp {
  if (nanos < MIN_TIME || nanos > MAX_TIME) failExpression("the time is outside of the years 0001 to 9999");
  return new Timestamp(nanos);
}

/** Creates a duration from nanoseconds. Fails beyond about 292 years. */
export function makeDuration(nanos: bigint): Duration {
  if (nanos > MAX_DURATION || nanos < -MAX_DURATION - 1n) failExpression("the duration is longer than 292 years");
  return new Duration(nanos);
}

/**
 * Parses RFC 3339 text with a zone into nanoseconds since 1970; undefined for other text and for days and times that do
 * not exist.
 */
export function parseTimestamp(text: string): bigint | undefined {
  const nanos = parseRfc3339(text);
  return nanos === undefined || nanos < MIN_TIME || nanos > MAX_TIME ? undefined : nanos;
}

/** Date.UTC without its special treatment of the years 0 to 99. */
function utc(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month, day);
}

/** Formats a timestamp as RFC 3339 in UTC, with as many digits as it needs. */
export function formatTimestamp({ nanos }: Timestamp): string {
  const seconds = floorDivide(nanos, SECOND);
  const text = new Date(Number(seconds) * 1000).toISOString().replace(".000Z", "");
  return `${text}${fraction(nanos - seconds * SECOND)}Z`;
}

function fraction(nanos: bigint): string {
  return nanos === 0n
    ? ""
    : `.${String(nanos)
        .padStart(9, "0")
        .replace(/(?<!0)0+$/, "")}`;
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value < 0n && quotient * by !== value ? quotient - 1n : quotient;
}

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: SECOND,
  m: 60n * SECOND,
  h: 3600n * SECOND,
};
const DURATION_PART = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;

/** Parses the text of a duration, such as `1h30m` or `-1.5s`, into nanoseconds; undefined for other text. */
export function parseDuration(text: string): bigint | undefined {
  const isNegative = text.startsWith("-");
  const start = isNegative || text.startsWith("+") ? 1 : 0;
  if (text.slice(start) === "0") return 0n;
  if (text.length === start || text.length > 100) return undefined;
  let nanos = 0n;
  for (let at = start; at < text.length; at = DURATION_PART.lastIndex) {
    DURATION_PART.lastIndex = at;
    const match = DURATION_PART.exec(text);
    if (match === null) return undefined;
    const [, whole = "", part = "", unit = ""] = match;
    if (whole === "" && part === "") return undefined;
    const scale = UNITS[unit] as bigint;
    nanos += BigInt(whole || "0") * scale + (BigInt(part || "0") * scale) / 10n ** BigInt(part.length);
  }
  return isNegative ? -nanos : nanos;
}

/** Formats a duration as seconds: `5400s`, `-0.5s`. */
export function formatDuration({ nanos }: Duration): string {
  const size = nanos < 0n ? -nanos : nanos;
  return `${nanos < 0n ? "-" : ""}${size / SECOND}${fraction(size % SECOND)}s`;
}

/** Components of a point in time, as shown by a local calendar and clock. */
export interface CalendarTime {
  readonly year: number;
  /** From 0. */
  readonly month: number;
  /** From 1. */
  readonly day: number;
  /** From 0, Sunday. */
  readonly weekday: number;
  /** From 0. */
  readonly yearday: number;
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
  readonly milliseconds: number;
}

/** Calendar and clock in a zone: an IANA name, or an offset such as `+02:00`. Fails for unknown zones. */
export function inZone({ nanos }: Timestamp, zone: string): CalendarTime {
  const ms = Number(floorDivide(nanos, 1_000_000n));
  const date = new Date(ms + offsetMs(ms, zone));
  const year = date.getUTCFullYear();
  const midnight = utc(year, date.getUTCMonth(), date.getUTCDate());
  return {
    year,
    month: date.getUTCMonth(),
    day: date.getUTCDate(),
    weekday: date.getUTCDay(),
    yearday: Math.round((midnight - utc(year, 0, 1)) / DAY_MS),
    hours: date.getUTCHours(),
    minutes: date.getUTCMinutes(),
    seconds: date.getUTCSeconds(),
    milliseconds: date.getUTCMilliseconds(),
  };
}

function offsetMs(ms: number, zone: string): number {
  if (zone === "UTC" || zone === "Z") return 0;
  // The range of RFC 3339, as in timestamp text.
  const offset = /^([+-]?)([01]\d|2[0-3]):([0-5]\d)$/.exec(zone);
  if (offset !== null) return (offset[1] === "-" ? -1 : 1) * (Number(offset[2]) * 60 + Number(offset[3])) * 60_000;
  const parts: Record<string, number> = {};
  for (const { type, value } of formatterOf(zone).formatToParts(ms)) parts[type] = Number(value);
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = parts;
  const whole = Math.floor(ms / 1000) * 1000;
  const shown = utc(year, month - 1, day) + ((hour * 60 + minute) * 60 + second) * 1000;
  return shown - whole;
}

/** Formatters by zone. Zone names are lowercased, so that there are no more entries than zones in the database. */
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(zone: string): Intl.DateTimeFormat {
  const key = zone.length > 64 ? "" : zone.toLowerCase();
  let formatter = formatters.get(key);
  if (formatter === undefined) {
    if (!/^[a-z]/.test(key)) failZone(zone);
    try {
      formatter = new Intl.DateTimeFormat("en-US", {
        timeZone: key,
        calendar: "gregory",
        hourCycle: "h23",
        year: "numeric",
        month: "numeric",
        day: "numeric",
        hour: "numeric",
        minute: "numeric",
        second: "numeric",
      });
    } catch {
      // A RangeError: the zone does not exist.
      failZone(zone);
    }
    formatters.set(key, formatter);
  }
  return formatter;
}

function failZone(zone: string): never {
  failExpression(
    `there is no time zone ${JSON.stringify(zone.slice(0, 64))}; write a name such as "Europe/Berlin" or an offset such as "+02:00"`,
  );
}
