/** Temporary folders of local runs. If a process is killed, its folder remains, and the next local run removes it. */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockFolder } from "../../store/embedded/folder-lock.ts";

const PREFIX = "orchestrator-local-";

/** A folder without a lock is being created, unless it is older than this, milliseconds. */
const FILLING_MS = 3_600_000;

/** Creates a folder in the system's temporary folder, and removes those of dead processes first. */
export async function makeThrowAwayFolder(parent = tmpdir()): Promise<string> {
  // If the parent cannot be read, creating a folder in it reports the error.
  for (const name of await readdir(parent).catch(() => [])) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(parent, name);
    try {
      if (await isLeft(folder)) await rm(folder, { recursive: true, force: true });
    } catch {
      // Someone else is removing it, or it cannot be removed: an old folder must not make a run fail.
    }
  }
  return mkdtemp(join(parent, PREFIX));
}

/** Whether a folder is unused. The lock of the store shows this even across containers, where a process id does not. */
async function isLeft(folder: string): Promise<boolean> {
  const { uid, mtimeMs } = await stat(folder);
  if (uid !== process.getuid?.()) return false;
  const data = join(folder, "postgres");
  if (!existsSync(join(data, "service.pid"))) return Date.now() - mtimeMs > FILLING_MS;
  try {
    (await lockFolder(data)).release();
    return true;
  } catch {
    // In use or unknown: keep it.
    return false;
  }
}
