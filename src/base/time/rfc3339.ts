/** Times as text: RFC 3339. */
import { toValidTime } from "./time-range.ts";

const TIME = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** Describes the format of times, for messages. */
export const TIME_FORM = "a time with a zone as in RFC 3339, such as 2030-01-31T08:00:00Z or 2030-01-31T08:00:00+01:00";

/**
 * Returns the nanoseconds since 1970 of an RFC 3339 text with a zone; undefined for other text and for days and times
 * that do not exist. With `leapSeconds`, the second 60 is the beginning of the next minute: clocks without leap
 * smearing show it.
 */
export function parseRfc3339(text: string, { leapSeconds = false } = {}): bigint | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [zoneHour, zoneMinute] = [Number(match[9] ?? 0), Number(match[10] ?? 0)];
  const isDate = year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month);
  const lastSecond = leapSeconds ? 60 : 59;
  if (!isDate || hour > 23 || minute > 59 || second > lastSecond || zoneHour > 23 || zoneMinute > 59) return undefined;
  const zone = (match[8] === "-" ? -1 : 1) * (zoneHour * 60 + zoneMinute);
  const seconds = BigInt(utc(year, month - 1, day) / 1000 + hour * 3600 + (minute - zone) * 60 + second);
  return seconds * 1_000_000_000n + BigInt((match[7] ?? "").padEnd(9, "0"));
}

/**
 * Returns the milliseconds since 1970 of an RFC 3339 time as written in flows; undefined for other text. Fractions of a
 * millisecond are rounded up: nothing is due before its time.
 */
export function parseInstantMs(text: string): number | undefined {
  const nanos = parseRfc3339(text, { leapSeconds: true });
  return nanos === undefined ? undefined : Math.ceil(Number(nanos / 1_000n) / 1_000);
}

/** RFC 3339 text, in UTC, of the time, or of the nearest one that the contract can represent. */
export function formatRfc3339(ms: number): string {
  return new Date(toValidTime(ms)).toISOString();
}

function daysOf(year: number, month: number): number {
  return new Date(utc(year, month, 0)).getUTCDate();
}

/** Date.UTC without its special treatment of the years 0 to 99. */
function utc(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month, day);
}
