/**
 * Ids of tasks that others wrote, as ids of our flows. Executors and tables keep the written ones.
 *
 *   fetch-1        obeys our grammar: it stays
 *   Send E-Mail    gets a readable part and a hash of the text: send-e-mail-0f3a…
 *
 * A derived id depends on its text alone, unless a task has that very id as its written one.
 */
import { createHash } from "node:crypto";
import { ID_PATTERN, MAX_ID_LENGTH, RESERVED_IDS } from "../../tasks/schema/schemas.ts";

/** Characters of the readable part, and of the hash. */
const READABLE = 48;
const HASH = 12;

/** Ids by what was written. The written ones are all different. */
export function deriveIds(written: readonly string[]): ReadonlyMap<string, string> {
  const kept = written.filter(isId);
  const taken = new Set(kept);
  const ids = new Map(kept.map((text) => [text, text]));
  for (const text of written) {
    if (ids.has(text)) continue;
    let id = derive(text, 0);
    for (let again = 1; taken.has(id); again += 1) id = derive(text, again);
    taken.add(id);
    ids.set(text, id);
  }
  return ids;
}

function isId(text: string): boolean {
  return text.length <= MAX_ID_LENGTH && ID_PATTERN.test(text) && !RESERVED_IDS.has(text);
}

function derive(text: string, again: number): string {
  const hash = createHash("sha256")
    .update(again === 0 ? text : `${again}\0${text}`)
    .digest("hex");
  // Of ASCII alone: what other letters become may change with the tables of Unicode.
  const words = text.slice(0, READABLE).replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  const readable = words.replaceAll(/[^a-z0-9_]+/g, "-").replaceAll(/^[^a-z]+|-$/g, "");
  return `${readable || "task"}-${hash.slice(0, HASH)}`;
}
