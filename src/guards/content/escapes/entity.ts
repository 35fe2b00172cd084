/** Character references of HTML: by number, and the names of ASCII. */
import { NO_POINT, numberTo, type Place } from "./place.ts";

const [HASH, SEMICOLON] = [35, 59];

/** Names of characters that rules look at. Their case does not matter. */
const NAMES: Readonly<Record<string, string>> = {
  ...{ amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " ", commat: "@", period: ".", colon: ":", sol: "/" },
  ...{ plus: "+", num: "#", hyphen: "-", dash: "-", lowbar: "_", underbar: "_", equals: "=", comma: ",", semi: ";" },
  ...{ tab: "\t", newline: "\n", lbrack: "[", lsqb: "[", rbrack: "]", rsqb: "]", lpar: "(", rpar: ")", ast: "*" },
  ...{ midast: "*", dollar: "$", percnt: "%", excl: "!", quest: "?", vert: "|", verbar: "|", verticalline: "|" },
  ...{ bsol: "\\", hat: "^", grave: "`", lbrace: "{", lcub: "{", rbrace: "}", rcub: "}", shy: "\u00ad" },
  ...{ zwj: "\u200d", zwnj: "\u200c", zerowidthspace: "\u200b", nobreak: "\u2060", ensp: " ", emsp: " ", thinsp: " " },
};

/** Longest name. */
const MAX_NAME = Math.max(...Object.keys(NAMES).map(({ length }) => length));

/** Names by their first two letters and their length. */
const SLOTS: readonly (readonly [string, number][])[] = slots();

function slots(): (readonly [string, number][])[] {
  const all: [string, number][][] = Array.from({ length: 16_384 }, () => []);
  for (const [name, character] of Object.entries(NAMES))
    all[slotOf(name.charCodeAt(0), name.charCodeAt(1), name.length)]?.push([name, character.charCodeAt(0)]);
  return all;
}

function slotOf(first: number, second: number, length: number): number {
  return ((first & 31) << 9) | ((second & 31) << 4) | (length & 15);
}

/** Reads `&#64;`, `&#x40;`, both without their `;` as well, or `&commat;`. */
export function readEntity(bytes: Uint8Array, start: number, place: Place): number {
  if (bytes[start + 1] === HASH) {
    const isHex = ((bytes[start + 2] as number) | 32) === 120;
    const point = numberTo(bytes, start + (isHex ? 3 : 2), isHex ? 16 : 10, place);
    if (bytes[place.end] === SEMICOLON) place.end++;
    return point < 0 ? NO_POINT : point;
  }
  let end = start + 1;
  while (end - start <= MAX_NAME && (((bytes[end] as number) | 32) - 97) >>> 0 < 26) end++;
  if (bytes[end] !== SEMICOLON) return NO_POINT;
  place.end = end + 1;
  const slot = slotOf(bytes[start + 1] as number, bytes[start + 2] as number, end - start - 1);
  for (const [name, point] of SLOTS[slot] as readonly [string, number][])
    if (hasName(name, bytes, start + 1)) return point;
  return NO_POINT;
}

function hasName(name: string, bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < name.length; index++)
    if (((bytes[start + index] as number) | 32) !== name.charCodeAt(index)) return false;
  return true;
}
