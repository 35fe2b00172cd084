import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../../base/errors.ts";

/** A held lock of a data folder. */
export interface FolderLock {
  /** Lets go; the folder may be opened by another service at once. */
  release(): void;
}

/**
 * Takes the one lock of a data folder, or throws DATA_FOLDER_IN_USE with the pid of its holder.
 *
 * The lock is an operating system lock on the file `service.lock`, taken through the SQLite that Node carries (nothing is ever written to that
 * file). It belongs to the process: it is gone the moment the process is, also after `kill -9`, so there are no stale locks to judge, and it
 * holds between containers that share the folder. `service.pid` only tells people who holds it.
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

/** SQLITE_BUSY, by its result code. */
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
