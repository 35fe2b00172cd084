import { type Command, Option } from "commander";
import { kindOf } from "../../config/setting-types.ts";
import { listSettings, type NamedSetting } from "../../config/settings.ts";

/** Adds `--config` and a flag for every setting. */
export function addSettingOptions(command: Command): void {
  command.option("--config <file>", "configuration file (default: orchestrator.yaml, if it exists)");
  for (const setting of listSettings()) {
    const kind = kindOf(setting.schema);
    command.addOption(
      kind === "true or false"
        ? new Option(`${setting.flag} [true|false]`, describe(setting)).preset("true")
        : new Option(`${setting.flag} <${kind.toLowerCase()}>`, describe(setting)),
    );
  }
}

function describe({ text, env, default: value }: NamedSetting): string {
  const [sentence = text] = text.split(/(?<=\.) /);
  const origin =
    value === undefined || (Array.isArray(value) && value.length === 0) ? env[0] : `${env[0]}, default ${value}`;
  return `${sentence} [${origin}]`;
}
