import { readFileSync } from "node:fs";
import type { Json } from "../base/json/json.ts";
import { suggest } from "../tasks/schema/suggest.ts";
import { listSettings, type NamedSetting } from "./settings.ts";

/** A value that a source gives for a setting. */
export interface GivenValue {
  readonly setting: NamedSetting;
  readonly value: unknown;
  /** How the source names it: the variable, the flag, or file, line and path. */
  readonly origin: string;
}

/** One thing that is wrong with a source. */
export interface ConfigProblem {
  /** The variable, flag or place in the file. */
  readonly place: string;
  /** What is wrong and what to do. */
  readonly problem: string;
}

/** What one source says. */
export interface SourceReading {
  readonly values: readonly GivenValue[];
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

/**
 * Variables with our prefix that are no settings: secrets, read by the test suite, naming files to read, or read by
 * commands that call a service.
 */
const OTHER_VARIABLES = /^ORCHESTRATOR_(TEST_.*|SECRET_.*|CONFIG|ENV_FILE|SERVER|TOKEN|PROFILE)$/;

/**
 * Variables that Kubernetes makes for a Service that is named `orchestrator`. `ORCHESTRATOR_PORT` is one of them, with
 * a URL in it.
 */
const SERVICE_LINKS = /^ORCHESTRATOR_(SERVICE_(HOST|PORT(_.+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;

/**
 * Reads the environment, or the variables of a file. Empty variables count as absent; an unknown one with our prefix is
 * a problem. `placeOf` names a variable for messages.
 */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  placeOf = (name: string): string => name,
): SourceReading {
  const values: GivenValue[] = [];
  const problems: ConfigProblem[] = [];
  const warnings: string[] = [];
  const settings = listSettings();
  for (const setting of settings) {
    const given = setting.env.filter(
      (name) => isGiven(env[name]) && !(setting.key === "port" && /^(tcp|udp):\/\//.test(env[name] ?? "")),
    );
    const [first, ...rest] = given;
    if (first === undefined) continue;
    values.push({ setting, value: env[first], origin: placeOf(first) });
    for (const other of rest) {
      if (env[other] !== env[first]) warnings.push(`${placeOf(first)} and ${placeOf(other)} differ; ${first} counts`);
    }
  }
  const known = new Set<string>(settings.flatMap((setting) => setting.env));
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith("ORCHESTRATOR_") || known.has(name) || !isGiven(value)) continue;
    if (OTHER_VARIABLES.test(name) || SERVICE_LINKS.test(name)) continue;
    problems.push({
      place: placeOf(name),
      problem: `there is no such variable${suggest(name, [...known]) || "; docs/config.md lists them"}`,
    });
  }
  return { values, problems, warnings };
}

/** Reads the flags of the command line, keyed as commander gives them: `corsOrigins` for `--cors-origins`. */
export function readFlags(flags: Readonly<Record<string, unknown>>): SourceReading {
  const values = listSettings().flatMap((setting) => {
    const value = flags[toOptionName(setting.flag)];
    return value === undefined ? [] : [{ setting, value, origin: setting.flag }];
  });
  return { values, problems: [], warnings: [] };
}

/** Name of the option object's key for a flag. */
function toOptionName(flag: string): string {
  return flag.slice(2).replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Reads `orchestrator.yaml`. Unknown sections and keys are problems, with their line. */
export async function readConfigFile(path: string): Promise<SourceReading> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    return {
      values: [],
      problems: [{ place: path, problem: `cannot be read: ${(error as Error).message}` }],
      warnings: [],
    };
  }
  const { isMap, isScalar, LineCounter, parseDocument } = await import("yaml");
  const { explainYaml } = await import("../flows/document/yaml-problems.ts");
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, merge: false, prettyErrors: false });
  const lineOf = (offset: number): number => lines.linePos(offset).line;
  const problems: ConfigProblem[] = explainYaml(document.errors, text, lineOf, 100).map(({ offset, description }) => ({
    place: `${path}:${lineOf(offset)}`,
    problem: description,
  }));
  if (problems.length > 0 || document.contents === null) return { values: [], problems, warnings: [] };
  const values: GivenValue[] = [];
  const settings = listSettings();
  const sections = [...new Set(settings.map((setting) => setting.section))];
  const placeOf = (node: unknown, name: string) => {
    const start = isScalar(node) ? node.range?.[0] : undefined;
    return start === undefined ? `${path} ${name}` : `${path}:${lines.linePos(start).line} ${name}`;
  };
  if (!isMap(document.contents)) {
    return {
      values,
      problems: [{ place: path, problem: `expected sections (${sections.join(", ")}) with settings` }],
      warnings: [],
    };
  }
  for (const section of document.contents.items) {
    const name = String(section.key);
    if (!sections.includes(name)) {
      problems.push({
        place: placeOf(section.key, name),
        problem: `there is no such section${suggest(name, sections) || `; known: ${sections.join(", ")}`}`,
      });
    } else if (!isMap(section.value)) {
      if (!isScalar(section.value) || section.value.value !== null)
        problems.push({ place: placeOf(section.key, name), problem: "expected settings below it" });
    } else {
      const here = settings.filter((setting) => setting.section === name);
      for (const { key, value } of section.value.items) {
        const path = `${name}.${String(key)}`;
        const setting = here.find((candidate) => candidate.path === path);
        const place = placeOf(key, path);
        if (setting === undefined) {
          const known = here.map((candidate) => candidate.path);
          problems.push({
            place,
            problem: `there is no such setting${suggest(path, known) || `; known: ${known.join(", ")}`}`,
          });
          continue;
        }
        const plain = (value as { toJSON?: () => Json } | null)?.toJSON?.() ?? null;
        if (plain !== null) values.push({ setting, value: plain, origin: place });
      }
    }
  }
  return { values, problems, warnings: [] };
}

function isGiven(value: string | undefined): value is string {
  return value !== undefined && value.trim() !== "";
}
