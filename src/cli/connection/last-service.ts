/**
 * The services that run on this machine, as `serve` notes them in the user's state folder: one file per process,
 * removed when the process stops. A command that is not told which service to call takes the one that started last.
 * Entries of processes that are gone are ignored.
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

/** `--state-home`: where the notes are. */
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
 * Notes that this process serves at an address; returns the function that removes the note. A folder that cannot be
 * written is no error: then nothing is remembered.
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
        // The process ends, and its id tells readers that the note is stale.
      }
    };
  } catch {
    // A container without a home, or a folder that is read only: nothing is remembered.
    return () => {};
  }
}

/**
 * Makes a folder and those above it; Node's recursive mkdir never returns where a parent, such as /proc, refuses with
 * ENOENT.
 */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  if (dirname(folder) !== folder) makeFolder(dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
}

/** Address of the service of this user that started last and still runs; null when there is none. */
export function findLastService(stateHome: string | undefined): string | null {
  const entries = readEntries(folderOf(stateHome)).flatMap(({ entry }) => (entry === null ? [] : [entry]));
  return entries.sort((a, b) => b.startedAt - a.startedAt)[0]?.address ?? null;
}

/** The files of the folder; `entry` is null for what is stale or no note of ours. */
function readEntries(folder: string): readonly { readonly path: string; readonly entry: Entry | null }[] {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
    return names.map((name) => ({ path: join(folder, name), entry: readEntry(join(folder, name)) }));
  } catch {
    return []; // No service ever ran here.
  }
}

function readEntry(path: string): Entry | null {
  try {
    const { address, pid, startedAt } = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    if (typeof address !== "string" || typeof pid !== "number" || typeof startedAt !== "number") return null;
    // After a restart of the machine another process may have the id.
    const isOlderThanMachine = startedAt < Date.now() - uptime() * 1_000 - 1_000;
    return isOlderThanMachine || !isAlive(pid) ? null : { address, pid, startedAt };
  } catch {
    return null; // Half written, or removed by the service that just stopped.
  }
}
