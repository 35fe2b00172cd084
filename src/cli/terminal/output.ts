/**
 * Everything that the command line prints. Text from outside reaches a stream only as a part of a {@link show}
 * template, which removes what would steer a terminal, or as JSON, which escapes it. A house test keeps every other
 * file from writing to a stream.
 */
import type { Json } from "../../base/json/json.ts";
import { plain } from "./terminal.ts";

/** Text that is safe to print: it was put together here, and may hold line breaks and styles of our own. */
export class Shown {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A part of a template: text and numbers are made plain, shown text stays as it is. */
export type Part = string | number | bigint | Shown;

/**
 * Template tag. The literal parts are ours; the parts from outside are put on one line, without control and formatting
 * characters.
 */
export function show(literals: TemplateStringsArray, ...parts: readonly Part[]): Shown {
  return new Shown(literals.reduce((text, literal, at) => text + textOf(parts[at - 1] ?? "") + literal));
}

function textOf(part: Part): string {
  return part instanceof Shown ? part.text : plain(String(part));
}

/** Shown texts one after the other. */
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

/** Text of several lines with its line breaks and tabs, each line made plain. */
export function showLines(text: string): Shown {
  return new Shown(
    text
      .split(/(\r?\n|\t)/)
      .map((part, at) => (at % 2 === 0 ? plain(part) : part))
      .join(""),
  );
}

/**
 * Prints text that is the result of a command: as it is into files and pipes, line by line made plain on a terminal.
 */
export function printText(text: string): void {
  const { stdout } = process;
  stdout.write(stdout.isTTY === true ? showLines(text).text : text);
}

/**
 * JSON text in which no character steers a terminal: what is a control or formatting character is escaped, which
 * changes no value.
 */
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
