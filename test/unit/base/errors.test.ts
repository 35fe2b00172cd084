import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { listFiles } from "../../../scripts/generate-digest.ts";
import { CLIENT_ERRORS } from "../../../src/base/error-catalog/clients.ts";
import { FLOW_ERRORS } from "../../../src/base/error-catalog/flows.ts";
import { GENERATION_ERRORS } from "../../../src/base/error-catalog/generations.ts";
import { GOAL_ERRORS } from "../../../src/base/error-catalog/goals.ts";
import { REQUEST_ERRORS } from "../../../src/base/error-catalog/requests.ts";
import { RUN_ERRORS } from "../../../src/base/error-catalog/runs.ts";
import { SERVICE_ERRORS } from "../../../src/base/error-catalog/service.ts";
import { ERRORS, RESERVED_CODES } from "../../../src/base/error-catalog.ts";

test("the codes that nothing in the source gives are those that are marked as reserved", () => {
  // Three codes stood in the catalogue, and in the documents, as if they could be met.
  const root = new URL("../../../", import.meta.url).pathname;
  const sources = listFiles(root, "src")
    .filter(
      (file) => file.endsWith(".ts") && !file.startsWith("src/base/error-catalog") && !file.startsWith("src/gen/"),
    )
    .map((file) => readFileSync(`${root}${file}`, "utf8"))
    .join("\n");
  const unused = Object.keys(ERRORS).filter((code) => !sources.includes(`"${code}"`));
  expect(unused.sort()).toEqual([...RESERVED_CODES].sort());
});

test("no code is in two families", () => {
  // The table is made of the families, and the later one of two would hide the other.
  const families = [
    REQUEST_ERRORS,
    FLOW_ERRORS,
    RUN_ERRORS,
    SERVICE_ERRORS,
    CLIENT_ERRORS,
    GOAL_ERRORS,
    GENERATION_ERRORS,
  ];
  expect(families.flatMap((family) => Object.keys(family))).toEqual(Object.keys(ERRORS));
});
