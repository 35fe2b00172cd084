import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { isSet, loadConfig } from "../../../src/config/config.ts";
import { parseEnvFile } from "../../../src/config/env-file.ts";

const problemsOf = (text: string) => parseEnvFile(text, ".env").problems.map((one) => `${one.place}: ${one.problem}`);

test("variables, comments, quotes, and several lines are read as Node reads them", () => {
  const file = parseEnvFile(
    `\uFEFF# a comment\r\nexport A=1\r\nB = two words # and a comment\r\nC="#1\nline"\n\nD='x' # y\nE=\`"'\`\nF=\nG=a=b`,
    ".env",
  );
  expect(file.problems).toEqual([]);
  expect(file.values).toEqual({ A: "1", B: "two words", C: "#1\nline", D: "x", E: `"'`, F: "", G: "a=b" });
  expect(["A", "D", "G"].map(file.placeOf)).toEqual([".env:2 A", ".env:7 D", ".env:10 G"]);
});

test.each([
  ["A=1\nrubbish\nB=2", ".env:2: expected NAME=value, or # and a comment"],
  ["\n\n1A=1", ".env:3: expected NAME=value, or # and a comment"],
  ['A="x\nB=2', '.env:1: the value begins with ", which is not closed'],
  ["A='x'y", ".env:1: the value goes on after its closing '; put other quotes around the whole"],
])("%j is one problem with its line", (text, problem) => {
  expect(problemsOf(text)).toEqual([problem]);
});

function inFolder(text: string): Record<string, string> {
  const path = join(mkdtempSync(join(tmpdir(), "env-file-")), "named.env");
  writeFileSync(path, text);
  return { ORCHESTRATOR_ENV_FILE: path };
}

test("the environment wins over the file, and the file over defaults; the origin names file and line", async () => {
  const env = inFolder("ORCHESTRATOR_PORT=7001\nTASK_TIMEOUT=7\nDATABASE_URL=\n");
  const loaded = await loadConfig({ env: { ...env, ORCHESTRATOR_PORT: "7002", TASK_TIMEOUT: "" } });
  expect([loaded.config.server.port, loaded.config.routing.taskTimeout]).toEqual([7002, 7_000]);
  expect(isSet(loaded, "store.database_url")).toBe(false);
  const origins = loaded.origins.filter(({ origin }) => origin !== "default").map(({ origin }) => origin);
  expect(origins).toEqual(["ORCHESTRATOR_PORT", expect.stringMatching(/named\.env:2 TASK_TIMEOUT$/)]);
});

test("wrong values and unknown variables of the file are named by their line, and a missing file by its name", async () => {
  const load = (env: Record<string, string>) => loadConfig({ env }).catch((error: Error) => error.message);
  expect(await load(inFolder("\nORCHESTRATOR_PORT=x"))).toMatch(/named\.env:2 ORCHESTRATOR_PORT: /);
  expect(await load(inFolder("ORCHESTRATOR_PROT=1"))).toMatch(
    /named\.env:1 ORCHESTRATOR_PROT: there is no such variable/,
  );
  expect(await load(inFolder("ORCHESTRATOR_PORT"))).toMatch(/named\.env:1: expected NAME=value/);
  expect(await load({ ORCHESTRATOR_ENV_FILE: "/nowhere/.env" })).toMatch(/\/nowhere\/\.env: cannot be read/);
});

test("the file of the working folder is read by a process, and not by a test that gives an environment", async () => {
  const before = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), "env-file-"));
  onTestFinished(() => process.chdir(before));
  writeFileSync(join(folder, ".env"), "ORCHESTRATOR_PORT=7003\n");
  process.chdir(folder);
  expect((await loadConfig({ env: {} })).config.server.port).not.toBe(7003);
  expect((await loadConfig()).config.server.port).toBe(7003);
});
