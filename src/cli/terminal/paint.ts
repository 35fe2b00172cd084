/** Colors and weights. */
import { styleText } from "node:util";
import { Shown } from "./output.ts";
import { plain } from "./terminal.ts";

/** A color or weight; applied only on a terminal, and not if NO_COLOR is set. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "blue" | "cyan";

/** Styles text for one stream and sanitizes it. */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): Shown {
  return new Shown(styleText(style, plain(text), { stream }));
}
