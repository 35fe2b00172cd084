/** The service as users start it: the command of a checkout, in its own process, with default settings. */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** A running service. */
export interface ServiceProcess {
  readonly port: number;
  readonly pid: number;
  /** Milliseconds from the start of the process until its port reported that it serves. */
  readonly startedMs: number;
  readonly close: () => Promise<void>;
}

export interface ServiceSettings {
  /** Absent: the embedded store in `dataDir`. */
  readonly databaseUrl?: string;
  readonly dataDir?: string;
  /** Further settings. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts the service and waits until it serves. Rejects with its output if that takes more than a minute. */
export async function startServiceProcess(settings: ServiceSettings): Promise<ServiceProcess> {
  const port = await findFreePort();
  const begin = performance.now();
  const child = spawn(process.execPath, [fileURLToPath(new URL("../../src/main.ts", import.meta.url)), "serve"], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      NODE_ENV: "production",
      ORCHESTRATOR_PORT: String(port),
      ORCHESTRATOR_METRICS_PORT: String(await findFreePort()),
      LOG_LEVEL: "info",
      ...(settings.databaseUrl === undefined ? {} : { DATABASE_URL: settings.databaseUrl }),
      ...(settings.dataDir === undefined ? {} : { ORCHESTRATOR_DATA_DIR: settings.dataDir }),
      // The service of a profiled workload is profiled, too.
      NODE_OPTIONS: process.execArgv.filter((option) => option.startsWith("--cpu-prof")).join(" "),
      ...settings.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lastWords = keepLastWords(child);
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  for (;;) {
    if (child.exitCode !== null) throw new Error(`The service ended (exit ${child.exitCode}):\n${lastWords()}`);
    if (performance.now() - begin > 60_000) {
      child.kill("SIGKILL");
      throw new Error(`The service does not serve after a minute:\n${lastWords()}`);
    }
    if (await isReady(port)) break;
    await delay(10);
  }
  return {
    port,
    pid: child.pid ?? 0,
    startedMs: performance.now() - begin,
    close: async () => {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** A free port. */
export async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("No free port.");
  return address.port;
}

function keepLastWords(child: ChildProcess): () => string {
  let text = "";
  const keep = (chunk: Buffer): void => {
    text = (text + chunk.toString()).slice(-4000);
  };
  child.stdout?.on("data", keep);
  child.stderr?.on("data", keep);
  return () => text;
}

async function isReady(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.status === 200;
}
