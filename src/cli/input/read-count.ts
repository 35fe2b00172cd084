import { InvalidArgumentError } from "commander";

/** Parses a positive whole number. */
export function readCount(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError("expected a positive whole number");
  return Number(text);
}

/** Parses a whole number that may be 0. */
export function readSize(text: string): number {
  if (!/^\d{1,7}$/.test(text)) throw new InvalidArgumentError("expected a whole number");
  return Number(text);
}
