import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { renderManifests } from "../../deploy/src/build.ts";

test("manifests are what deploy/src and the alerts say (node deploy/src/build.ts)", () => {
  const rendered = renderManifests();
  for (const [path, text] of Object.entries(rendered))
    expect(readFileSync(join("deploy", path), "utf8"), path).toBe(text);
  const found = ["kubernetes", "helm", "examples"].flatMap((folder) =>
    readdirSync(join("deploy", folder), { recursive: true, encoding: "utf8" })
      .map((name) => join(folder, name))
      .filter((path) => statSync(join("deploy", path)).isFile()),
  );
  expect(found.toSorted()).toEqual(Object.keys(rendered).toSorted());
});
