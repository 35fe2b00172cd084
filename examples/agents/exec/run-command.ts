/**
 * Runs a command within its limits.
 *
 *   made ──aborted─→ killed
 *        ──the command begins─→ runs
 *   runs ──ends───────────────────────→ ended
 *        ──aborted, or a limit passed─→ asked (SIGTERM) ──ends, or 2 s later (SIGKILL)─→ ended
 *
 * However it ends, everything that it started is killed before the result is there.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { AgentError } from "../shared/messages.ts";
import { killTask, measureMemory } from "./processes.ts";
import { measureFolder } from "./workspace.ts";

/** Time between SIGTERM and SIGKILL, milliseconds. */
const GRACE_MS = 2_000;
const WATCH_MS = 200;
/** What is kept of stdout and of stderr; more is read and dropped. */
const KEPT_BYTES = 256 * 1024;
/** A command that writes more is ended. */
const MAX_WRITTEN_BYTES = 64 * 1024 * 1024;

export interface RunOptions {
  readonly arguments: readonly [string, ...string[]];
  /** Variables of the program that runs the command. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** A process above those of the command, which are not below the program; null: there is none yet. */
  readonly leader?: () => number | null;
  /** The program has ended. */
  readonly ended?: () => void;
  /** The mark in its variables. */
  readonly task: string;
  readonly signal: AbortSignal;
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

export interface Captured {
  readonly bytes: Buffer;
  readonly isTruncated: boolean;
}

export interface Ended {
  /** 128 and the number of the signal for a command that a signal killed. */
  readonly exitCode: number;
  readonly stdout: Captured;
  readonly stderr: Captured;
}

/** Resolves when the command has ended. Throws why it was ended: the reason of the signal, or a limit. */
export async function runCommand(options: RunOptions): Promise<Ended> {
  const { cwd, env, task, signal, memoryBytes, diskBytes, leader, ended } = options;
  signal.throwIfAborted();
  const [program, ...args] = options.arguments;
  const child = spawn(program, args, {
    cwd,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  let reason: unknown = null;
  let hasBegun = false;
  let killer: NodeJS.Timeout | undefined;
  const end = (why: unknown): void => {
    if (reason !== null) return;
    reason = why;
    if (child.pid === undefined) return;
    // What makes the namespaces ignores signals.
    if (!hasBegun) {
      killTask(child.pid, task);
      return;
    }
    try {
      process.kill(-child.pid, "SIGTERM");
    } catch {
      // It has ended.
    }
    killer = setTimeout(() => killTask(child.pid, task), GRACE_MS);
  };
  const onAbort = (): void => end(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  let written = 0;
  const onWritten = (bytes: number): void => {
    written += bytes;
    if (written > MAX_WRITTEN_BYTES)
      end(
        new AgentError("OUTPUT_LIMIT", `the command wrote more than ${MAX_WRITTEN_BYTES} bytes to stdout and stderr`),
      );
  };
  const stdout = capture(child.stdout as Readable, onWritten);
  const stderr = capture(child.stderr as Readable, onWritten);
  // Only its end says something: that this process is gone.
  child.stdio[3]?.on("error", () => {});
  child.stdio[3]?.once("data", () => {
    hasBegun = true;
  });
  let ticks = 0;
  const watch = setInterval(() => {
    const first = (leader === undefined ? child.pid : leader()) ?? null;
    if (first !== null && measureMemory(first) > memoryBytes)
      end(new AgentError("MEMORY_LIMIT", `the command took more than ${Math.round(memoryBytes / 2 ** 20)} MB`));
    if (ticks++ % 5 === 0 && measureFolder(cwd, diskBytes) > diskBytes)
      end(new AgentError("DISK_LIMIT", `the command wrote more than ${Math.round(diskBytes / 2 ** 20)} MB of files`));
  }, WATCH_MS);
  try {
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, name) => resolve(code ?? 128 + (name === null ? 0 : constants.signals[name])));
    });
    ended?.();
    killTask(child.pid, task);
    // What left the group may hold on to stdout for a moment longer.
    await Promise.race([closed, sleep(1_000)]);
    if (reason !== null) throw reason;
    return { exitCode, stdout: stdout(), stderr: stderr() };
  } finally {
    clearInterval(watch);
    clearTimeout(killer);
    signal.removeEventListener("abort", onAbort);
    for (const stream of child.stdio) stream?.destroy();
  }
}

function capture(stream: Readable, onBytes: (bytes: number) => void): () => Captured {
  const chunks: Buffer[] = [];
  let [kept, isTruncated] = [0, false];
  stream.on("data", (chunk: Buffer) => {
    onBytes(chunk.length);
    const part = chunk.subarray(0, KEPT_BYTES - kept);
    isTruncated ||= part.length < chunk.length;
    if (part.length > 0) chunks.push(part);
    kept += part.length;
  });
  return () => ({ bytes: Buffer.concat(chunks), isTruncated });
}
