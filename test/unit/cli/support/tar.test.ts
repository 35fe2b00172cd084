/** The archive for support, as the `tar` of the machine reads it. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { packTexts } from "../../../../src/cli/commands/support/tar.ts";
import { createTemporaryFolder } from "../../../support/temporary-folder.ts";

test("tar reads what was packed: names, contents of any length, times, and who may read it", () => {
  const folder = createTemporaryFolder();
  const texts = new Map([
    ["empty.txt", ""],
    ["instances/a/short.txt", "é\n"],
    ["instances/a/block.txt", "x".repeat(512)],
    ["instances/a/long.txt", "line\n".repeat(100_000)],
  ]);
  const file = join(folder, "a.tar.gz");
  writeFileSync(file, packTexts(texts, Date.UTC(2026, 4, 6, 7, 8, 9)));
  const listed = execFileSync("tar", ["-tvzf", file], { encoding: "utf8", env: { ...process.env, TZ: "UTC" } });
  expect(listed).toMatch(/^-rw------- .* 2026-05-06 07:08 empty\.txt$/m);
  execFileSync("tar", ["-xzf", file, "-C", folder]);
  for (const [path, text] of texts) expect(readFileSync(join(folder, path), "utf8")).toBe(text);
});

test("a path that does not fit is refused", () => {
  expect(() => packTexts(new Map([["x".repeat(101), ""]]), 0)).toThrow("too long");
});
