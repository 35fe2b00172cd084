/** From what a model says to the text of a template. */
import { isMap, parseDocument } from "yaml";
import { isJsonObject, type Json } from "../../base/json/json.ts";
import { isCutShort } from "../../base/net/finish-reason.ts";

/**
 * The text in an answer: its `content`, as models and agents give it, or the answer itself. Of a text with fenced
 * blocks the first block; what stands around it is talk. Fences inside a template are indented. Takes time in
 * proportion to the text, whatever that is.
 */
export function textOfAnswer(answer: Json): string {
  const content = isJsonObject(answer) && Object.hasOwn(answer, "content") ? answer["content"] : answer;
  const text = typeof content === "string" ? content : JSON.stringify(content ?? null);
  // What no store takes is shown as such, and found by the check.
  return `${(firstBlock(text) ?? text).trim().replaceAll("\0", "\ufffd").toWellFormed()}\n`;
}

/** Whether the model had more to say than it was allowed to: what is there may pass for a whole. */
export function isCutOff(answer: Json): boolean {
  return isJsonObject(answer) && isCutShort(answer["finish_reason"]);
}

/** What stands between the first fence and the one that closes it; null: there is no such block. */
function firstBlock(text: string): string | null {
  let fence = "";
  let begins = 0;
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf("\n", start);
    const end = newline === -1 ? text.length : newline;
    const found = fenceAt(text, start, end);
    if (fence === "") {
      fence = found;
      begins = end + 1;
    } else if (found.startsWith(fence) && text.slice(start + found.length, end).trim() === "") {
      return text.slice(begins, start);
    }
    start = end + 1;
  }
  return null;
}

/** The fence at the begin of a line; empty: there is none. */
function fenceAt(text: string, start: number, end: number): string {
  const sign = text[start];
  if (sign !== "`" && sign !== "~") return "";
  let last = start;
  while (last < end && text[last] === sign) last += 1;
  return last - start < 3 ? "" : text.slice(start, last);
}

/** The same template with another id. The text is one that has been read without problems. */
export function withId(text: string, id: string): string {
  const document = parseDocument(text, { version: "1.2", schema: "core" });
  if (!isMap(document.contents)) throw new Error("a template is an object");
  document.set("id", id);
  return document.toString({ lineWidth: 0 });
}
