import { fail } from "../errors.ts";

/** Units, largest first: the order in which they appear in a text. */
const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
] as const;

const NAMES: readonly string[] = UNITS.map(([unit]) => unit);

/** The longest duration that the product accepts: ten years, in milliseconds. */
const MAX_DURATION_MS = 3_650 * 86_400_000;

/** Describes the format of durations, for messages. */
export const DURATION_FORM = "seconds (90) or units (250ms, 30s, 5m, 1h30m, 2d), at most ten years";

const AMOUNT = "\\d+(\\.\\d+)?";

/** Format of a duration: a number of seconds, or amounts with units, each unit once and largest first. */
export const DURATION_PATTERN = new RegExp(`^\\s*(${AMOUNT}|${NAMES.map(unitsFrom).join("|")})\\s*$`);

function unitsFrom(unit: string, index: number): string {
  const smaller = NAMES.slice(index + 1).map((one) => `(${AMOUNT}${one})?`);
  return `${AMOUNT}${unit}${smaller.join("")}`;
}

/**
 * Returns the milliseconds of a duration as written in flows and configuration: a number of seconds (`90`, `0.5`) or
 * text with units (`1s`, `1h30m`, `250ms`, `24h`). Fractions of a millisecond are rounded, but nothing above 0 becomes
 * 0. Throws INVALID_REQUEST for anything else, for negative values, and for more than ten years.
 */
export function parseDurationMs(value: number | string): number {
  const ms = typeof value === "number" ? value * 1_000 : parseText(value.trim());
  if (ms === undefined || !Number.isFinite(ms) || ms < 0 || ms > MAX_DURATION_MS) {
    const problem = unitsProblem(value) ?? `"${value}" is not a duration; write ${DURATION_FORM}`;
    fail("INVALID_REQUEST", { problem });
  }
  return ms > 0 ? Math.max(1, Math.round(ms)) : 0;
}

/** Message for a timeout of 0. */
export const ZERO_TIMEOUT =
  "a timeout of 0 ends before anything can happen; leave it out for the default, or set at least 1ms";

/** Returns whether a value is a duration of length 0; false for values that are not durations. */
export function isZeroDuration(value: number | string): boolean {
  try {
    return parseDurationMs(value) === 0;
  } catch {
    return false; // INVALID_REQUEST, which is reported elsewhere
  }
}

/**
 * Describes, with the fix, what is wrong with a text whose only fault is that units are repeated or out of order; null
 * for everything else.
 */
export function unitsProblem(value: unknown): string | null {
  if (typeof value !== "string" || DURATION_PATTERN.test(value)) return null;
  const text = value.trim();
  if (text.length > 100 || !/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(text)) return null;
  const units = [...text.matchAll(/ms|[smhd]/g)].map(([unit]) => unit);
  const isRepeated = new Set(units).size < units.length;
  const problem = isRepeated ? "names a unit twice" : "has its units out of order";
  return `"${text}" ${problem}; write each unit once, the largest first: "${spellOut(sumOf(text))}"`;
}

function parseText(text: string): number | undefined {
  if (!DURATION_PATTERN.test(text)) return undefined;
  return /[a-z]/.test(text) ? sumOf(text) : Number(text) * 1_000;
}

function sumOf(text: string): number {
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(?<!\d)(\d+(?:\.\d+)?)(ms|[smhd])/g))
    total += Number(amount) * (UNITS.find(([name]) => name === unit)?.[1] ?? 0);
  return total;
}

/** Returns the text of a duration, exact to the millisecond. */
function spellOut(ms: number): string {
  let text = "";
  let rest = Math.round(ms);
  for (const [unit, size] of UNITS) {
    const amount = Math.floor(rest / size);
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * size;
  }
  return text === "" ? "0s" : text;
}

/** Returns a duration in human-readable form: `1h30m`, `2.5s`, `40ms`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${Number((ms / 1_000).toFixed(1))}s`;
  const parts: string[] = [];
  let rest = Math.round(ms / 1_000);
  for (const [unit, seconds] of [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
    ["s", 1],
  ] as const) {
    const amount = Math.floor(rest / seconds);
    if (amount > 0) parts.push(`${amount}${unit}`);
    rest -= amount * seconds;
  }
  return parts.slice(0, 2).join("");
}
