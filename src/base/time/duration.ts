import { fail } from "../errors.ts";

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The longest duration that the product takes: ten years, milliseconds. */
const MAX_DURATION_MS = 3_650 * UNIT_MS.d;

/**
 * Milliseconds of a duration as flows and configuration write it: a number of seconds (`90`, `0.5`) or text with units (`1s`, `1h30m`, `250ms`, `24h`).
 * Throws INVALID_REQUEST for anything else, for negative values and for more than ten years.
 */
export function parseDurationMs(value: number | string): number {
  const ms = typeof value === "number" ? value * 1_000 : parseText(value.trim());
  if (ms === undefined || !Number.isFinite(ms) || ms < 0 || ms > MAX_DURATION_MS) {
    fail("INVALID_REQUEST", {
      problem: `"${value}" is not a duration; write seconds (90) or units (250ms, 30s, 5m, 1h30m, 2d), at most ten years`,
    });
  }
  return Math.round(ms);
}

function parseText(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    total += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
  }
  return total;
}

/** A duration as people read it: `1h30m`, `2.5s`, `40ms`. */
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
