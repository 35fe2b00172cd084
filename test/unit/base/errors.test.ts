import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { listFiles } from "../../../scripts/generate-digest.ts";
import { ERRORS, RESERVED_CODES } from "../../../src/base/error-catalog.ts";

test("the codes that nothing in the source gives are those that are marked as reserved", () => {
  // Three codes stood in the catalogue, and in the documents, as if they could be met.
  const root = new URL("../../../", import.meta.url).pathname;
  const sources = listFiles(root, "src")
    .filter((file) => file.endsWith(".ts") && file !== "src/base/error-catalog.ts" && !file.startsWith("src/gen/"))
    .map((file) => readFileSync(`${root}${file}`, "utf8"))
    .join("\n");
  const unused = Object.keys(ERRORS).filter((code) => !sources.includes(`"${code}"`));
  expect(unused.sort()).toEqual([...RESERVED_CODES].sort());
});
