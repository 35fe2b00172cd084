import { spawn, spawnSync } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import { expect, onTestFinished } from "vitest";
import { eventually } from "./eventually.ts";

/** A command on a terminal. */
export interface Terminal {
  readonly pid: number;
  /** Everything it has shown, with the codes that steer a terminal. */
  raw(): string;
  /** The same as text. */
  text(): string;
  /** Presses keys; `CTRL_C` interrupts. */
  type(keys: string): void;
  /** Waits until it shows something. */
  see(what: RegExp, timeoutMs?: number): Promise<void>;
  /** Its exit code; 128 and the number of a signal. */
  readonly ended: Promise<number | null>;
}

/** What the terminal makes an interrupt of the whole foreground group of. */
export const CTRL_C = "\u0003";

/** Whether terminals can be opened here: that takes Python. Without it tests are a printed skip, in CI a failure. */
export function hasTerminals(): boolean {
  if (spawnSync("python3", ["-c", "import pty"], { stdio: "ignore" }).status === 0) return true;
  if (process.env.CI) throw new Error("python3 with its module pty is missing, and CI skips nothing");
  console.log("skipped: what the command shows on a terminal, because python3 with its module pty is missing");
  return false;
}

/** Runs a command on a terminal of its own, 100 by 30. It is killed when the test ends. */
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
  // The terminal hangs up when its keeper goes, and the command with it.
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
