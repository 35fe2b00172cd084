/** docs/how-to/write-a-gate-policy.md, executed: its policy, its texts, its commands, and its table of rules. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { CONTENT_RULES } from "../../../src/guards/content/rules.ts";
import { GATE_POLICY } from "../../../src/guards/policy/policy.ts";
import { runProgram } from "../../clients/programs.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";

const text = readFileSync("docs/how-to/write-a-gate-policy.md", "utf8");
const blockOf = (language: string): string =>
  new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "s").exec(text)?.[1] ?? expect.unreachable(`no block ${language}`);

const run = (script: string): Promise<string> => {
  const folder = createTemporaryFolder();
  writeFileSync(join(folder, "gate.yaml"), blockOf("yaml"));
  writeFileSync(join(folder, "goals.txt"), blockOf("text"));
  const command = script
    .replace("orchestrator", `"${process.execPath}" "${process.cwd()}/src/main.ts"`)
    .replace("examples/", `${process.cwd()}/examples/`);
  return runProgram("sh", ["-ec", command], { cwd: folder, env: { PATH: process.env.PATH ?? "" } });
};

test("the page's policy says of the page's goals what the page shows", async () => {
  expect(await run(blockOf("sh"))).toBe(blockOf("text output"));
});

test("the tenant of the page has rules of its own", async () => {
  const lines = (await run(`${blockOf("sh").trim()} --tenant crm --output json`)).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line)).map(({ verdict, rules }) => [verdict, ...rules])).toEqual([
    ["allow"],
    ["deny", "pii.card"],
    ["deny", "injection.override", "injection.exfiltration"],
    ["allow"],
    ["allow"],
  ]);
});

test("the labelled texts are judged", async () => {
  expect(await run(blockOf("sh labelled"))).toMatch(/^\d{3} denied, \d+ reported, \d{3} allowed$/m);
});

test("the page's policy for calls is one", () => {
  const [id] = Object.keys(GATE_POLICY.parse(parse(blockOf("yaml calls"))).calls?.flows ?? {});
  expect(id).toBe("support-notes");
});

test("the page's policy that asks is one, and its flow names the people", () => {
  const { charge } = GATE_POLICY.parse(parse(blockOf("yaml ask"))).calls?.flows ?? {};
  expect(charge?.ask).toEqual({ assignees: ["risk"], timeout: "24h" });
});

test("the page has every rule, with the words of the table", () => {
  const rows = [...text.matchAll(/^\| `((?:pii|secret|injection)\.\w+)` \| (.*) \|$/gm)].map(([, id, words]) => [
    id,
    words,
  ]);
  const rules = Object.entries(CONTENT_RULES).filter(([id]) => id !== "size.text");
  expect(rows).toEqual(rules.map(([id, { text: words }]) => [id, words]));
});
