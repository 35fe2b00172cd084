/** The real service as a child process that can be killed, alone or together with its database. */
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { EmbeddedConnection } from "../../../src/store/embedded/embedded-postgres.ts";
import { noTemplates } from "../../support/serve-process.ts";

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));

/** How to start a service. */
export interface ServiceOptions {
  readonly dataDir: string;
  readonly port: number;
  /** Where its log goes, besides being read. */
  readonly logFile: string;
  /** Hears every line. */
  readonly onLine?: (line: string) => void;
  readonly env?: Readonly<Record<string, string>>;
  /** The program of another build; default: this checkout's. */
  readonly main?: string;
}

/** A started service. */
export interface ServiceProcess {
  readonly pid: number;
  /** Resolves with the milliseconds from spawn until it serves; rejects when it ends before. */
  readonly serving: Promise<number>;
  /** Resolves with the exit code, null when it was killed. */
  readonly exited: Promise<number | null>;
  /** Resolves with the exit code or the signal that ended it. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** True when the process has ended. */
  readonly isOver: boolean;
  /** Lines of its log so far that are errors. */
  readonly errors: readonly string[];
  /** SIGKILL. `withDatabase` kills the database server as well, before the service or after it. */
  kill(withDatabase?: "before" | "after"): Promise<void>;
  /** SIGTERM, and the end. */
  stop(): Promise<number | null>;
}

/** Starts a service. */
export function startService(options: ServiceOptions): ServiceProcess {
  const startedAt = performance.now();
  const child: ChildProcess = spawn(process.execPath, [options.main ?? MAIN, "serve"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH ?? "",
      HOME: process.env.HOME ?? "",
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? "",
      ORCHESTRATOR_DATA_DIR: options.dataDir,
      ORCHESTRATOR_PORT: String(options.port),
      ORCHESTRATOR_METRICS_ENABLED: "false",
      ORCHESTRATOR_LOG_FORMAT: "json",
      ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1",
      // Tasks that always fail open their breakers; attempts that it defers must not outlast the quiet at the end.
      ORCHESTRATOR_TOOLS_BREAKER_MAX_OPEN: "2s",
      ...noTemplates(),
      ...options.env,
    },
  });
  const pid = child.pid as number;
  const errors: string[] = [];
  let tail = "";
  let isOver = false;
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once("exit", (code, signal) => {
      isOver = true;
      resolve({ code, signal });
    }),
  );
  const exited = ended.then(({ code }) => code);
  const serving = new Promise<number>((resolve, reject) => {
    const read = (line: string): void => {
      appendFileSync(options.logFile, `${line}\n`);
      options.onLine?.(line);
      tail = line;
      if (line.includes('"level":"error"') || line.includes('"level":"fatal"')) errors.push(line);
      if (line.includes('"message":"serving"')) resolve(performance.now() - startedAt);
    };
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", read);
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on("line", read);
    // Its last words may come after its exit, and before this.
    child.once("close", (code) =>
      reject(new Error(`the service ended (${code ?? "killed"}) before it served: ${tail}`)),
    );
  });
  serving.catch(() => {});
  return {
    pid,
    serving,
    exited,
    ended,
    get isOver() {
      return isOver;
    },
    errors,
    kill: async (withDatabase) => {
      if (withDatabase === "before") killDatabase(options.dataDir);
      child.kill("SIGKILL");
      if (withDatabase === "after") killDatabase(options.dataDir);
      await exited;
    },
    stop: () => {
      child.kill("SIGTERM");
      return exited;
    },
  };
}

/** Kills the database server of a data folder, if it runs. */
export function killDatabase(dataDir: string): void {
  const file = join(dataDir, "postgres/postgres/data/postmaster.pid");
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, "utf8").split("\n")[0]);
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended on its own.
  }
}

/** Where the database of a running service listens. */
export function databaseOf(dataDir: string): EmbeddedConnection {
  return { host: join(dataDir, "postgres/postgres/run"), port: 5432, user: "orchestrator", database: "postgres" };
}
