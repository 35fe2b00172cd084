/** docs/how-to/dry-run-flows.md, executed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runProgram } from "../clients/programs.ts";
import { installCommand, runCommand } from "../support/run-command.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const text = readFileSync("docs/how-to/dry-run-flows.md", "utf8");
const blocksOf = (language: string): string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, block = ""]) => block);

test("the page's commands print what it says, and a result decides", async () => {
  const folder = createTemporaryFolder();
  installCommand(folder);
  const env = { PATH: `${folder}:${process.env.PATH}`, XDG_CONFIG_HOME: join(folder, "config") };
  const [first = "", second = ""] = blocksOf("sh");
  expect(await runProgram("sh", ["-ec", first], { cwd: folder, env })).toBe(blocksOf("text")[0]);
  const decided = await runProgram("sh", ["-ec", second], { cwd: folder, env });
  expect(decided).toMatch(/^FAILED +condition|^FAILED +no choice +\d +\d+ms +DOWN in pay$/m);

  const { code, err } = await runCommand(["flows", "dry-run", "invoice.yaml", "--results", "invoice.yaml"], folder, {});
  expect(code).not.toBe(0);
  expect(err).toContain("results.id: set either output or error, and in error at least type");
  const { out } = await runCommand(["flows", "dry-run", "invoice.yaml", "--output", "json"], folder, {});
  expect((JSON.parse(out) as { ways: unknown[]; cut: boolean }).ways).toHaveLength(3);
});
