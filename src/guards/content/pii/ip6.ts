/** IPv6 addresses, for policies that ask for addresses. */
import { isIPv6 } from "node:net";
import { type Codes, isWordAt, textOf } from "../codes.ts";
import type { FoundList } from "../found.ts";

/** Longest address, with an IPv4 tail. */
const MAX_LENGTH = 45;

const isAddressCode = Uint8Array.from({ length: 256 }, (_, code) =>
  /[0-9A-Fa-f:.]/.test(String.fromCharCode(code)) ? 1 : 0,
);

/** Adds the address around the first of two or more colons. Returns where to go on. */
export function findIpv6(codes: Codes, colon: number, found: FoundList): number {
  const { bytes } = codes;
  let start = colon;
  while (start > 0 && colon - start < 4 && isAddressCode[bytes[start - 1] as number] === 1) start--;
  let end = colon;
  while (end - start <= MAX_LENGTH && isAddressCode[bytes[end] as number] === 1) end++;
  while (end > start && (bytes[end - 1] === 46 || (bytes[end - 1] === 58 && bytes[end - 2] !== 58))) end--;
  const isFree = !isWordAt(codes, start - 1) && !isWordAt(codes, end);
  if (end - start > 3 && isFree && isIPv6(textOf(codes, start, end))) found.push({ rule: "pii.ip", start, end });
  return Math.max(end, colon + 1);
}
