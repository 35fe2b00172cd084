/** Folds characters to ASCII: what looks like a Latin letter or a digit is one for the rules. */
import { OTHER_LETTER, OTHER_SYMBOL } from "./codes.ts";

/** The byte that stands for a code point; 0: it is invisible. */
export type Fold = (point: number) => number;

/** Letters of other scripts that look like Latin ones, and the Latin ones. */
const LOOK_ALIKES: readonly (readonly [string, string])[] = [
  ["авеіјкмнорсԁԛтухһԍӏѕґьѵѡѐё", "abeijkmhopcdqtyxhglsrbvweee"],
  ["АВЕІЈКМНОРСТУХЅԌԚԜѴӀ", "ABEIJKMHOPCTYXSGQWVI"],
  ["αβειικνορτυχωϲγηδ", "abeiiknoptuxwcynd"],
  ["ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹϜ", "ABEZHIKMNOPTYXCF"],
  ["օսոհցՍՏՕԱԼ", "ounhgUSOUL"],
  ["ıɩɪʟʀɴɡɑɾʏᴀʙᴄᴅᴇɢʜᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜱꜰ", "iiilrngaryabcdeghjkmoptuvwzsf"],
];

/** Code points that are folded together, in pages of this length. */
const PAGE = 256;

/** Tags (U+E0020 to U+E007E) are invisible copies of ASCII. */
const [FIRST_TAG, LAST_TAG] = [0xe0020, 0xe007e];

/** Creates a fold. Pages are computed when they are first needed. */
export function createFold(): Fold {
  const pages = new Map<number, Uint8Array>();
  const alike = new Map(
    LOOK_ALIKES.flatMap(([others, latin]) =>
      Array.from(others, (one, index) => [one, latin[index] as string] as const),
    ),
  );
  let lastNumber = -1;
  let lastPage = new Uint8Array(0);
  return (point) => {
    const number = (point / PAGE) | 0;
    if (number !== lastNumber) {
      lastPage = pages.get(number) as Uint8Array<ArrayBuffer>;
      lastNumber = number;
      if (lastPage === undefined) {
        lastPage = Uint8Array.from({ length: PAGE }, (_, offset) => foldPoint(number * PAGE + offset, alike));
        pages.set(number, lastPage);
      }
    }
    return lastPage[point % PAGE] as number;
  };
}

function foldPoint(point: number, alike: ReadonlyMap<string, string>): number {
  if (point < 128) return point;
  if (point >= FIRST_TAG && point <= LAST_TAG) return point - 0xe0000;
  if (point >= 0xd800 && point <= 0xdfff) return OTHER_SYMBOL;
  const character = String.fromCodePoint(point);
  if (/^[\p{Default_Ignorable_Code_Point}\p{Mn}\p{Me}\p{Cf}]$/u.test(character)) return 0;
  const [base = character, ...rest] = character.normalize("NFKD");
  // An accent says nothing; a second letter would.
  const isSingle = rest.every((one) => /^\p{Mn}$/u.test(one));
  if (isSingle) {
    const latin = alike.get(base) ?? base;
    if (latin.charCodeAt(0) < 128) return latin.charCodeAt(0);
    if (/^\p{Nd}$/u.test(base)) return 48 + digitOf(base.codePointAt(0) as number);
  }
  if (/^[\s\p{Zs}]$/u.test(character)) return 32;
  if (/^\p{Pd}$/u.test(character)) return 45;
  if (/^[\u2018\u2019\u201b\u2032]$/.test(character)) return 39;
  if (/^[\u201c-\u201f\u00ab\u00bb\u2033]$/.test(character)) return 34;
  return /^\p{L}$/u.test(character) ? OTHER_LETTER : OTHER_SYMBOL;
}

/** Digits of a script stand together, from 0 to 9. */
function digitOf(point: number): number {
  let value = 0;
  while (value < 9 && /^\p{Nd}$/u.test(String.fromCodePoint(point - value - 1))) value++;
  return value;
}
