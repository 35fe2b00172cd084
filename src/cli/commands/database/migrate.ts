/** `orchestrator migrate`: the schema of the database, without serving. */
import type { Command } from "commander";
import { type LoadedConfig, loadConfig } from "../../../config/config.ts";
import type { Schema } from "../../../service/parts/store.ts";
import { withSchema } from "../../../service/schema.ts";
import type { CommandContext } from "../../command-context.ts";
import { EXIT } from "../../exit-codes.ts";
import { addSettingOptions } from "../../input/setting-options.ts";
import { toStdout } from "../../terminal/output.ts";
import { openOfflineLog } from "./offline-log.ts";

export function defineMigrate(command: Command, context: CommandContext): void {
  const leaf = (name: string, summary: string): Command => {
    const made = command.command(name).description(summary);
    addSettingOptions(made);
    return made;
  };
  leaf("status", "show the schema and what is missing; exit code 1 if something is").action(
    async (flags: Readonly<Record<string, unknown>>) => {
      const { version, minReader, pending } = await onSchema(await loadConfig({ flags }), (schema) => schema.status());
      toStdout`schema       ${version}\n`;
      toStdout`min reader   ${minReader}\n`;
      for (const name of pending) toStdout`missing      ${name}\n`;
      if (pending.length > 0) context.exitWith(EXIT.RUN_FAILED);
    },
  );
  leaf("up", "apply what is missing, for instance in a job before the service starts").action(
    async (flags: Readonly<Record<string, unknown>>) => {
      const { version, applied } = await onSchema(await loadConfig({ flags }), (schema) => schema.migrate());
      for (const name of applied) toStdout`applied      ${name}\n`;
      toStdout`schema       ${version}\n`;
    },
  );
}

async function onSchema<T>({ config }: LoadedConfig, work: (schema: Schema) => Promise<T>): Promise<T> {
  return withSchema(config, await openOfflineLog(config), work);
}
