/** Secrets with a frame: private keys, JSON Web Tokens, and credentials in URLs. */
import { type Codes, DIGIT, KINDS, LETTER, textOf } from "../codes.ts";
import type { FoundList } from "../found.ts";
import { beginsWith } from "./tokens.ts";

/** Longest first line of a PEM block; longest header of a JWT; longest user and password of a URL. */
const [MAX_LABEL, MAX_HEADER, MAX_USER] = [64, 1_024, 256];

const END_MARK = "-----END";

/**
 * Adds the private key whose word BEGIN stands at a place. A key without an end goes to the end of the text. Returns
 * where to go on.
 */
export function findPrivateKey({ bytes, length }: Codes, begin: number, found: FoundList): number {
  if (begin < 5 || !beginsWith(bytes, begin - 5, "-----BEGIN ")) return begin;
  let index = begin;
  while (index - begin < MAX_LABEL && bytes[index] !== 45 && bytes[index] !== 10 && index < length) index++;
  if (!beginsWith(bytes, index, "-----")) return begin;
  const isPrivate = beginsWith(bytes, index - 11, "PRIVATE KEY") || beginsWith(bytes, index - 17, "PRIVATE KEY BLOCK");
  if (!isPrivate) return begin;
  const mark = bytes.subarray(0, length).indexOf(END_MARK, index, "latin1");
  let end = mark < 0 ? length : mark + END_MARK.length;
  while (mark >= 0 && end < length && end - mark < MAX_LABEL + 16 && bytes[end] !== 10) end++;
  found.push({ rule: "secret.private_key", start: begin - 5, end });
  return end;
}

/** Adds the JWT that begins with a header from `start` to `header`. Returns its end, else `start`. */
export function findJwt(codes: Codes, start: number, header: number, found: FoundList): number {
  const { bytes } = codes;
  if (header - start < 12 || header - start > MAX_HEADER || bytes[header] !== 46) return start;
  const body = skipSegment(bytes, header + 1);
  if (body - header < 4 || bytes[body] !== 46) return start;
  const end = skipSegment(bytes, body + 1);
  if (end - body < 16) return start;
  const decoded = Buffer.from(textOf(codes, start, header), "base64url").toString("latin1");
  if (!/^\{[^{}]*"(alg|enc)"\s*:/.test(decoded)) return start;
  found.push({ rule: "secret.jwt", start, end });
  return end;
}

/** The end of a part of a JWT. */
export function skipSegment(bytes: Uint8Array, start: number): number {
  let end = start;
  for (;;) {
    const code = bytes[end] as number;
    const kind = KINDS[code];
    if (code > 127 || (kind !== LETTER && kind !== DIGIT && code !== 45 && code !== 95)) return end;
    end++;
  }
}

/** Adds user and password behind the `://` whose colon stands at a place. */
export function findUrlPassword({ bytes }: Codes, colon: number, found: FoundList): void {
  const start = colon + 3;
  let second = -1;
  for (let index = start; index - start <= MAX_USER; index++) {
    const code = bytes[index] as number;
    if (code === 58 && second < 0) second = index;
    // `user:$PASSWORD@`, `user:<password>@`, and `user:***@` say that there is one, and not which.
    if (code === 64) {
      const first = bytes[second + 1];
      const isHidden = first === 36 || first === 60 || first === 123 || first === 42 || first === 37 || first === 91;
      if (second > start - 1 && index - second > 1 && !isHidden)
        found.push({ rule: "secret.url_password", start, end: index });
      return;
    }
    // The end of the authority, or of the text.
    if (code <= 32 || code === 47 || code === 63 || code === 35 || code === 34 || code === 39) return;
  }
}
