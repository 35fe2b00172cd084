/**
 * Long run ids in few bytes, for tokens. The characters of ids that callers choose are digits of a number; the end of
 * a child's id is 80 bits. Ids of up to 100 characters become at most 76 bytes; a child's end adds 10.
 */
import { rootOf } from "../../base/ids.ts";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._-";
const BASE = BigInt(DIGITS.length);
const VALUES = new Map([...DIGITS].map((digit, value) => [digit, BigInt(value)]));
/** Of the end of a child's id, as `base/ids.ts` writes it. */
const END_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
const END_BASE = BigInt(END_DIGITS.length);
const END_VALUES = new Map([...END_DIGITS].map((digit, value) => [digit, BigInt(value)]));
const END_LENGTH = 16;
const END_BYTES = 10;

/** A packed id; `isChild`: the last bytes are the end of a child's id. */
export interface PackedId {
  readonly isChild: boolean;
  readonly bytes: Buffer;
}

/** Null: the id has other characters, as those of earlier releases. */
export function packId(runId: string): PackedId | null {
  const root = rootOf(runId);
  const isChild = root.length === runId.length - END_LENGTH - 1;
  const number = toNumber(root, BASE, VALUES);
  if (number === null || (!isChild && root !== runId)) return null;
  const bytes = toBytes(number);
  if (!isChild) return { isChild, bytes };
  const end = toNumber(runId.slice(-END_LENGTH), END_BASE, END_VALUES);
  if (end === null) return null;
  // Without the leading digit, 16 digits are 80 bits.
  const ended = toBytes(end).subarray(-END_BYTES);
  return { isChild, bytes: Buffer.concat([bytes, ended]) };
}

export function unpackId({ isChild, bytes }: PackedId): string {
  const at = bytes.length - (isChild ? END_BYTES : 0);
  const root = toText(toBigInt(bytes.subarray(0, at)), BASE, DIGITS);
  if (!isChild) return root;
  const one = END_BASE ** BigInt(END_LENGTH);
  return `${root}~${toText(one + toBigInt(bytes.subarray(at)), END_BASE, END_DIGITS)}`;
}

/** The digits behind a leading 1, which keeps zeros. */
function toNumber(text: string, base: bigint, values: ReadonlyMap<string, bigint>): bigint | null {
  let number = 1n;
  for (const digit of text) {
    const value = values.get(digit);
    if (value === undefined) return null;
    number = number * base + value;
  }
  return number;
}

function toText(number: bigint, base: bigint, digits: string): string {
  let text = "";
  for (let rest = number; rest > 1n; rest /= base) text = digits.charAt(Number(rest % base)) + text;
  return text;
}

function toBytes(number: bigint): Buffer {
  const hex = number.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
}

function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}
