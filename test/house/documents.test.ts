import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { renderErrorFiles } from "../../scripts/errors-docs.ts";
import { renderLogFiles } from "../../scripts/logs-docs.ts";
import { renderMetricFiles } from "../../scripts/metrics-docs.ts";
import { renderStateFiles } from "../../scripts/states-docs.ts";
import { ERRORS } from "../../src/base/error-catalog.ts";
import { readSourceFiles } from "./source-files.ts";

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly optionalDependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
}

test("docs/errors.md is what the catalogue says (node scripts/errors-docs.ts)", () => {
  for (const [path, content] of Object.entries(renderErrorFiles()))
    expect(readFileSync(path, "utf8"), path).toBe(content);
});

test("docs/states.md is what the tables of legal moves say (node scripts/states-docs.ts)", () => {
  for (const [path, content] of Object.entries(renderStateFiles()))
    expect(readFileSync(path, "utf8"), path).toBe(content);
});

test("docs/metrics.md is what the table of metrics says (node scripts/metrics-docs.ts)", () => {
  for (const [path, content] of Object.entries(renderMetricFiles()))
    expect(readFileSync(path, "utf8"), path).toBe(content);
});

test("docs/operate/logs.md names every warning and error of the sources (node scripts/logs-docs.ts)", () => {
  for (const [path, content] of Object.entries(renderLogFiles()))
    expect(readFileSync(path, "utf8"), path).toBe(content);
});

/** Codes whose part of the product is not there yet. */
const PLANNED = new Set(["EXPRESSION_INVALID", "TASK_FAILED"]);

test("every code of the catalogue is thrown somewhere", () => {
  const sources = readSourceFiles()
    .filter((file) => !file.path.startsWith("src/base/error-catalog"))
    .map((file) => file.text)
    .join("\n");
  const unused = Object.keys(ERRORS).filter((code) => !sources.includes(`"${code}"`));
  expect(unused.filter((code) => !PLANNED.has(code))).toEqual([]);
});

test("the changelog has a section for what is not released yet", () => {
  expect(readFileSync("CHANGELOG.md", "utf8")).toMatch(/^## \[Unreleased\]\n\n### (Added|Changed|Fixed|Breaking)\n/m);
});

test("package.json and the lockfile name exact versions, the same ones", () => {
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as { packages: Record<string, Partial<Manifest>> };
  for (const kind of ["dependencies", "devDependencies", "optionalDependencies"] as const) {
    for (const [name, version] of Object.entries(manifest[kind]))
      expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    expect(lock.packages[""]?.[kind]).toEqual(manifest[kind]);
  }
});

test("every direct dependency is named in a decision, with its reason", () => {
  const decisions = readdirSync("docs/adr").map((name) => readFileSync(join("docs/adr", name), "utf8"));
  const manifests = ["package.json", "bench/peers/package.json", "gen/typescript/package.json"];
  const unnamed = [...manifests, "test/clients/typescript/package.json"].flatMap((path) => {
    const manifest = JSON.parse(readFileSync(path, "utf8")) as Partial<Manifest>;
    const { dependencies, devDependencies, optionalDependencies, peerDependencies } = manifest;
    const names = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies, ...peerDependencies });
    return names
      .filter((name) => !decisions.some((text) => text.includes(`\`${name}\``)))
      .map((name) => `${path}: ${name}`);
  });
  expect(unnamed).toEqual([]);
});

test("every decision says what was decided, why not otherwise, and what follows", () => {
  const thin = readdirSync("docs/adr").filter((name) => {
    const text = readFileSync(join("docs/adr", name), "utf8");
    return !/context/i.test(text) || !/decision/i.test(text) || !/consequences|left out/i.test(text);
  });
  expect(thin).toEqual([]);
});

test("migrations leave transactions to the runner and are numbered without gaps", () => {
  const names = readdirSync("src/store/migrations").sort();
  expect(names.length).toBeGreaterThan(0);
  for (const [index, name] of names.entries()) {
    expect(name).toMatch(new RegExp(`^${String(index + 1).padStart(6, "0")}_[a-z0-9_]+\\.sql$`));
    const text = readFileSync(join("src/store/migrations", name), "utf8");
    const statements = text.replaceAll(/--.*$|\$(\w*)\$[\s\S]*?\$\1\$/gm, "");
    expect(statements).not.toMatch(/^\s*(BEGIN|COMMIT|ROLLBACK|START TRANSACTION)\b|\bCONCURRENTLY\b/im);
  }
});

test("there is a page for everything that one adds by hand", () => {
  for (const page of ["add-an-rpc", "add-a-task-type", "add-a-tool-adapter", "add-a-store"])
    expect(existsSync(`docs/how-to/${page}.md`), page).toBe(true);
});

