/** `connectconformance`, built once into `.tools/`. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { findProgram, ROOT, runProgram } from "../clients/programs.ts";

const MODULE = "connectrpc.com/conformance";
const VERSION = "v1.0.5";
const FOLDER = join(ROOT, `.tools/connectconformance-${VERSION}`);

/** The runner and the protos of the same version. */
export interface Runner {
  readonly program: string;
  /** Descriptor set of its protos. */
  readonly image: string;
}

/** The Go command; undefined where there is none. */
export function findGo(): string | undefined {
  return findProgram(
    ["go", "/usr/local/go/bin/go", join(ROOT, ".tools/go/bin/go"), join(ROOT, ".tools/python/bin/go")],
    ["version"],
  );
}

/**
 * Builds the runner unless it is there, from the Go module proxy; about a minute. The protos come from the same module.
 */
export async function installRunner(go: string): Promise<Runner> {
  const program = join(FOLDER, "connectconformance");
  const image = join(FOLDER, "image.binpb");
  if (existsSync(program) && existsSync(image)) return { program, image };
  mkdirSync(FOLDER, { recursive: true });
  const env = { GOBIN: FOLDER, GOFLAGS: "-buildvcs=false" };
  await runProgram(go, ["install", `${MODULE}/cmd/connectconformance@${VERSION}`], { cwd: FOLDER, env });
  const { Dir } = JSON.parse(
    await runProgram(go, ["mod", "download", "-json", `${MODULE}@${VERSION}`], { cwd: FOLDER, env }),
  ) as { readonly Dir: string };
  const buf = join(ROOT, "node_modules/.bin/buf");
  await runProgram(buf, ["build", join(Dir, "proto"), "--as-file-descriptor-set", "-o", image]);
  return { program, image };
}

/** What a run came to. */
export interface RunnerReport {
  readonly exitCode: number;
  readonly cases: number;
  readonly passed: number;
  /** Cases that failed, known or not, with what the runner says of each. */
  readonly failures: ReadonlyMap<string, readonly string[]>;
  readonly output: string;
}

/** Cases that fail, as patterns of the runner. */
export interface Expectations {
  readonly mustFail: readonly string[];
  readonly mayFail: readonly string[];
}

/** Runs all cases of `features` against the program `server`. */
export async function runCases(
  { program }: Runner,
  features: string,
  { mustFail, mayFail }: Expectations,
  server: readonly string[],
): Promise<RunnerReport> {
  const known = [
    ...mustFail.flatMap((pattern) => ["--known-failing", pattern]),
    ...mayFail.flatMap((pattern) => ["--known-flaky", pattern]),
  ];
  const limits = ["--max-servers", "2", "--parallel", "4"];
  const args = ["--mode", "server", "--conf", features, ...known, ...limits, "--", ...server];
  const [exitCode, output] = await new Promise<[number, string]>((resolve) => {
    execFile(program, args, { cwd: ROOT, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      resolve([error === null ? 0 : Number(error.code ?? 1), stdout + stderr]);
    });
  });
  const failures = new Map<string, string[]>();
  for (const [, name = "", body = ""] of output.matchAll(
    /^(?:FAILED|INFO): (.*?)(?: failed \(as expected\))?:\n((?:\t.*\n|\n)*)/gm,
  )) {
    const lines = body.split("\n").map((line) => line.trim());
    failures.set(
      name,
      lines.filter((line) => line !== ""),
    );
  }
  const [, cases = 0, passed = 0] = /^Total cases: (\d+)\n(\d+) passed/m.exec(output) ?? [];
  return { exitCode, cases: Number(cases), passed: Number(passed), failures, output };
}
