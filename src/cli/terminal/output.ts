/**
 * All output of the command line. Text from outside reaches a stream only as part of a {@link show} template, which
 * removes terminal control sequences, or as JSON, which escapes them. A house test prevents other files from writing to
 * a stream.
 */
import type { Json } from "../../base/json/json.ts";
import { plain } from "./terminal.ts";

/** Text that is safe to print: composed here, possibly with line breaks and styles. */
export class Shown {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Part of a template: text and numbers are sanitized, shown text is kept. */
export type Part = string | number | bigint | Shown;

/**
 * Template tag. Literal parts are trusted; other parts are put on one line without control and formatting characters.
 */
export function show(literals: TemplateStringsArray, ...parts: readonly Part[]): Shown {
  return new Shown(literals.reduce((text, literal, at) => text + textOf(parts[at - 1] ?? "") + literal));
}

function textOf(part: Part): string {
  return part instanceof Shown ? part.text : plain(String(part));
}

/** Concatenates shown texts. */
export function joinShown(parts: readonly Part[], separator = ""): Shown {
  return new Shown(parts.map(textOf).join(separator));
}

/** Template tag that prints to stdout; see {@link show}. */
export function toStdout(literals: TemplateStringsArray, ...parts: readonly Part[]): void {
  process.stdout.write(show(literals, ...parts).text);
}

/** Template tag that prints to stderr; see {@link show}. */
export function toStderr(literals: TemplateStringsArray, ...parts: readonly Part[]): void {
  process.stderr.write(show(literals, ...parts).text);
}

/** Prints shown text to a stream. */
export function writeShown(stream: NodeJS.WritableStream, shown: Shown): void {
  stream.write(shown.text);
}

/** Text of several lines with its line breaks and tabs, each line sanitized. */
export function showLines(text: string): Shown {
  return new Shown(
    text
      .split(/(\r?\n|\t)/)
      .map((part, at) => (at % 2 === 0 ? plain(part) : part))
      .join(""),
  );
}

/** Prints text that is the result of a command: unchanged to files and pipes, sanitized line by line on a terminal. */
export function printText(text: string): void {
  const { stdout } = process;
  stdout.write(stdout.isTTY === true ? showLines(text).text : text);
}

/** JSON text without control and formatting characters: they are escaped, which changes no value. */
export function showJson(value: Json, indent?: number): Shown {
  const text = JSON.stringify(value, null, indent);
  return new Shown(text.replaceAll(/[\u007f-\u009f\u2028\u2029\p{Cf}]/gu, escapeCharacter));
}

function escapeCharacter(character: string): string {
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");
}
