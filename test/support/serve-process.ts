import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { eventually } from "./eventually.ts";
import { findFreePort } from "./free-port.ts";

/** The templates that ship with the service. */
export const SHIPPED_TEMPLATES = fileURLToPath(new URL("../../templates", import.meta.url));

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The service in its own process. */
export interface ServeProcess {
  readonly child: ChildProcess;
  /** `127.0.0.1:port` */
  readonly address: string;
  readonly port: number;
  readonly metricsPort: number;
  /** Everything it has printed. */
  readonly output: () => string;
  /** Ends it, by default with SIGTERM; returns its exit code, or null after a signal that kills. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface ServeOptions {
  /** Data folder. */
  readonly folder: string;
  /** Additional variables, which take precedence. */
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** The port of an earlier start; default: a free one. */
  readonly port?: number;
}

/** The environment of this process without settings of the service. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const foreign = Object.entries(process.env).filter(
    ([name]) => !/^(ORCHESTRATOR_|PORT$|DATABASE_URL$|REDIS_|XDG_)/.test(name),
  );
  // Commands of a test must not find the services of other tests or of the user.
  return {
    ...Object.fromEntries(foreign),
    XDG_STATE_HOME: join(tmpdir(), `orchestrator-test-state-${process.pid}`),
    ORCHESTRATOR_ENV_FILE: "none",
    // Runs that nobody has started would be counted by tests that last for a minute.
    ORCHESTRATOR_CANARY_INTERVAL: "0",
  };
}

/**
 * Starts the service and waits until it accepts calls. Stop it explicitly; otherwise it is killed at the end of the
 * test. Fails with its output.
 */
export async function startServe(options: ServeOptions): Promise<ServeProcess> {
  const port = options.port ?? (await findFreePort());
  const metricsPort = await findFreePort();
  const child = spawn(process.execPath, ["src/main.ts", "serve", ...(options.args ?? [])], {
    cwd: ROOT,
    env: {
      ...cleanEnvironment(),
      ORCHESTRATOR_PORT: String(port),
      ORCHESTRATOR_METRICS_PORT: String(metricsPort),
      ORCHESTRATOR_DATA_DIR: options.folder,
      ...noTemplates(),
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (printed += chunk));
  const gone = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const service: ServeProcess = {
    child,
    address: `127.0.0.1:${port}`,
    port,
    metricsPort,
    output: () => printed,
    stop(signal = "SIGTERM") {
      child.kill(signal);
      return gone;
    },
  };
  const isReady = eventually(
    async () => {
      const { status } = await fetch(`http://127.0.0.1:${port}/readyz`);
      if (status !== 200) throw new Error(`not ready: ${status}`);
    },
    { timeoutMs: 60_000, intervalMs: 50 },
  );
  const ended = gone.then((code) => {
    throw new Error(`the service ended with ${code}`);
  });
  await Promise.race([isReady, ended]).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw new Error(`the service did not come up; it printed:\n${printed}`, { cause: error });
  });
  return service;
}

/** A folder without templates, unless the test names another one: reading those that ship is a seventh of a start. */
export function noTemplates(): Readonly<Record<string, string>> {
  const folder = join(tmpdir(), "orchestrator-no-templates");
  mkdirSync(folder, { recursive: true });
  return { ORCHESTRATOR_TEMPLATES: folder };
}

/** The same for one test: kills the service at its end. */
export async function startServeForTest(options: ServeOptions): Promise<ServeProcess> {
  const service = await startServe(options);
  onTestFinished(async () => {
    await service.stop("SIGKILL");
  });
  return service;
}
