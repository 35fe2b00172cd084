/**
 * Folders of local runs that are not kept. One whose process was killed stays behind; the next local run removes it.
 */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockFolder } from "../../store/embedded/folder-lock.ts";

const PREFIX = "orchestrator-local-";

/** A folder without a lock is one that is just being filled, unless it is older than this, milliseconds. */
const FILLING_MS = 3_600_000;

/** A new folder in the system's folder for such; those that dead processes left there are removed before. */
export async function makeThrowAwayFolder(parent = tmpdir()): Promise<string> {
  // The code that creates a folder in it reports one that cannot be read.
  for (const name of await readdir(parent).catch(() => [])) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(parent, name);
    try {
      if (await isLeft(folder)) await rm(folder, { recursive: true, force: true });
    } catch {
      // Somebody else removes it at this moment, or it cannot be removed: a run must not fail because of an old one.
    }
  }
  return mkdtemp(join(parent, PREFIX));
}

/**
 * Whether nobody uses a folder of ours. The lock of the store tells, also between containers, where a process id says
 * nothing.
 */
async function isLeft(folder: string): Promise<boolean> {
  const { uid, mtimeMs } = await stat(folder);
  if (uid !== process.getuid?.()) return false;
  const data = join(folder, "postgres");
  if (!existsSync(join(data, "service.pid"))) return Date.now() - mtimeMs > FILLING_MS;
  try {
    (await lockFolder(data)).release();
    return true;
  } catch {
    // Held, or not to be judged: then it stays.
    return false;
  }
}
