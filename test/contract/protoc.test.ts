import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { listFiles } from "../../scripts/generate-digest.ts";
import { CONTRACT_FILES, ROOT } from "./descriptors.ts";

/** All that users find in the folder. */
const FILES = [...CONTRACT_FILES, "health.proto", "info.proto", "orchestrator.proto"];

const PYTHON = join(ROOT, ".tools/python/bin/python");
const GO_PLUGIN = join(ROOT, ".tools/bin/protoc-gen-go");
const inCi = (process.env.CI ?? "") !== "";

/**
 * What a user without Buf types: `protoc` with two include paths and where the code goes. The compiler is that of
 * grpcio-tools.
 */
const OUTPUTS = [
  ["Python", "--python_out", "py", /run_service_pb2\.py$/],
  ["Go", "--go_out", "go", /client\/v1\/run_service\.pb\.go$/],
] as const;

describe.each(OUTPUTS)("protoc alone makes %s of the contracts", (language, flag, extension, wanted) => {
  test("of every file", { timeout: 60_000 }, ({ skip }) => {
    const missing = [PYTHON, ...(language === "Go" ? [GO_PLUGIN] : [])].filter((path) => !existsSync(path));
    if (missing.length > 0 && !inCi) skip(`run scripts/generate.sh once: ${missing.join(", ")} is missing`);
    const out = mkdtempSync(join(tmpdir(), "protoc-"));
    onTestFinished(() => rmSync(out, { recursive: true, force: true }));
    const plugin = language === "Go" ? [`--plugin=${GO_PLUGIN}`] : [];
    const { status, stderr } = spawnSync(
      PYTHON,
      ["-m", "grpc_tools.protoc", "-Icontracts", "-Ithird_party", ...plugin, `${flag}=${out}`, ...FILES],
      { cwd: ROOT, encoding: "utf8" },
    );
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const files = listFiles(out, ".").filter((file) => file.endsWith(`.${extension}`));
    expect(files.length).toBeGreaterThanOrEqual(FILES.length);
    expect(files.filter((file) => wanted.test(file))).toHaveLength(1);
  });
});