test("each how-to page for users is read by a test that executes it", () => {
  const suites = ["integration", "clients", "seeds", "kafka", "redis"].map((name) => join("test", name));
  const texts = suites.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".test.ts"))
      .map((name) => readFileSync(join(folder, name), "utf8")),
  );
  const pages = readdirSync("docs/how-to").filter((name) => !name.startsWith("add-"));
  expect(pages.filter((name) => !texts.some((text) => text.includes(`docs/how-to/${name}`)))).toEqual([]);
});

/** Paths of this repository that a document names in code. */
const NAMED_PATH = /`((?:src|test|scripts|docs|contracts|examples)\/[\w./-]+\.(?:ts|md|sql|proto|yaml|sh))`/g;

test("files that how-to pages and decisions name exist", () => {
  const documents = ["docs/how-to", "docs/adr"].flatMap((folder) =>
    readdirSync(folder).map((name) => join(folder, name)),
  );
  const gone = documents.flatMap((path) =>
    [...readFileSync(path, "utf8").matchAll(NAMED_PATH)].flatMap(([, named = ""]) =>
      existsSync(named) ? [] : [`${path} names ${named}`],
    ),
  );
  expect(gone).toEqual([]);
});

test("each section of the operator pages names tests or sources that exist", () => {
  const wrong = readdirSync("docs/operate")
    .filter((name) => name !== "README.md")
    .flatMap((name) => {
      const [, ...sections] = readFileSync(join("docs/operate", name), "utf8").split(/^## /m);
      return sections.flatMap((section) => {
        const title = `${name}: ${section.slice(0, section.indexOf("\n"))}`;
        const named = [...section.matchAll(/<!-- (?:test|source): (.+?) -->/g)].flatMap(([, paths = ""]) =>
          paths.split(", "),
        );
        if (named.length === 0) return [`${title} names nothing`];
        return named.filter((path) => !existsSync(path)).map((path) => `${title} names ${path}`);
      });
    });
  expect(wrong).toEqual([]);
});

test("links in the documents point to files that exist", () => {
  const below = readdirSync("docs", { recursive: true, encoding: "utf8" }).map((name) => join("docs", name));
  const documents = [...readdirSync("."), ...below].filter((path) => path.endsWith(".md"));
  const links = documents.flatMap((path) =>
    [...readFileSync(path, "utf8").matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)]*)?\)/g)].map(
      ([, target = ""]) => ({ path, target }),
    ),
  );
  const broken = links.filter(({ path, target }) => !existsSync(join(dirname(path), target)));
  expect(broken).toEqual([]);
});

test("the figures of the README are those of the newest sitting of the benchmark, which it names", () => {
  const newest = readdirSync("bench/results")
    .filter((name) => name.endsWith(".md"))
    .sort()
    .at(-1);
  const sitting = readFileSync(join("bench/results", newest ?? ""), "utf8");
  /** Runs a second and median milliseconds of a subject with so many runs in flight. */
  const figures = (subject: string, inFlight: number): readonly [runs: string, p50: string] => {
    const row = sitting.match(new RegExp(`^\\| ${subject} \\| ${inFlight} \\| (\\d+) \\|[^|]+\\| ([\\d.]+) \\|`, "m"));
    if (row === null) expect.unreachable(`${newest} has no figures of ${subject}`);
    return [Number(row[1]).toLocaleString("en-US"), Number(row[2]).toFixed(1)];
  };
  const readme = readFileSync("README.md", "utf8");
  const cells = (start: string): string[] =>
    /^\| (.*) \|$/m.exec(readme.slice(readme.indexOf(start)))?.[1]?.split(" | ") ?? [];
  expect(readme).toContain(`[one sitting on ${newest?.slice(0, 10)}](bench/results/${newest})`);
  const [, ours, , restate, langgraph] = cells("| 3-step runs per second");
  expect(ours).toBe(
    `${figures("grpc", 200)[0]} (client ghz: ${figures("ghz", 200)[0]}; in batches: ${figures("grpc-batch", 10)[0]})`,
  );
  expect(restate).toBe(figures("restate", 200)[0]);
  expect(langgraph).toMatch(new RegExp(`^${figures("langgraph", 200)[0]} `));
  const [, oursAlone, , restateAlone, langgraphAlone] = cells("| one 3-step run alone");
  expect(oursAlone).toBe(`${figures("grpc", 1)[1]} ms`);
  expect(restateAlone).toMatch(new RegExp(`^${figures("restate", 1)[1]} ms `));
  expect(langgraphAlone).toMatch(new RegExp(`^${figures("langgraph", 1)[1]} ms `));
});
