import { InvalidArgumentError } from "commander";

/** A positive whole number of the command line. */
export function readCount(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError("expected a positive whole number");
  return Number(text);
}
