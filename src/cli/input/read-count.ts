import { InvalidArgumentError } from "commander";

/** Parses a positive whole number. */
export function readCount(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError("expected a positive whole number");
  return Number(text);
}
