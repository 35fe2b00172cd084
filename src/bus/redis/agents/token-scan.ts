/**
 * Finds whose answer a text is that cannot be read as JSON. Only a key of the outermost object counts: an output may
 * repeat the request of another task.
 */

/** How far it looks, bytes. */
const MAX_SCAN_BYTES = 16 * 1_024 * 1_024;
/** Longest token. */
const MAX_TOKEN_LENGTH = 255;
const KEY = Buffer.from('"correlation_id"');
const TOKEN = /^\s*:\s*"([A-Za-z0-9_-]{1,255})"/;
/** How far a token may be from its key, bytes. */
const MAX_SPACE = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENS = new Set([0x7b, 0x5b]);
const CLOSES = new Set([0x7d, 0x5d]);

/** The first `correlation_id` of the outermost object; null: there is none before the text stops making sense. */
export function findToken(value: Uint8Array): string | null {
  const bytes = Buffer.from(value.buffer, value.byteOffset, Math.min(value.byteLength, MAX_SCAN_BYTES));
  let depth = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (OPENS.has(byte)) depth += 1;
    else if (CLOSES.has(byte) && --depth === 0) return null;
    if (byte !== QUOTE) continue;
    const end = endOfText(bytes, at + 1);
    if (end < 0) return null;
    if (depth === 1 && bytes.subarray(at, end + 1).equals(KEY)) {
      const rest = bytes.toString("latin1", end + 1, end + 1 + MAX_TOKEN_LENGTH + MAX_SPACE);
      const token = TOKEN.exec(rest)?.[1];
      if (token !== undefined) return token;
    }
    at = end;
  }
  return null;
}

/** Where the quote is that ends the text whose first character is at `from`; -1: it has no end. */
function endOfText(bytes: Buffer, from: number): number {
  for (let quote = bytes.indexOf(QUOTE, from); quote >= 0; quote = bytes.indexOf(QUOTE, quote + 1)) {
    let before = quote;
    while (before > from && bytes[before - 1] === BACKSLASH) before -= 1;
    if ((quote - before) % 2 === 0) return quote;
  }
  return -1;
}
