/** `orchestrator completion`: scripts made of the table of commands. */
import type { Command } from "commander";
import type { CommandContext } from "../command-context.ts";
import { renderCompletion, SHELLS, type Shell } from "../completion-script.ts";

const HOW: Readonly<Record<Shell, string>> = {
  bash: 'eval "$(orchestrator completion bash)"              in ~/.bashrc',
  zsh: 'eval "$(orchestrator completion zsh)"               in ~/.zshrc, after compinit',
  fish: "orchestrator completion fish | source                in ~/.config/fish/config.fish",
};

/** Defines the command. */
export function defineCompletion(command: Command, context: CommandContext): void {
  command
    .argument("<shell>", SHELLS.join(", "))
    .addHelpText("after", `\n${Object.values(HOW).join("\n")}`)
    .action(async (shell: string) => {
      const known = SHELLS.find((one) => one === shell);
      if (known === undefined)
        command.error(`error: no completion for "${shell}"; there is one for ${SHELLS.join(", ")}`);
      process.stdout.write(renderCompletion(known as Shell, await context.describeProgram()));
    });
}
