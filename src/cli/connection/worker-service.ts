/** The service and a worker for one run. The service listens on a free port; the worker is a child process. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "../../api/client/client.ts";
import { openGrpcClient } from "../../api/client/grpc-client.ts";
import { fail } from "../../base/errors.ts";
import { inheritEnvironment, loadConfig } from "../../config/config.ts";
import { startService } from "../../service/serve.ts";
import type { LocalServiceOptions } from "./local-service.ts";
import { makeThrowAwayFolder } from "./throw-away-folder.ts";

/** What runs the file of a worker, by its extension; any other file runs itself. */
const RUNNERS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  ".ts": [process.execPath],
  ".js": [process.execPath],
  ".mjs": [process.execPath],
  ".py": ["python3"],
  ".sh": ["bash"],
  ".go": ["go", "run"],
};

/** How long a worker has to stop, and a service to answer its last calls, milliseconds. */
const STOP_MS = 5_000;

export interface WorkerServiceOptions extends Omit<LocalServiceOptions, "actor"> {
  /** Metadata for every call. */
  readonly headers: Readonly<Record<string, string>>;
  /** File of the worker. */
  readonly worker: string;
  /** Called when the worker ends before the client is closed, with the reason. */
  readonly onWorkerEnd: (why: string) => void;
}

/**
 * Starts both; the worker finds the address of the service in `ORCHESTRATOR_SERVER`. Closing the client stops them and
 * removes a temporary store. Errors: INVALID_REQUEST for a file that is not there, CONFIG_INVALID, and those of the
 * store.
 */
export async function openWorkerService(options: WorkerServiceOptions): Promise<ApiClient> {
  const { dataDir, flags = {}, log, headers, worker, onWorkerEnd } = options;
  if (!existsSync(worker))
    fail("INVALID_REQUEST", { problem: `--worker ${worker}: there is no such file`, field: "worker" });
  const loaded = await loadConfig({ flags });
  const folder = dataDir ?? (await makeThrowAwayFolder());
  const remove = async (): Promise<void> => {
    if (dataDir === undefined) await rm(folder, { recursive: true, force: true });
  };
  const { server, store, metrics } = loaded.config;
  const config = {
    ...loaded.config,
    server: { ...server, host: "127.0.0.1", port: 0, advertisedAddress: undefined, drainTimeout: STOP_MS },
    store: { ...store, dataDir: folder, databaseUrl: undefined },
    metrics: { ...metrics, enabled: false },
  };
  const service = await startService({ ...loaded, config }, log).catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  const address = `127.0.0.1:${service.address.port}`;
  const client = openGrpcClient({ address, headers });
  const child = startWorker(worker, address);
  let isClosing = false;
  child.once("error", ({ message }) => onWorkerEnd(`the worker ${worker} could not be started: ${message}`));
  child.once("exit", (code, signal) => {
    if (!isClosing) onWorkerEnd(`the worker ${worker} ended with ${signal ?? `exit code ${code}`} before the run`);
  });
  return {
    ...client,
    async close() {
      isClosing = true;
      await stopWorker(child);
      await client.close();
      service.stop();
      await service.stopped;
      await remove();
    },
  };
}

function startWorker(worker: string, address: string): ChildProcess {
  const file = resolve(worker);
  const [command, ...args] = RUNNERS[extname(file)] ?? [file];
  // What it prints goes to standard error: standard output is for the result of the run.
  return spawn(command, RUNNERS[extname(file)] === undefined ? args : [...args, file], {
    env: inheritEnvironment({ ORCHESTRATOR_SERVER: address }),
    stdio: ["ignore", process.stderr, process.stderr],
  });
}

async function stopWorker(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  await Promise.race([gone, sleep(STOP_MS, undefined, { ref: false })]);
  child.kill("SIGKILL");
  await gone;
}
