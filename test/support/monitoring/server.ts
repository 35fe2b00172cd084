/** A server of the monitoring stack in its own process, with its data in a temporary folder. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { eventually } from "../eventually.ts";
import { findFreePort } from "../free-port.ts";

/** A running server; it is killed, and its data removed, at the end of the test that started it. */
export interface MonitoringServer {
  readonly port: number;
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** Its configuration and data. */
  readonly folder: string;
  /** What it logged so far. */
  readonly log: () => string;
  /** Sends a signal to the process: SIGSTOP freezes it, SIGCONT lets it go on. */
  signal(signal: NodeJS.Signals): void;
  /** Ends it at once. */
  stop(): Promise<void>;
}

/** The name of the first program that is on the machine. */
export function findMonitoringProgram(...names: readonly string[]): string | undefined {
  return names.find((name) => spawnSync(name, ["--version"], { stdio: "ignore" }).error === undefined);
}

/** How a server is started. */
export interface MonitoringProgram {
  readonly program: string;
  /** Writes what it reads into its folder and returns its arguments. */
  readonly prepare: (folder: string, port: number) => readonly string[];
}

/** Starts a server and waits until it is ready. */
export async function startMonitoringServer({ program, prepare }: MonitoringProgram): Promise<MonitoringServer> {
  const folder = mkdtempSync(join(tmpdir(), `orchestrator-${program}-`));
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const child: ChildProcess = spawn(program, prepare(folder, port), { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  child.stderr?.on("data", (chunk: Buffer) => (text += chunk));
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  };
  onTestFinished(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await eventually(
    async () => {
      if (child.exitCode !== null) throw new Error(`${program} ended: ${text}`);
      const { status } = await fetch(`${url}/-/ready`);
      if (status !== 200) throw new Error(`${program} is not ready: ${status}\n${text}`);
    },
    { timeoutMs: 30_000, intervalMs: 50 },
  );
  return { port, url, folder, log: () => text, signal: (signal) => void child.kill(signal), stop };
}
