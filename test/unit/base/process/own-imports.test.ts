import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";

const HOOK = new URL("../../../../src/base/process/own-imports.ts", import.meta.url).href;

/** Runs `own/main.ts` of these files in a process that resolves the imports of `own`. */
async function run(files: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), "imports-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const own = pathToFileURL(join(folder, "own/")).href;
  const script = `import(${JSON.stringify(HOOK)}).then((it) => { it.resolveOwnImports("${own}"); return import("${own}main.ts"); });`;
  return promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], { cwd: folder });
}

const PACKAGE = (name: string, says: string) => ({
  [`${name}/package.json`]: '{"name": "it", "type": "module", "exports": {"import": "./it.js", "require": "./it.cjs"}}',
  [`${name}/it.js`]: `export const it = "${says}";`,
  [`${name}/it.cjs`]: `exports.it = "${says}, required";`,
});

test("modules of one's own, packages, and what packages import are the same as without it", async () => {
  const { stdout } = await run({
    "own/main.ts": `import { createRequire } from "node:module";
import { basename } from "node:path";
import { it } from "it";
import { b } from "./sub/b.ts";
import data from "./data.json" with { type: "json" };
console.log(basename("x/y") as string, it, b, data.n, createRequire(import.meta.url)("it").it);`,
    "own/sub/b.ts": 'import { it } from "it"; import { c } from "../c.ts"; export const b: string = it + c;',
    "own/c.ts": 'import { other } from "other"; export const c: string = other;',
    "own/data.json": '{"n": 1}',
    ...PACKAGE("node_modules/it", "outer"),
    "node_modules/other/package.json": '{"name": "other", "type": "module", "exports": "./x.js"}',
    "node_modules/other/x.js": 'export { it as other } from "it";',
    ...PACKAGE("node_modules/other/node_modules/it", "inner"),
  });
  expect(stdout).toBe("y outer outerinner 1 outer, required\n");
});

test("a module that is missing is named", async () => {
  const missing = run({ "own/main.ts": 'import "./gone.ts";' });
  await expect(missing).rejects.toMatchObject({ stderr: expect.stringContaining("gone.ts") });
});
