/** `orchestrator config`: checks and prints the configuration of the service. */
import type { Command } from "commander";
import { loadConfig } from "../../config/config.ts";
import { printConfig } from "../../config/print.ts";
import type { CommandContext } from "../command-context.ts";
import { addSettingOptions } from "../input/setting-options.ts";
import { printText, toStderr, toStdout } from "../terminal/output.ts";

export function defineConfig(command: Command, _context: CommandContext): void {
  const check = command
    .command("check")
    .description("check file, variables, and flags; print every problem")
    .action(async (flags: Readonly<Record<string, unknown>>) => {
      const { file, warnings } = await loadConfig({ flags });
      printWarnings(warnings);
      toStdout`the configuration is valid${file === undefined ? "" : ` (file ${file})`}\n`;
    });
  const print = command
    .command("print")
    .description("print all effective settings as YAML, with their origin; secrets are not shown")
    .action(async (flags: Readonly<Record<string, unknown>>) => {
      const loaded = await loadConfig({ flags });
      printWarnings(loaded.warnings);
      printText(printConfig(loaded));
    });
  for (const one of [check, print]) addSettingOptions(one);
}

function printWarnings(warnings: readonly string[]): void {
  for (const warning of warnings) toStderr`warning: ${warning}\n`;
}
