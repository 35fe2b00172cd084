/** Tokens that say by their first characters whose they are. */
import { type Codes, isWordAt } from "../codes.ts";
import type { FoundList } from "../found.ts";
import { entropyOf } from "./entropy.ts";

/** What follows the prefix. */
interface TokenShape {
  readonly prefix: string;
  /** Letters, digits, and other bytes that it has: 1 for each. */
  readonly has: Uint8Array;
  readonly least: number;
  readonly most: number;
}

/** `more`: what a token has besides letters and digits. */
function shape(prefix: string, least: number, most = least, more = "", letters = /[A-Za-z0-9]/): TokenShape {
  const has = Uint8Array.from({ length: 256 }, (_, code) => {
    const character = String.fromCharCode(code);
    return letters.test(character) || more.includes(character) ? 1 : 0;
  });
  return { prefix, has, least, most };
}

/** Only capital letters and digits, as in the ids of AWS keys. */
const UPPER = /[A-Z0-9]/;

/** Known tokens. Stripe's `pk_` is public and stands on pages; it is none. */
const SHAPES: readonly TokenShape[] = [
  shape("AKIA", 16, 16, "", UPPER),
  shape("ASIA", 16, 16, "", UPPER),
  ...["ghp_", "gho_", "ghu_", "ghs_", "ghr_"].map((prefix) => shape(prefix, 36, 251)),
  shape("github_pat_", 50, 100, "_"),
  shape("glpat-", 20, 60, "-_"),
  ...["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xapp-"].map((prefix) => shape(prefix, 20, 200, "-")),
  shape("AIza", 35, 35, "-_"),
  shape("GOCSPX-", 28, 28, "-_"),
  shape("ya29.", 30, 400, "-_"),
  ...["sk_live_", "rk_live_", "sk_test_", "rk_test_"].map((prefix) => shape(prefix, 16, 250)),
  shape("whsec_", 24, 100, "+/="),
  shape("sk-ant-", 40, 200, "-_"),
  shape("sk-proj-", 40, 250, "-_"),
  shape("sk-", 40, 250, "-_"),
  shape("npm_", 36),
  shape("hf_", 30, 40),
  shape("pypi-AgEIcHlwaS5vcmc", 50, 400, "-_"),
  shape("dop_v1_", 64),
  shape("shpat_", 32),
  shape("SG.", 60, 70, "-_."),
];

/** Entropy below which a token is a placeholder, bits per character. */
const MIN_ENTROPY = 2.8;

const pairOfPrefix = ({ prefix }: TokenShape): number => pairOf(prefix.charCodeAt(0), prefix.charCodeAt(1));

/** Shapes by their first two characters, as one number. */
const BY_PAIR: readonly (readonly TokenShape[])[] = Array.from({ length: 128 * 128 }, (_, pair) =>
  SHAPES.filter((one) => pairOfPrefix(one) === pair),
);

/** Whether a token, or the `ey` of a JWT, may begin with two bytes: asked at every word. */
export const BEGINS_TOKEN: Uint8Array = Uint8Array.from({ length: 128 * 128 }, (_, pair) =>
  (BY_PAIR[pair] as readonly TokenShape[]).length > 0 || pair === pairOf(101, 121) ? 1 : 0,
);

/** The number of a pair. */
export function pairOf(first: number, second: number): number {
  return (first & 127) * 128 + (second & 127);
}

/** What became of a place where a token may begin. */
export interface TokenEnd {
  readonly isFound: boolean;
  /** Where it ends, or how far was read in vain: nothing inside can be a token either. */
  readonly end: number;
}

/** Adds the token that begins at a place. */
export function findToken(codes: Codes, start: number, found: FoundList): TokenEnd {
  const { bytes } = codes;
  let read = start;
  if (isWordAt(codes, start - 1)) return { isFound: false, end: start };
  for (const candidate of shapesAt(bytes, start)) {
    if (!beginsWith(bytes, start, candidate.prefix)) continue;
    const first = start + candidate.prefix.length;
    const end = readBody(bytes, first, candidate);
    read = Math.max(read, end);
    if (end - first < candidate.least || isWordAt(codes, end)) continue;
    if (entropyOf(bytes, first, end) < MIN_ENTROPY) continue;
    found.push({ rule: "secret.api_token", start, end });
    return { isFound: true, end };
  }
  return { isFound: false, end: read };
}

function shapesAt(bytes: Uint8Array, start: number): readonly TokenShape[] {
  return BY_PAIR[pairOf(bytes[start] as number, bytes[start + 1] as number)] as readonly TokenShape[];
}

function readBody(bytes: Uint8Array, start: number, { has, most }: TokenShape): number {
  let end = start;
  while (end - start < most && has[bytes[end] as number] === 1) end++;
  return end;
}

/** Whether ASCII stands at a place. */
export function beginsWith(bytes: Uint8Array, start: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) if (bytes[start + index] !== text.charCodeAt(index)) return false;
  return true;
}
