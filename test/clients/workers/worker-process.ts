/** A worker program under test, in its own process. */
import { spawn } from "node:child_process";
import { onTestFinished } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { cleanEnvironment } from "../../support/serve-process.ts";

/** How a worker program is started. */
export interface WorkerProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

/** A running worker program. */
export interface WorkerProcess {
  /** Resolves when it has printed a line that matches, `times` times in all. */
  printed(line: RegExp, times?: number): Promise<void>;
  /** Everything it has printed. */
  output(): string;
  /** Sends a signal; resolves with the exit code when it is gone. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts a worker program for one test, which kills it at its end. */
export function startWorkerProcess(
  { command, args, cwd }: WorkerProgram,
  env: Readonly<Record<string, string>>,
): WorkerProcess {
  const child = spawn(command, args, {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk));
  const gone = new Promise<number | null>((resolve) => child.once("exit", resolve));
  child.once("error", (error) => (output += String(error)));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await gone;
  });
  return {
    output: () => output,
    printed: (line, times = 1) =>
      eventually(
        () => {
          const lines = output.split("\n").filter((text) => line.test(text));
          if (lines.length < times) throw new Error(`no ${times} lines ${line} in:\n${output}`);
        },
        { timeoutMs: 60_000 },
      ),
    stop(signal = "SIGTERM") {
      child.kill(signal);
      return gone;
    },
  };
}
