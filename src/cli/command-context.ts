import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";

/** What a command is given. */
export interface CommandContext {
  /** Ends the program with this code when the command is done; 0 when it is not called. */
  exitWith(code: number): void;
  /** The whole program, every command in full, for those that describe it. */
  describeProgram(): Promise<Command>;
}

/** Adds options, subcommands and the action to a command. */
export type DefineCommand = (command: Command, context: CommandContext) => void;

/** Makes a subcommand with a summary, and the options that all subcommands of its command have. */
export type Leaf = (name: string, summary: string) => Command;

/** The command as it can be typed here: a checkout has it in its top folder, the package on the path. */
export function commandName(): string {
  const self = fileURLToPath(import.meta.url);
  if (!self.endsWith(".ts")) return "orchestrator";
  const path = relative(process.cwd(), join(self, "../../../orchestrator"));
  return quoteWord(path.startsWith("..") ? path : `./${path}`);
}

/** A word as a shell takes it. */
export function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
