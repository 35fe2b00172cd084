import { InvalidArgumentError } from "commander";
import { DURATION_FORM, DURATION_PATTERN, isZeroDuration, parseDurationMs } from "../../base/time/duration.ts";

/** Parses a duration that is not zero, into milliseconds. */
export function readFor(text: string): number {
  if (!DURATION_PATTERN.test(text) || isZeroDuration(text)) throw new InvalidArgumentError(`expected ${DURATION_FORM}`);
  return parseDurationMs(text);
}
