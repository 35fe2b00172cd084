/**
 * Answers without a model: texts from a file, chosen by words of the prompt. The same prompt always has the same
 * answer. They show how a flow moves, and say nothing about what a model would answer.
 */
import { readFileSync } from "node:fs";
import type { Json } from "../shared/json.ts";
import type { Answer, Question } from "./providers.ts";

interface Recording {
  /** All of these words are in the prompt, in any case. */
  readonly words: readonly string[];
  /** `{{TOPIC}}` is the rest of a line of the prompt that begins with `Topic:`. */
  readonly text: string;
  readonly json: Json;
}

const FILE = new URL("recordings.json", import.meta.url);

export function createRecordedModel(): (question: Question) => Answer {
  const recordings = JSON.parse(readFileSync(FILE, "utf8")) as readonly Recording[];
  return ({ prompt, isJson }) => {
    const lower = prompt.toLowerCase();
    const recording = recordings.find(({ words }) => words.every((word) => lower.includes(word)));
    const text = isJson ? JSON.stringify(recording?.json ?? null) : (recording?.text ?? "");
    return {
      text: text.replaceAll(/\{\{([A-Z]+)\}\}/g, (_, name: string) => escapeFor(isJson, readLine(prompt, name))),
      model: "recorded",
      finishReason: "stop",
      usage: { input_tokens: countWords(prompt), output_tokens: countWords(text) },
    };
  };
}

/** The rest of the line that begins with `Name:`. */
function readLine(prompt: string, name: string): string {
  return new RegExp(`^${name}: *(.+)$`, "im").exec(prompt)?.[1]?.trim() ?? `an unnamed ${name.toLowerCase()}`;
}

function escapeFor(isJson: boolean, text: string): string {
  return isJson ? JSON.stringify(text).slice(1, -1) : text;
}

function countWords(text: string): number {
  return text.split(/\s+/).filter((word) => word !== "").length;
}
