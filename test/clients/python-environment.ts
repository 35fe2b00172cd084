/** Python environments, made once for what they hold. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { listFiles } from "../../scripts/generate-digest.ts";
import { findProgram, IN_CI, ROOT, runProgram } from "./programs.ts";

const PROBE = ["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))"];
const python = findProgram(["python3", "python"], PROBE);

/** Whether there is no Python, and that is no failure. */
export const PYTHON_MISSING = python === undefined && !IN_CI;
if (PYTHON_MISSING) console.log("skipped: what needs Python, because Python 3.9 with venv is missing");

/**
 * Makes the environment `name` with the client and the pinned packages, unless it is there. Returns its interpreter.
 */
export function preparePython(name: string, pins: readonly string[]): Promise<string> {
  const files = [...listFiles(ROOT, "gen/python/orchestrator_client"), "gen/python/pyproject.toml"].map((file) =>
    readFileSync(join(ROOT, file)),
  );
  return prepare(name, [...pins, `${ROOT}gen/python`], Buffer.concat(files));
}

/** The same with the pinned packages alone. */
export function preparePackages(name: string, pins: readonly string[]): Promise<string> {
  return prepare(name, pins, Buffer.alloc(0));
}

async function prepare(name: string, packages: readonly string[], content: Buffer): Promise<string> {
  const folder = join(ROOT, ".tools/test-python", name);
  const interpreter = join(folder, "bin/python");
  const wanted = createHash("sha256").update(packages.join(" ")).update(content).digest("hex");
  const stamp = join(folder, "stamp");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return interpreter;
  // Files that run at the same time may want the same one: it is made beside its place, and moved there whole.
  const making = `${folder}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  try {
    await runProgram(python ?? "python3", ["-m", "venv", "--clear", making]);
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    await runProgram(join(making, "bin/python"), [...pip, ...packages]);
    writeFileSync(join(making, "stamp"), wanted);
    if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return interpreter;
    rmSync(folder, { recursive: true, force: true });
    renameSync(making, folder);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return interpreter;
}
