/** From what a model says to the text of a template. */
import { isMap, parseDocument } from "yaml";
import { isJsonObject, type Json } from "../../base/json/json.ts";

/**
 * The text in an answer: its `content`, as models and agents give it, or the answer itself. Of a text with fenced
 * blocks the first block; what stands around it is talk. Fences inside a template are indented.
 */
export function textOfAnswer(answer: Json): string {
  const content = isJsonObject(answer) && Object.hasOwn(answer, "content") ? answer["content"] : answer;
  const text = typeof content === "string" ? content : JSON.stringify(content ?? null);
  const fenced = /^(`{3,}|~{3,})[^\n]*\n(.*?)^\1[ \t]*$/ms.exec(text);
  // What no store takes is shown as such, and found by the check.
  return `${(fenced?.[2] ?? text).trim().replaceAll("\0", "\ufffd").toWellFormed()}\n`;
}

/** The same template with another id. The text is one that has been read without problems. */
export function withId(text: string, id: string): string {
  const document = parseDocument(text, { version: "1.2", schema: "core" });
  if (!isMap(document.contents)) throw new Error("a template is an object");
  document.set("id", id);
  return document.toString({ lineWidth: 0 });
}
