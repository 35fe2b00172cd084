/** Runs commands of the command line in separate processes. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { cleanEnvironment } from "./serve-process.ts";

const MAIN = join(process.cwd(), "src/main.ts");

/** Result of a command. */
export interface EndedCommand {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command in `folder`, which also has its profiles, and waits for its end. */
export function runCommand(
  args: readonly string[],
  folder: string,
  env: Record<string, string>,
): Promise<EndedCommand> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { ...cleanEnvironment(), XDG_CONFIG_HOME: join(folder, "config"), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk));
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, out, err })));
}

/** Puts the program `orchestrator` into a folder, for scripts of pages that have the folder in their PATH. */
export function installCommand(folder: string): void {
  const script = `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`;
  writeFileSync(join(folder, "orchestrator"), script, { mode: 0o755 });
}
