import type { LoadedConfig } from "./config.ts";
import { kindOf } from "./setting-types.ts";
import type { NamedSetting } from "./settings.ts";

/** What stands in the place of a secret. */
const REDACTED = "(set, not shown)";

/**
 * The configuration in force as YAML that can be used as a file again, with the origin of every value; secrets are not
 * shown.
 */
export function printConfig(loaded: LoadedConfig): string {
  const lines: string[] = [];
  let section = "";
  for (const { setting, value, origin } of loaded.origins) {
    if (setting.section !== section) lines.push(`${setting.section}:`);
    section = setting.section;
    const name = setting.path.slice(section.length + 1);
    // A secret and an absent setting stand in a comment, so that the output does not set them to something else.
    if (value === undefined) lines.push(`  # ${name}:`);
    else if (setting.secret === true) lines.push(`  # ${name}: ${REDACTED} from ${origin}`);
    else lines.push(`  ${name}: ${printValue(setting, value)}${origin === "default" ? "" : `  # from ${origin}`}`);
  }
  return `${lines.join("\n")}\n`;
}

function printValue(setting: NamedSetting, value: unknown): string {
  if (kindOf(setting.schema) === "duration")
    return Number(value) % 1_000 === 0 ? `${Number(value) / 1_000}s` : `${value}ms`;
  return JSON.stringify(value);
}
