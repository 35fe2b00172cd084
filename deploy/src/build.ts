/** Writes the manifests: `node deploy/src/build.ts`. A test proves them fresh. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readVersion } from "../../src/base/version.ts";
import { renderExamples } from "./examples.ts";
import { renderHelm } from "./helm.ts";
import { renderKustomize } from "./kustomize.ts";
import type { Files } from "./yaml-file.ts";

/** What lies at which path below deploy. */
export function renderManifests(version = readVersion()): Files {
  const folders = {
    kubernetes: renderKustomize(version),
    "helm/orchestrator": renderHelm(version),
    examples: renderExamples(),
  };
  return Object.fromEntries(
    Object.entries(folders).flatMap(([folder, files]) =>
      Object.entries(files).map(([path, text]) => [`${folder}/${path}`, text] as const),
    ),
  );
}

if (import.meta.main) {
  const home = join(import.meta.dirname, "..");
  for (const folder of ["kubernetes", "helm", "examples"]) rmSync(join(home, folder), { recursive: true, force: true });
  for (const [path, text] of Object.entries(renderManifests())) {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), text);
  }
}
