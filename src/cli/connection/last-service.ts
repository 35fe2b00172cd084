/**
 * Running services on this machine: `serve` writes one file per process to the user's state folder and removes it at
 * the end. A command without a service in its options calls the most recently started one. Entries of dead processes
 * are ignored.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, uptime } from "node:os";
import { dirname, join } from "node:path";
import { Option } from "commander";
import { isAlive } from "../../base/process/is-alive.ts";

/** One running service. */
interface Entry {
  /** `host:port` */
  readonly address: string;
  readonly pid: number;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

/** `--state-home`: the folder of these files. */
export function stateHomeOption(): Option {
  return new Option("--state-home <folder>", "folder that remembers the last local service")
    .env("XDG_STATE_HOME")
    .hideHelp();
}

function folderOf(stateHome: string | undefined): string {
  const base =
    stateHome ||
    join(homedir(), process.platform === "darwin" ? "Library/Application Support" : join(".local", "state"));
  return join(base, "orchestrator", "services");
}

/**
 * Records that this process serves at an address; returns a function that removes the record. A folder that cannot be
 * written is not an error; then there is no record.
 */
export function rememberService(stateHome: string | undefined, address: string): () => void {
  try {
    const folder = folderOf(stateHome);
    makeFolder(folder);
    for (const { path, entry } of readEntries(folder)) if (entry === null) rmSync(path, { force: true });
    const path = join(folder, `${process.pid}.json`);
    const entry: Entry = { address, pid: process.pid, startedAt: Date.now() };
    writeFileSync(path, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
    return () => {
      try {
        rmSync(path, { force: true });
      } catch {
        // The process ends, so readers see from its id that the record is stale.
      }
    };
  } catch {
    // A container without a home, or a read-only folder: no record.
    return () => {};
  }
}

/**
 * Creates a folder with its parents. Node's recursive mkdir never returns where a parent, such as /proc, fails with
 * ENOENT.
 */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  if (dirname(folder) !== folder) makeFolder(dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
}

/** Address of this user's most recently started service that still runs; null if there is none. */
export function findLastService(stateHome: string | undefined): string | null {
  const entries = readEntries(folderOf(stateHome)).flatMap(({ entry }) => (entry === null ? [] : [entry]));
  return entries.sort((a, b) => b.startedAt - a.startedAt)[0]?.address ?? null;
}

/** The files in the folder; `entry` is null for stale or foreign files. */
function readEntries(folder: string): readonly { readonly path: string; readonly entry: Entry | null }[] {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
    return names.map((name) => ({ path: join(folder, name), entry: readEntry(join(folder, name)) }));
  } catch {
    return []; // No service has run here.
  }
}

function readEntry(path: string): Entry | null {
  try {
    const { address, pid, startedAt } = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    if (typeof address !== "string" || typeof pid !== "number" || typeof startedAt !== "number") return null;
    // After a reboot, another process may have the id.
    const isOlderThanMachine = startedAt < Date.now() - uptime() * 1_000 - 1_000;
    return isOlderThanMachine || !isAlive(pid) ? null : { address, pid, startedAt };
  } catch {
    return null; // Incomplete, or removed by a service that just stopped.
  }
}
