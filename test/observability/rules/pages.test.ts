/** The pages of the folder: each alert has its section, each section its alert, and every link leads somewhere. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { ALERT_GROUPS } from "../../../observability/src/alerts/index.ts";
import { realTime } from "../../../observability/src/rule.ts";
import { goodPart, OBJECTIVES } from "../../../observability/src/slo.ts";
import { BEDS, type Bed } from "../live/faults/beds.ts";

const FOLDER = "observability";
const ALERTS = ALERT_GROUPS.flatMap(({ alerts }) => alerts(realTime));
const PAGES = readdirSync(FOLDER).filter((name) => name.endsWith(".md"));
const read = (path: string): string => readFileSync(path, "utf8");
const runbook = read(join(FOLDER, "runbook.md"));

/** What a heading is called in links. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, "")
    .trim()
    .replaceAll(/\s/g, "-");

const headingsOf = (text: string): readonly string[] =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => heading);

test("each alert has a section in the runbook, and each section is of an alert", () => {
  const sections = [...runbook.matchAll(/^## (.*)$/gm)].map(([, name]) => name);
  expect(sections.toSorted()).toEqual(ALERTS.map(({ name }) => name).toSorted());
});

test("README.md has a row for each alert, those that call somebody first", () => {
  const [, table = ""] = /<!-- alerts -->\n([\s\S]*)<!-- end of alerts -->/.exec(read(join(FOLDER, "README.md"))) ?? [];
  const rows = [...table.matchAll(/^\| (\w+) \| (\w+) \| (at once|\d+[smhd]) \| (\S.*\.) \| \[runbook\]/gm)];
  expect(rows.map(([, name]) => name).toSorted()).toEqual(ALERTS.map(({ name }) => name).toSorted());
  const severities = [...new Set(rows.map(([, , severity]) => severity))];
  expect(severities).toEqual(["page", "critical", "ticket", "warning", "info"]);
});

/** Sections of the runbook by alert. */
const SECTIONS = runbook
  .split(/^## /m)
  .slice(1)
  .map((text) => [text.slice(0, text.indexOf("\n")), text] as const);

test.each(SECTIONS)(
  "the section of %s has three looks, a fix, how to verify it, and how it is exercised",
  (_, text) => {
    for (const part of [/^1\. Look: /m, /^2\. Look: /m, /^3\. Look: /m, /^Fix/m, /\bVerify:\s/, /^Exercised: .*\.$/m])
      expect(text).toMatch(part);
  },
);

test("the runbook says whom to call when nothing helps, before its sections", () => {
  expect(runbook.split(/^## /m)[0]).toMatch(/^\*Escalate\*: /m);
});

test("each alert that calls somebody is fired by its fault, and the section of each says how it is exercised", () => {
  const firedIn = new Map<string, string>();
  const beds = Object.entries<Bed>(BEDS);
  for (const [bed] of beds)
    expect(read(`test/observability/live/${bed}.test.ts`)).toContain(`await exercise("${bed}")`);
  // A fault in which it reaches the pager comes before one in which it does not.
  for (const which of ["alerts", "afterwards", "others"] as const)
    for (const [bed, { faults }] of beds)
      for (const alert of faults.flatMap((fault) => fault[which] ?? []))
        if (!firedIn.has(alert)) firedIn.set(alert, `${bed}.test.ts`);
  const calls = ALERTS.filter(({ severity }) => severity === "page" || severity === "critical");
  expect(calls.map(({ name }) => name).filter((name) => !firedIn.has(name))).toEqual([]);
  for (const [name, text] of SECTIONS) {
    const file = firedIn.get(name);
    const link = `by its fault in [${file}](../test/observability/live/${file}).`;
    expect(`${name}: ${/^Exercised: (.*)$/m.exec(text)?.[1]}`).toBe(
      `${name}: ${file === undefined ? "by its rule cases only." : link}`,
    );
  }
});

test.each(PAGES)("links of %s lead to files and headings that exist", (page) => {
  const text = read(join(FOLDER, page)).replaceAll(/^ *```[\s\S]*?^ *```/gm, "");
  const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = ""]) => link)
    .filter((link) => !link.startsWith("http"))
    .filter((link) => {
      const [path = "", anchor] = link.split("#");
      const file = path === "" ? join(FOLDER, page) : join(dirname(join(FOLDER, page)), path);
      if (!existsSync(file)) return true;
      return anchor !== undefined && !headingsOf(read(file)).some((heading) => anchorOf(heading) === anchor);
    });
  expect(broken).toEqual([]);
});

test("SLO.md has the target of each objective, and its query", () => {
  const page = read(join(FOLDER, "SLO.md"));
  for (const { title, target, ...objective } of OBJECTIVES) {
    expect(page).toMatch(new RegExp(`\\| ${title} \\|.*\\| ${100 * target} % \\|`));
    expect(page).toContain(`### ${title}\n`);
    expect(page).toContain(`\`\`\`promql\n${goodPart(objective, "30d")}\n\`\`\``);
  }
});

test("SLO.md says what was measured of each objective, when, and where", () => {
  const [, table = ""] = /<!-- measured -->\n([\s\S]*)<!-- end -->/.exec(read(join(FOLDER, "SLO.md"))) ?? [];
  expect(table).toMatch(/^\n\d{4}-\d\d-\d\d, \d+ s of load, .+, \d+ cores, \d+ GB, Node v[\d.]+:\n/);
  for (const { title, target } of OBJECTIVES)
    expect(table).toMatch(new RegExp(`\\| ${title} \\| ${100 * target} % \\| \\d+\\.\\d{3} % \\| [\\d,]+ \\|`));
});

test("Alertmanager takes the example, and severities of all documents reach their receivers", () => {
  const file = join(FOLDER, "alertmanager/alertmanager.example.yml");
  execFileSync("amtool", ["check-config", file]);
  const receiverOf = (...labels: string[]): string =>
    execFileSync("amtool", ["config", "routes", "test", `--config.file=${file}`, ...labels], {
      encoding: "utf8",
    }).trim();
  expect(
    ["page", "critical", "ticket", "warning", "info"].map((severity) => receiverOf(`severity=${severity}`)),
  ).toEqual(["pager", "pager", "tickets", "tickets", "nobody"]);
  expect(receiverOf("alertname=DeadMansSwitch", "severity=info")).toBe("dead-mans-switch");
  execFileSync("promtool", ["check", "config", "--syntax-only", join(FOLDER, "prometheus/scrape.example.yml")]);
});
