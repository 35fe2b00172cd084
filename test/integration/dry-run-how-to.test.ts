/** docs/how-to/dry-run-flows.md, executed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runProgram } from "../clients/programs.ts";
import { openModelBed } from "../support/model-service.ts";
import { installCommand, runCommand } from "../support/run-command.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const text = readFileSync("docs/how-to/dry-run-flows.md", "utf8");
const blocksOf = (language: string): string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, block = ""]) => block);

test("the page's flow that asks models costs what the page says", { timeout: 60_000 }, async () => {
  const bed = await openModelBed();
  const folder = createTemporaryFolder();
  installCommand(folder);
  const env = { PATH: `${folder}:${process.env.PATH}`, XDG_CONFIG_HOME: folder, ORCHESTRATOR_SERVER: bed.address };
  const [costs = ""] = blocksOf("sh costs");
  const trimmed = (printed: string): string => printed.replaceAll(/ +$/gm, "");
  expect(trimmed(await runProgram("sh", ["-ec", costs], { cwd: folder, env }))).toBe(blocksOf("text costs")[0]);

  const run = (...args: string[]) => runCommand([...args, "--server", bed.address], folder, {});
  const { code, err } = await run("flows", "register", "triage.yaml");
  expect(code, err).toBe(0);
  const { out } = await run("flows", "dry-run", "triage@1", "-i", "message=x", "--output", "json");
  const { ways, estimate } = JSON.parse(out) as { ways: { calls: unknown[] }[]; estimate: { maxTokens: string } };
  expect(ways[1]?.calls).toEqual([
    { taskPath: "sort", type: "ai", attempt: 1, input: { prompt: "Sort: x", max_tokens: 100 } },
  ]);
  expect(Number(estimate.maxTokens)).toBeGreaterThan(1_100);
  expect((await run("flows", "dry-run", "triage", "--local")).err).toContain("name a file");
});

test("the page's commands print what it says, and a result decides", async () => {
  const folder = createTemporaryFolder();
  installCommand(folder);
  const env = { PATH: `${folder}:${process.env.PATH}`, XDG_CONFIG_HOME: join(folder, "config") };
  const [first = "", second = ""] = blocksOf("sh");
  expect(await runProgram("sh", ["-ec", first], { cwd: folder, env })).toBe(blocksOf("text")[0]);
  const decided = await runProgram("sh", ["-ec", second], { cwd: folder, env });
  expect(decided).toMatch(/^FAILED +condition|^FAILED +no choice +\d +\d+ms +DOWN in pay$/m);

  const { code, err } = await runCommand(
    ["flows", "dry-run", "invoice.yaml", "--local", "--results", "invoice.yaml"],
    folder,
    {},
  );
  expect(code).not.toBe(0);
  expect(err).toContain("results.id: set either output or error, and in error at least type");
  const { out } = await runCommand(["flows", "dry-run", "invoice.yaml", "--local", "--output", "json"], folder, {});
  expect((JSON.parse(out) as { ways: unknown[]; cut: boolean }).ways).toHaveLength(3);
});
