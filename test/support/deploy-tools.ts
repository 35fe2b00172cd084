/** Tools that judge what is below deploy: those of the machine, or those that `deploy/judge.sh` brought. */
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";

const FOLDER = join(process.cwd(), ".tools/deploy/bin");

/** The program, or null where it is missing. */
export function findTool(name: string): string | null {
  const found = [join(FOLDER, name), name].find((path) => spawnSync(path, ["--help"]).error === undefined);
  return found ?? null;
}

/** Runs a program to its end and returns its output; throws with its errors. */
export function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<string> {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) =>
      code === 0 ? resolve(out.trim()) : reject(new Error(`${program} ${args[0]} ended with ${code}: ${err}`)),
    );
  });
}
