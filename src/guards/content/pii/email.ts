/** E-mail addresses, from the `@` on: back over the name, forward over the domain. */
import { type Codes, DIGIT, isWordAt, KINDS, LETTER, textOf } from "../codes.ts";
import type { FoundList } from "../found.ts";

const SLASH = 47;

/** Longest name and longest domain, RFC 5321. */
const [MAX_NAME, MAX_DOMAIN] = [64, 253];

/** RFC 5321 allows a slash in a name, too; but it begins one, in paths. */
const isNameCode = Uint8Array.from({ length: 256 }, (_, code) =>
  code === 128 || /[A-Za-z0-9.!#$%&'*+=?^_`{|}~-]/.test(String.fromCharCode(code)) ? 1 : 0,
);

/** Last labels that are no domain of mail: files beside their scale (`logo@2x.png`), and names of one network. */
const NO_DOMAIN = new Set(
  "png jpg jpeg gif svg webp ico css js mjs ts tsx json yaml yml tgz zip gz md txt pdf html php py rb go rs jar class local localhost internal lan invalid".split(
    " ",
  ),
);

/** Adds the address around an `@`. */
export function findEmail(codes: Codes, at: number, found: FoundList): void {
  const { bytes } = codes;
  const end = readDomain(codes, at + 1);
  if (end === 0) return;
  let start = at;
  while (start > 0 && at - start < MAX_NAME && isNameCode[bytes[start - 1] as number] === 1) start--;
  // Signs around a name belong to the text: `'ada@…'`, `(=ada@…`.
  while (start < at && !isWordAt(codes, start) && bytes[start] !== 95) start++;
  // The user of a URL.
  const isUser = bytes[start - 1] === SLASH && bytes[start - 2] === SLASH;
  if (start === at || isUser || (!isWordAt(codes, at - 1) && bytes[at - 1] !== 95 && bytes[at - 1] !== 45)) return;
  // `git@host:path`, and ports: places, not mailboxes.
  if (bytes[end] === 58 && (isWordAt(codes, end + 1) || bytes[end + 1] === 47)) return;
  found.push({ rule: "pii.email", start, end });
}

/** End of the domain; 0: it is none. */
function readDomain(codes: Codes, start: number): number {
  const { bytes } = codes;
  let label = start;
  let end = 0;
  let index = start;
  let labels = 0;
  while (index - start <= MAX_DOMAIN) {
    const code = bytes[index] as number;
    const kind = KINDS[code];
    if (kind === LETTER || kind === DIGIT || (code === 45 && index > label)) {
      index++;
      continue;
    }
    if (index === label) break;
    labels++;
    if (labels > 1 && isTopLabel(codes, label, index)) end = index;
    if (code !== 46) break;
    label = index + 1;
    index++;
  }
  if (end === 0 || bytes[end - 1] === 45) return 0;
  return isWordAt(codes, end) ? 0 : end;
}

/** A number of the letters of a label, in any case. */
function labelHash(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let index = start; index < end; index++) hash = (hash * 31 + ((bytes[index] as number) | 32)) & 1_023;
  return hash;
}

/** Whether a label of this number may be none of mail: others are not compared as text. */
const MAY_BE_NONE = new Uint8Array(1_024);
for (const label of NO_DOMAIN) MAY_BE_NONE[labelHash(Buffer.from(label), 0, label.length)] = 1;

/** At least two letters, and no extension of a file. */
function isTopLabel(codes: Codes, start: number, end: number): boolean {
  if (end - start < 2 || end - start > 24) return false;
  const { bytes } = codes;
  for (let index = start; index < end; index++) if (KINDS[bytes[index] as number] !== LETTER) return false;
  return MAY_BE_NONE[labelHash(bytes, start, end)] === 0 || !NO_DOMAIN.has(textOf(codes, start, end).toLowerCase());
}
