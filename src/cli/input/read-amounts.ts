/** Amounts in options: money, tokens, and lengths of time. */
import { InvalidArgumentError } from "commander";
import { DURATION_FORM, DURATION_PATTERN, parseDurationMs } from "../../base/time/duration.ts";

/** Dollars → millionths. */
export function readDollars(text: string): bigint {
  const [, whole = "", part = ""] = /^(\d{1,7})(?:\.(\d{1,6}))?$/.exec(text) ?? [];
  if (whole === "") throw new InvalidArgumentError("expected dollars, such as 0.50, with at most six decimal places");
  return BigInt(whole) * 1_000_000n + BigInt(part.padEnd(6, "0"));
}

export function readTokens(text: string): bigint {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("expected a whole number");
  return BigInt(text);
}

/** A length of time → milliseconds. */
export function readDuration(text: string): number {
  if (!DURATION_PATTERN.test(text)) throw new InvalidArgumentError(`expected ${DURATION_FORM}`);
  return parseDurationMs(text);
}
