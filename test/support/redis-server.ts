/** A Redis server in its own process, with its data in a temporary folder; `scripts/ci-services.sh` installs it. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { eventually } from "./eventually.ts";
import { findFreePort } from "./free-port.ts";

/** Whether the server and its command line are on the machine. */
export const hasRedis = ["redis-server", "redis-cli"].every(
  (program) => spawnSync(program, ["--version"]).error === undefined,
);

/** A running server. */
export interface RedisServer {
  readonly port: number;
  /** `redis://127.0.0.1:port` */
  readonly url: string;
  /** See {@link runRedisCommand}. */
  cli(...command: string[]): string;
  /** Sends a signal to the process: SIGSTOP freezes it, SIGCONT lets it go on. */
  signal(signal: NodeJS.Signals): void;
  /** Ends it: SIGTERM, or SIGKILL for a crash. */
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Starts it again on the same port, empty. Resolves when it serves. */
  start(): Promise<void>;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

/** What `redis-cli` prints for a command, without the last line break. A foreign reader: not our library. */
export function runRedisCommand(port: number, ...command: string[]): string {
  const { stdout, stderr, error } = spawnSync("redis-cli", ["-p", String(port), ...command], {
    encoding: "utf8",
    timeout: 10_000,
  });
  if (error !== undefined) throw error;
  return `${stdout}${stderr}`.replace(/\n$/, "");
}

/** Starts a server that keeps nothing on disk, with settings in the form of its command line (`--maxmemory 2mb`). */
export async function startRedisServer(...settings: string[]): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), "orchestrator-redis-"));
  const port = await findFreePort();
  const own = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"];
  let child: ChildProcess | null = null;
  const cli = (...command: string[]): string => runRedisCommand(port, ...command);
  const server: RedisServer = {
    port,
    url: `redis://127.0.0.1:${port}`,
    cli,
    signal: (signal) => void child?.kill(signal),
    async start() {
      child = spawn("redis-server", [...own, "--logfile", join(folder, "log"), ...settings], { stdio: "ignore" });
      const started = child;
      await eventually(
        () => {
          if (started.exitCode !== null) throw new Error(`it ended: ${readFileSync(join(folder, "log"), "utf8")}`);
          const answer = cli("PING");
          // One that wants a password serves, too.
          if (!/PONG|NOAUTH/.test(answer)) throw new Error(`Redis does not serve: ${answer}`);
        },
        { timeoutMs: 20_000, intervalMs: 20 },
      );
    },
    async stop(signal = "SIGTERM") {
      if (child === null || child.exitCode !== null || child.signalCode !== null) return;
      const ended = child;
      const gone = new Promise((resolve) => ended.once("exit", resolve));
      ended.kill(signal);
      await gone;
    },
    async remove() {
      await server.stop("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

/** The same for one test: it is removed at its end. */
export async function startRedisForTest(...settings: string[]): Promise<RedisServer> {
  const server = await startRedisServer(...settings);
  onTestFinished(() => server.remove());
  return server;
}
