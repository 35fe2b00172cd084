import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { CONTRACT_FILES, ROOT } from "./descriptors.ts";

const PATH = [`${ROOT}node_modules/.bin`, process.env.PATH].join(":");

interface Outcome {
  readonly code: number | null;
  readonly text: string;
}

function run(command: string, args: readonly string[], cwd = ROOT): Outcome {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, PATH },
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  return { code: status, text: stdout + stderr };
}

/** Copy of the contracts in which `from` reads `to` in one file; the copy is removed after the test. */
function copyWithFault(file: string, from: string | RegExp, to: string): string {
  const folder = mkdtempSync(join(tmpdir(), "contract-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["buf.yaml", "contracts", "internal", "third_party"])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  const path = join(folder, "contracts", file);
  const text = readFileSync(path, "utf8");
  const changed = text.replace(from, to);
  expect(changed, "the fault was planted").not.toBe(text);
  writeFileSync(path, changed);
  return folder;
}

function buildImage(): string {
  const folder = mkdtempSync(join(tmpdir(), "contract-image-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const image = join(folder, "v0.0.1.binpb");
  expect(run("buf", ["build", "contracts", "--exclude-source-info", "-o", image])).toEqual({ code: 0, text: "" });
  return image;
}

const compare = (image: string, folder: string): Outcome =>
  run("sh", [`${ROOT}scripts/buf-breaking.sh`, image, folder]);

test("the contracts pass the linter", () => {
  expect(run("buf", ["lint"])).toEqual({ code: 0, text: "" });
});

test("the contracts are formatted", () => {
  expect(run("buf", ["format", "--diff", "--exit-code", "contracts"])).toEqual({ code: 0, text: "" });
});

test.each([
  ["a field without a comment", "orchestrator/v1/run.proto", / {2}\/\/ Flow that is executed\.\n/, "", "COMMENT_FIELD"],
  [
    "a method without a comment",
    "orchestrator/v1/run_service.proto",
    / {2}\/\/ GetRun returns [^\n]*\n/,
    "",
    "COMMENT_RPC",
  ],
  ["an enum value without its prefix", "orchestrator/v1/run.proto", "RUN_STATE_QUEUED", "QUEUED", "ENUM_VALUE_PREFIX"],
  [
    "a request with a foreign name",
    "orchestrator/v1/run_service.proto",
    /GetRunRequest/g,
    "ReadRun",
    "RPC_REQUEST_STANDARD_NAME",
  ],
])("the linter refuses %s", (_title, file, from, to, rule) => {
  const { code, text } = run("buf", ["lint", "--error-format", "json"], copyWithFault(file, from, to));
  expect(code).not.toBe(0);
  expect(text).toContain(`"type":"${rule}"`);
});

test("the only exceptions of the linter are the published names of HealthService, and the other paths", () => {
  const paths = ["health", "info", "orchestrator"].map((name) => `contracts/${name}.proto`);
  const { modules } = parse(readFileSync(`${ROOT}buf.yaml`, "utf8"));
  const [ours] = modules;
  expect(ours.lint).toEqual({
    use: ["STANDARD", "COMMENTS"],
    ignore_only: {
      IMPORT_NO_PUBLIC: paths,
      PACKAGE_DEFINED: paths,
      RPC_REQUEST_STANDARD_NAME: ["contracts/orchestrator/health/v1/health.proto"],
      RPC_RESPONSE_STANDARD_NAME: ["contracts/orchestrator/health/v1/health.proto"],
    },
  });
  const marked = CONTRACT_FILES.filter((file) =>
    readFileSync(`${ROOT}contracts/${file}`, "utf8").includes("buf:lint:ignore"),
  );
  expect(marked).toEqual([]);
});

test("the contracts do not break the newest released image", () => {
  const { code, text } = run("sh", ["scripts/buf-breaking.sh"]);
  expect(code, text).toBe(0);
  const released = readdirSync(`${ROOT}contracts/releases`).some((name) => name.endsWith(".binpb"));
  expect(text).toMatch(released ? /^no break against v/m : /nothing to compare with/);
});

test("the same contracts are no break", () => {
  const { code, text } = compare(buildImage(), ROOT);
  expect(code, text).toBe(0);
});

test.each([
  ["a removed field", "orchestrator/v1/run.proto", / {2}string correlation_id = 20 [^\n]*\n/, "", "correlation_id"],
  ["a changed type", "orchestrator/v1/run.proto", "int32 sequence = 28", "int64 sequence = 28", "sequence"],
  [
    "a renumbered field",
    "orchestrator/v1/flow_service.proto",
    "string flow_id = 1 [",
    "string flow_id = 9 [",
    "flow_id",
  ],
  [
    "a removed enum value",
    "orchestrator/v1/run.proto",
    /\n *\/\/ Ended by a timeout\.\n *RUN_STATE_TIMED_OUT = 13;/,
    "",
    "RunState",
  ],
  ["a renamed method", "orchestrator/info/v1/info.proto", /GetInfo/g, "ReadInfo", "GetInfo"],
])("%s is a break", (_title, file, from, to, named) => {
  const { code, text } = compare(buildImage(), copyWithFault(file, from, to));
  expect(code, text).toBe(1);
  expect(text).toContain(named);
  expect(text).toContain("CHANGELOG");
});

test("an addition is no break", () => {
  const folder = copyWithFault(
    "orchestrator/info/v1/info.proto",
    "message GetInfoRequest {}",
    "message GetInfoRequest {\n  // New.\n  bool brief = 1;\n}",
  );
  const { code, text } = compare(buildImage(), folder);
  expect(code, text).toBe(0);
});
