import { spawn, spawnSync } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import { expect, onTestFinished } from "vitest";
import { eventually } from "./eventually.ts";

/** A command in a terminal. */
export interface Terminal {
  readonly pid: number;
  /** Its whole output, including control codes. */
  raw(): string;
  /** The same as plain text. */
  text(): string;
  /** Presses keys; `CTRL_C` interrupts. */
  type(keys: string): void;
  /** Waits for output. */
  see(what: RegExp, timeoutMs?: number): Promise<void>;
  /** Exit code; 128 plus the number for a signal. */
  readonly ended: Promise<number | null>;
}

/** The terminal turns it into an interrupt of the foreground process group. */
export const CTRL_C = "\u0003";

/**
 * Whether terminals can be opened here, which needs Python. Without it, tests are skipped with a message, or fail in
 * CI.
 */
export function hasTerminals(): boolean {
  if (spawnSync("python3", ["-c", "import pty"], { stdio: "ignore" }).status === 0) return true;
  if (process.env.CI) throw new Error("python3 with its module pty is missing, and CI skips nothing");
  console.log("skipped: what the command shows on a terminal, because python3 with its module pty is missing");
  return false;
}

/** Runs a command in a new terminal of 100 columns and 30 rows. It is killed at the end of the test. */
export function openTerminal(
  command: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv; readonly rows?: number },
): Terminal {
  const { cwd, env, rows = 30 } = options;
  const child = spawn("python3", [`${import.meta.dirname}/terminal.py`, "100", String(rows), ...command], {
    cwd,
    env: { ...env, TERM: "xterm-256color" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  // The terminal hangs up when its process ends, and the command with it.
  onTestFinished(() => void child.kill("SIGKILL"));
  let shown = "";
  child.stdout.on("data", (chunk: Buffer) => (shown += chunk));
  const text = (): string => stripVTControlCharacters(shown).replaceAll("\r", "");
  return {
    pid: child.pid ?? 0,
    raw: () => shown,
    text,
    type: (keys) => void child.stdin.write(keys),
    see: (what, timeoutMs = 40_000) => eventually(() => expect(text()).toMatch(what), { timeoutMs }),
    ended,
  };
}
