/** Bodies of foreign messages: JSON where they are, text otherwise. */
import { isOrchestratorError } from "../errors.ts";
import type { Json } from "./json.ts";
import { parseJson } from "./json-parse.ts";

/**
 * The value if the bytes are JSON, or else the text if they are text that can be stored; null for everything else, and
 * for nothing. Integers that no double holds become text.
 */
export function readJsonOrText(bytes: Uint8Array | null): Json {
  if (bytes === null || bytes.length === 0) return null;
  try {
    return parseJson(bytes, { field: "the message", largeIntegers: "text" });
  } catch (error) {
    if (!isOrchestratorError(error)) throw error;
    return readText(bytes);
  }
}

/** Text that can be stored; null: it is none. */
export function readText(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return text.includes("\0") ? null : text;
  } catch {
    // Not UTF-8: something binary.
    return null;
  }
}
