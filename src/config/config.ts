/**
 * The one reader of the environment: merges flags, environment, `.env`, file and defaults into the configuration (flags
 * win, defaults lose).
 */
import { existsSync } from "node:fs";
import { fail } from "../base/errors.ts";
import { createSecrets, type Secrets } from "../base/secrets/secrets.ts";
import { checkConfig } from "./check.ts";
import { readEnvFile } from "./env-file.ts";
import { readGatePolicy } from "./gate-policy.ts";
import { type Config, listSettings, type NamedSetting } from "./settings.ts";
import {
  type ConfigProblem,
  type GivenValue,
  readConfigFile,
  readEnvironment,
  readFlags,
  type SourceReading,
} from "./sources.ts";

/** Where the configuration comes from. */
export interface ConfigSources {
  /** Options of the command line by their camel case name; `config` names the file. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** The process's when absent, and then a file `.env` in the working folder is read, too. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Where a setting got its value. */
export interface SettingOrigin {
  readonly setting: NamedSetting;
  readonly value: unknown;
  /** `default`, a variable, a flag, or file, line and path. */
  readonly origin: string;
}

/** The configuration and how it came about. */
export interface LoadedConfig {
  readonly config: Config;
  readonly origins: readonly SettingOrigin[];
  /** The file that was read. */
  readonly file: string | undefined;
  /** Things to tell the user that are no reason to stop. */
  readonly warnings: readonly string[];
}

/** The file that is read when it exists and no other is named by `--config` or ORCHESTRATOR_CONFIG. */
const DEFAULT_FILE = "orchestrator.yaml";

/**
 * Loads and checks the configuration. Throws one CONFIG_INVALID with all problems: each names the variable, flag or
 * line and what was expected; secrets are not repeated.
 */
export async function loadConfig(sources: ConfigSources = {}): Promise<LoadedConfig> {
  const env = sources.env ?? process.env;
  const envFile = readEnvFile(env, { isDefaultRead: sources.env === undefined });
  const named = sources.flags?.config ?? env.ORCHESTRATOR_CONFIG ?? envFile.values["ORCHESTRATOR_CONFIG"];
  const file = typeof named === "string" && named !== "" ? named : existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined;
  const readings: SourceReading[] = [readFlags(sources.flags ?? {}), readEnvironment(env)];
  readings.push({ values: [], problems: envFile.problems, warnings: [] });
  readings.push(readEnvironment(envFile.values, envFile.placeOf));
  if (file !== undefined) readings.push(await readConfigFile(file));

  const problems = readings.flatMap((reading) => reading.problems);
  const given = new Map<string, GivenValue>();
  for (const value of readings.flatMap((reading) => reading.values)) {
    if (!given.has(value.setting.path)) given.set(value.setting.path, value);
  }
  const config: Record<string, Record<string, unknown>> = {};
  const origins = listSettings().map((setting) => {
    const { value, origin } = given.get(setting.path) ?? { value: setting.default, origin: "default" };
    const parsed = value === undefined ? undefined : parseValue(setting, value, origin, problems);
    config[setting.section] ??= {};
    (config[setting.section] as Record<string, unknown>)[setting.key] = parsed;
    return { setting, value: parsed, origin };
  });
  // Only whole: what is missing was told already.
  if (problems.length === 0) {
    const originOf = (path: string): string => origins.find(({ setting }) => setting.path === path)?.origin ?? path;
    const isGiven = (path: string): boolean => originOf(path) !== "default";
    for (const { path, problem } of checkConfig(config as Config, isGiven))
      problems.push({ place: originOf(path), problem });
    const { policy: policyFile } = (config as Config).gate;
    if (policyFile !== undefined) {
      const reading = await readGatePolicy(policyFile);
      if (reading.policy === null) problems.push(...reading.problems);
    }
  }
  if (problems.length > 0) {
    fail(
      "CONFIG_INVALID",
      { problem: problems.map(({ place, problem }) => `${place}: ${problem}`).join("; ") },
      { violations: problems.map(({ place, problem }) => ({ field: place, description: problem })) },
    );
  }
  const warnings = readings.flatMap((reading) => reading.warnings);
  return { config: config as Config, origins, file, warnings };
}

/** True when the user gave the setting, false when it has its default. */
export function isSet(loaded: LoadedConfig, path: string): boolean {
  return loaded.origins.some((origin) => origin.setting.path === path && origin.origin !== "default");
}

function parseValue(setting: NamedSetting, value: unknown, origin: string, problems: ConfigProblem[]): unknown {
  const result = setting.schema.safeParse(value);
  if (result.success) return result.data;
  const expected = result.error.issues[0]?.message ?? "the value is not valid";
  const got = setting.secret === true ? "" : `, got ${JSON.stringify(value)}`;
  problems.push({ place: origin, problem: `${expected}${got}` });
  return undefined;
}

/** The secrets that the configuration names: in its folder, in the environment, and in `.env`. */
export function openSecrets({ secrets }: Config): Secrets {
  const envFile = readEnvFile(process.env);
  return createSecrets({
    ...(secrets.dir === undefined ? {} : { dir: secrets.dir }),
    variable: (name) => process.env[name] ?? envFile.values[name],
  });
}

/** The environment of a child process: that of this process and its `.env`, and more. */
export function inheritEnvironment(
  more: Readonly<Record<string, string>>,
): Readonly<Record<string, string | undefined>> {
  return { ...readEnvFile(process.env).values, ...process.env, ...more };
}
