/**
 * What the documents name exists: metrics, settings, variables, errors, RPCs, paths of REST, tables, commands, and
 * identifiers of the source. Names are found by their form.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { beforeAll, expect, test } from "vitest";
import { describeCommandLine } from "../../src/cli/command-line.ts";
import { listSettings } from "../../src/config/settings.ts";
import type { MetricEntry } from "../../src/telemetry/metrics/metric-entry.ts";
import { METRICS } from "../../src/telemetry/metrics/metric-table.ts";

interface Document {
  readonly path: string;
  readonly text: string;
}

const documents: readonly Document[] = [
  ...["README.md", "CONTRIBUTING.md"],
  ...readdirSync("docs", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
  ...readdirSync("observability")
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("observability", name)),
].map((path) => ({ path, text: readFileSync(path, "utf8") }));

/** Decisions say what was, too; they are held to what operators see. */
const isPage = ({ path }: Document): boolean => !path.startsWith("docs/adr/");
/** Pages for those who change the source. */
const isForContributors = ({ path }: Document): boolean =>
  /^docs\/(how-to\/add-|architecture)|^CONTRIBUTING/.test(path);

/** All text in which a name can be declared, without the documents. */
let sources = "";
beforeAll(() => {
  const folders = [
    "src",
    "contracts",
    "internal",
    "scripts",
    "test",
    "bench",
    "examples",
    "clients",
    "gen/python",
    "observability",
    "deploy",
  ];
  const texts = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !/node_modules|\/house$/.test(entry.parentPath))
      .filter(({ name }) => /\.(ts|proto|sql|py|go|sh|yaml|json)$/.test(name))
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8")),
  );
  sources = texts.join("\n");
});

/** Code of a document: spans and blocks. */
function codeOf({ text }: Document): string {
  return [...text.matchAll(/^```[^\n]*\n([\s\S]*?)^```|`([^`\n]+)`/gm)]
    .map(([, block, span]) => block ?? span)
    .join("\n");
}

/** Names of a form in documents that are not known, with their documents. */
function findUnknown(
  form: RegExp,
  isKnown: (name: string) => boolean,
  { where = () => true, of = codeOf }: { where?: (one: Document) => boolean; of?: (one: Document) => string } = {},
): readonly string[] {
  const named = documents.filter(where).flatMap((document) => {
    const names = [...of(document).matchAll(form)].map(([whole, name]) => name ?? whole);
    return [...new Set(names)].map((name) => ({ name, path: document.path }));
  });
  // A form that finds nothing proves nothing.
  expect(named).not.toEqual([]);
  return named.filter(({ name }) => !isKnown(name)).map(({ name, path }) => `${path}: ${name}`);
}

const knownWords = new Map<string, boolean>();

/** Whether a word is anywhere in the sources. */
function isInSources(word: string): boolean {
  const known = knownWords.get(word) ?? new RegExp(`(?<![A-Za-z0-9_])${word}(?![A-Za-z0-9_])`).test(sources);
  knownWords.set(word, known);
  return known;
}

test("metrics", () => {
  const families = Object.keys(METRICS);
  const series = new Set([
    ...families,
    ...families.flatMap((name) => [`${name}_bucket`, `${name}_sum`, `${name}_count`]),
  ]);
  const found = findUnknown(
    /(?<![\w./-])((?:octollm_orchestrator|orchestrator|grpc_server|http_request)s?_[a-z_]*[a-z])(?![\w-]*[/.(*…])/g,
    (name) => series.has(name) || name === "orchestrator_client",
  );
  expect(found).toEqual([]);
});

test("labels of metrics, and their values where all are known", () => {
  const entries = new Map<string, MetricEntry>(Object.entries(METRICS));
  const found = findUnknown(/(?<![\w./:-])(\w+\{(?!job=)\w+="[^"]*"\})/g, (series) => {
    const [, name = "", label = "", value = ""] = /^(\w+)\{(\w+)="(.*)"\}$/.exec(series) ?? [];
    const { labels, values } =
      entries.get(name) ??
      entries.get(name.replace(/_(bucket|sum|count)$/, "")) ??
      expect.unreachable(`${series} is of no metric`);
    const place = labels.indexOf(label);
    const known = values?.[place];
    // Of several labels, the table may list those that are there from the start, and others come.
    return place >= 0 && (known === undefined || labels.length > 1 || known.includes(value));
  });
  expect(found).toEqual([]);
});

test("settings", () => {
  const known = new Set(listSettings().map(({ path }) => path));
  const sections = [...new Set(listSettings().map(({ section }) => section))].join("|");
  const found = findUnknown(
    new RegExp(`(?<![\\w./-])((?:${sections})\\.[a-z_]*[a-z])(?![\\w/(-]|\\.\\w)`, "g"),
    // Scopes of the policy of methods, files, and a key of the answer of `/status`.
    (name) => known.has(name) || /\.(read|write|admin|md|ts|txt|yaml|py|log|refused)$/.test(name),
    { of: ({ text }) => [...text.matchAll(/`([^`\n]+)`/g)].map(([, span]) => span).join("\n") },
  );
  expect(found).toEqual([]);
});

test("variables of the environment", () => {
  const known = new Set(listSettings().flatMap(({ env }) => env));
  const found = findUnknown(
    /(?<![\w$])(ORCHESTRATOR_[A-Z0-9_]*[A-Z0-9])(?![\w*…<])/g,
    (name) => known.has(name) || name.startsWith("ORCHESTRATOR_SECRET_") || isInSources(name),
  );
  expect(found).toEqual([]);
});

