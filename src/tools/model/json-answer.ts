/** Answers that have to be JSON: how a model is told so, how they are read, and how it is asked to repair them. */
import { isOrchestratorError } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { parseJson } from "../../base/json/json-parse.ts";
import type { AiParameters } from "../../engine/ports/models/questions.ts";
import type { ChatMessage } from "./process/protocol.ts";

/** Returns what is wrong with a value, for the model; empty: it matches the schema. */
export type SchemaCheck = (schema: JsonObject, value: Json) => readonly string[];

/** The form of an answer; null: text. */
export interface JsonForm {
  readonly schema: JsonObject | null;
}

/** Most of the problems, and of a broken answer, that a model is shown. */
const MAX_PROBLEMS = 10;
const MAX_SHOWN = 20_000;

/** Reads `response_format`. */
export function formOf({ response_format: format }: Pick<AiParameters, "response_format">): JsonForm | null {
  const { type, schema = null } = typeof format === "object" ? format : { type: format };
  return type === "json" ? { schema } : null;
}

/** What the model is told about the form. */
export function instructionOf({ schema }: JsonForm): string {
  const must = "Answer with one JSON value and nothing else: no explanation, no Markdown.";
  return schema === null ? must : `${must} It must match this JSON Schema: ${JSON.stringify(schema)}`;
}

/** The value of an answer, or what is wrong with it. */
export function readAnswer(
  text: string,
  { schema }: JsonForm,
  check: SchemaCheck,
): { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly problems: readonly string[] } {
  let value: Json;
  try {
    value = parseJson(withoutFence(text), { field: "the answer", largeIntegers: "text" });
  } catch (error) {
    if (!isOrchestratorError(error)) throw error;
    return { ok: false, problems: [error.message] };
  }
  const problems = schema === null ? [] : check(schema, value);
  return problems.length === 0 ? { ok: true, value } : { ok: false, problems: problems.slice(0, MAX_PROBLEMS) };
}

/** The messages that follow a broken answer. */
export function repairOf(text: string, problems: readonly string[]): readonly ChatMessage[] {
  return [
    { role: "assistant", content: text === "" ? "(nothing)" : text.slice(0, MAX_SHOWN) },
    {
      role: "user",
      content: `That answer cannot be used: ${problems.join("; ")}. Answer again with the whole JSON value and nothing else.`,
    },
  ];
}

/** Models like to wrap JSON in a block of Markdown. No pattern reads it: an answer may be anything, megabytes long. */
function withoutFence(text: string): string {
  const trimmed = text.trim();
  const newline = trimmed.indexOf("\n");
  const head = trimmed.slice(0, Math.max(newline, 0)).trimEnd();
  const isFenced = (head === "```" || head === "```json") && trimmed.endsWith("```") && newline + 3 < trimmed.length;
  return isFenced ? trimmed.slice(newline + 1, -3) : text;
}
