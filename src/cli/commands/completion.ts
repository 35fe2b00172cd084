/** `orchestrator completion`: prints completion scripts generated from the commands. */
import { Argument, type Command } from "commander";
import type { CommandContext } from "../command-context.ts";
import { renderCompletion, SHELLS, type Shell } from "../completion/completion-script.ts";
import { printText } from "../terminal/output.ts";

const HOW: Readonly<Record<Shell, string>> = {
  bash: 'eval "$(orchestrator completion bash)"              in ~/.bashrc',
  zsh: 'eval "$(orchestrator completion zsh)"               in ~/.zshrc, after compinit',
  fish: "orchestrator completion fish | source                in ~/.config/fish/config.fish",
};

export function defineCompletion(command: Command, context: CommandContext): void {
  command
    .addArgument(new Argument("<shell>", SHELLS.join(", ")).choices(SHELLS))
    .addHelpText("after", `\n${Object.values(HOW).join("\n")}`)
    .action(async (shell: Shell) => {
      printText(renderCompletion(shell, await context.describeProgram()));
    });
}
