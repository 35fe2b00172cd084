/** Where `make run` puts metrics. A program that prints its arguments stands in for the service. */
import { execFileSync } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";

function makeRun(env: Readonly<Record<string, string>>, envFile?: string): string {
  const folder = createTemporaryFolder();
  copyFileSync("Makefile", join(folder, "Makefile"));
  writeFileSync(join(folder, "orchestrator"), '#!/bin/sh\necho "$@"\n', { mode: 0o755 });
  if (envFile !== undefined) writeFileSync(join(folder, ".env"), envFile);
  const { PATH = "" } = process.env;
  return execFileSync("make", ["-s", "run"], { cwd: folder, encoding: "utf8", env: { PATH, ...env } }).trim();
}

test("metrics are on 9464, beside a Prometheus on 9090, unless somebody says where", () => {
  expect(makeRun({})).toBe("serve --metrics-port 9464");
  expect(makeRun({ ORCHESTRATOR_METRICS_PORT: "9090" })).toBe("serve");
  expect(makeRun({}, "ORCHESTRATOR_PORT=1\nORCHESTRATOR_METRICS_PORT=9191\n")).toBe("serve");
  expect(makeRun({}, "ORCHESTRATOR_PORT=1\n# ORCHESTRATOR_METRICS_PORT=9191\n")).toBe("serve --metrics-port 9464");
});
