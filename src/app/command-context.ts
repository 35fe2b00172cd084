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

/** How this program was called: a checkout has the command in its top folder. */
export function commandName(): string {
  return process.argv[1]?.endsWith("/src/main.ts") === true ? "./orchestrator" : "orchestrator";
}