test("errors, states, and other constants", () => {
  const found = findUnknown(
    /(?<![\w$.…{-])((?!ORCHESTRATOR_)[A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9])(?![\w*…<])/g,
    isInSources,
    { where: isPage },
  );
  expect(found).toEqual([]);
});

test("services, methods, and messages of the contract", () => {
  const contracts = readdirSync("contracts", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".proto"))
    .map((name) => readFileSync(join("contracts", name), "utf8"));
  const methods = new Set(
    contracts.flatMap((text) => {
      const service = /^service (\w+)/m.exec(text)?.[1] ?? "";
      return [...text.matchAll(/^ {2}rpc (\w+)/gm)].map(([, name]) => `${service}.${name}`);
    }),
  );
  expect(
    findUnknown(/(?<![\w./])([A-Z]\w+Service[./][A-Z]\w+)/g, (name) => methods.has(name.replace("/", "."))),
  ).toEqual([]);
});

test("verbs of methods: GetRun, ListRuns, and their like", () => {
  const found = findUnknown(
    /(?<![\w.])((?:Get|List|Count|Watch|Wait|Start|Put|Delete|Pause|Resume|Retry|Cancel|Complete|Fail)[A-Z]\w+)\b/g,
    isInSources,
    { where: isPage },
  );
  expect(found).toEqual([]);
});

test("paths of REST", () => {
  const text = readFileSync("contracts/openapi.yaml", "utf8");
  const paths = [...text.matchAll(/^ {2}(\/v1\/[^\s]+):$/gm)].map(([, path = ""]) => path);
  const known = paths.map((path) => new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, "[^/:]+")}$`));
  const found = findUnknown(/(?<![\w.])(\/v1\/[\w{}$/:.…-]*[\w}])/g, (name) => known.some((path) => path.test(name)), {
    where: isPage,
  });
  expect(found).toEqual([]);
});

test("tables of our schema", () => {
  const migrations = readdirSync("src/store/migrations")
    .map((name) => readFileSync(join("src/store/migrations", name), "utf8"))
    .join("\n");
  const found = findUnknown(
    /(?<![\w/.])orchestrator\.([a-z_]+)(?![\w.]|\.v1)/g,
    (name) => new RegExp(`orchestrator\\.${name}\\b`).test(migrations) || /^(yaml|dev|internal|v1)$/.test(name),
  );
  expect(found).toEqual([]);
});

test("identifiers of the source", () => {
  const found = findUnknown(/(?<![\w./<-])([a-z]+[A-Z]\w+|[A-Z][a-z]\w*[A-Z]\w*)(?=\b)/g, isInSources, {
    where: isForContributors,
    of: ({ text }) => [...text.matchAll(/`([^`\n]+)`/g)].map(([, span]) => span).join("\n"),
  });
  expect(found.filter((line) => !/[Gg]reet/.test(line))).toEqual([]);
});

/** Every line in code that runs a command, with what a backslash continues. */
function commandsOf({ path, text }: Document): readonly { readonly path: string; readonly line: string }[] {
  const blocks = [...text.matchAll(/^```[^\n]*\n([\s\S]*?)^```/gm)].map(([, block = ""]) => block);
  const indented = [...text.matchAll(/^(?: {4}.*\n)+/gm)].map(([block]) => block);
  const spans = [...text.replaceAll(/^```[^\n]*\n[\s\S]*?^```/gm, "").matchAll(/`([^`\n]+)`/g)].map(
    ([, span = ""]) => span,
  );
  return [...blocks, ...indented, ...spans]
    .flatMap((code) => code.replaceAll(/\\\n\s*/g, " ").split("\n"))
    .flatMap((line) =>
      [...line.matchAll(/(?:^|[\s(;&])(?:\.\/)?orchestrator ([a-z-]+(?: .*|$))/g)].map(([, rest = ""]) => rest),
    )
    .map((line) => ({ path, line }));
}

test("commands and their options", async () => {
  const program = await describeCommandLine();
  const commands = documents.flatMap(commandsOf);
  expect(commands.length).toBeGreaterThan(100);
  const wrong = commands.flatMap(({ path, line }) => {
    const words = wordsOf(line);
    let command: Command = program;
    let place = 0;
    for (; place < words.length && command.commands.length > 0; place += 1) {
      const next = command.commands.find(
        (one) => one.name() === words[place] || one.aliases().includes(words[place] ?? ""),
      );
      if (next === undefined) break;
      command = next;
    }
    // Prose about the program names no command.
    if (command === program) return /^[a-z]+ (and|or|is|has)\b/.test(line) ? [] : [`${path}: orchestrator ${line}`];
    if (command.commands.length > 0 && /^[a-z]/.test(words[place] ?? "") && !/[,|]/.test(line))
      return [`${path}: orchestrator ${line}`];
    const options = words.slice(place).flatMap((word) => /^(--[a-z][a-z-]*)(?:=|$)/.exec(word)?.[1] ?? []);
    const known = command.options.map(({ long }) => long);
    return options
      .filter((option) => option !== "--help" && !known.includes(option))
      .map((option) => `${path}: orchestrator ${line}: ${option}`);
  });
  expect(wrong).toEqual([]);
});

/** The words of a command up to a pipe, a redirection, or a comment. */
function wordsOf(line: string): readonly string[] {
  const words = line.match(/'[^']*'|"[^"]*"|\S+/g) ?? [];
  const end = words.findIndex((word) => /^([|#;]|&&?|>.*|\)|then:)$/.test(word));
  return end === -1 ? words : words.slice(0, end);
}
