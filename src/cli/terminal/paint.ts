/** Colours and weights. */
import { styleText } from "node:util";
import { Shown } from "./output.ts";
import { plain } from "./terminal.ts";

/** A colour or weight; shown only where the stream is a terminal and the user did not ask for none (NO_COLOR). */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "blue" | "cyan";

/** Text in a style for one stream; the text is made plain. */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): Shown {
  return new Shown(styleText(style, plain(text), { stream }));
}
