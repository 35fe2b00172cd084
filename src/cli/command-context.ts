import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";

/** What a command gets from the program. */
export interface CommandContext {
  /** Sets the exit code; the default is 0. */
  exitWith(code: number): void;
  /** The whole program with every command loaded, for documentation and completion. */
  describeProgram(): Promise<Command>;
}

/** Adds options, subcommands, and the action to a command. */
export type DefineCommand = (command: Command, context: CommandContext) => void;

/** Creates a subcommand with a summary and the options that all its siblings have. */
export type Leaf = (name: string, summary: string) => Command;

/** The command as users type it here: in a checkout, the script in its root; otherwise the installed command. */
export function commandName(): string {
  const self = fileURLToPath(import.meta.url);
  if (!self.endsWith(".ts")) return "orchestrator";
  const path = relative(process.cwd(), join(self, "../../../orchestrator"));
  return quoteWord(path.startsWith("..") ? path : `./${path}`);
}

/** Quotes a word for the shell. */
export function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
