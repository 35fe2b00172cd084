/** The demo, as `make demo` runs it, on a folder of texts. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cleanEnvironment } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

function runDemo(...args: string[]) {
  const texts = createTemporaryFolder();
  const output = createTemporaryFolder();
  for (let n = 0; n < 5; n++) writeFileSync(join(texts, `${n}.md`), n === 2 ? "This is is a slip." : "A short text.");
  const command = ["examples/demo/main.ts", texts, "--output", output, ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    env: cleanEnvironment(),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
  });
  return { status, stdout, stderr, output };
}

test("approved: refused calls are retried, and the report is published", () => {
  const { status, stdout, stderr, output } = runDemo("--yes");
  expect(status, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ texts: 5, findings: 1 });
  expect(stderr).toContain("refused 2 calls with 503; the flow retried them");
  expect(readdirSync(output)).toEqual(["report.md"]);
  expect(readFileSync(join(output, "report.md"), "utf8")).toContain('line 1: "is is"');
});

test("rejected: the draft is withdrawn and nothing stays", () => {
  const { status, stderr, output } = runDemo("--reject");
  expect(status, stderr).toBe(1);
  expect(stderr).toMatch(/draft {2}COMPENSATED/);
  expect(existsSync(join(output, "report.md"))).toBe(false);
  expect(readdirSync(output)).toEqual([]);
});
