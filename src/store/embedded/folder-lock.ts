import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../../base/errors.ts";

export interface FolderLock {
  /** Releases the lock. Another service may open the folder at once. */
  release(): void;
}

/**
 * Takes the exclusive lock of a data folder, or throws DATA_FOLDER_IN_USE with the pid of its holder.
 *
 * This is an operating system lock on the file `service.lock`, taken through the SQLite that ships with Node (nothing
 * is ever written to that file). The lock belongs to the process and disappears with it, even after `kill -9`, so there
 * are no stale locks. It also works between containers that share the folder. `service.pid` only informs people who
 * holds the lock.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const { DatabaseSync } = await import("node:sqlite");
  const pidFile = join(folder, "service.pid");
  const database = new DatabaseSync(join(folder, "service.lock"), { timeout: 0 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    if (!isBusy(cause)) throw cause;
    fail("DATA_FOLDER_IN_USE", { folder, pid: readPid(pidFile) }, { cause });
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  return { release: () => database.close() };
}

/** Whether SQLite returned SQLITE_BUSY. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && (error.errcode as number) % 256 === 5;
}

function readPid(pidFile: string): number | string {
  try {
    return Number.parseInt(readFileSync(pidFile, "utf8"), 10) || "(unknown)";
  } catch {
    // The holder has the lock but has not written its pid yet.
    return "(starting)";
  }
}
