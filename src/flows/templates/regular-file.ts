/**
 * Regular files of a folder. A name that is put into the folder can neither make the service wait (a pipe, a device)
 * nor show what the folder does not hold (a link that leads out).
 */
import { constants } from "node:fs";
import { type FileHandle, lstat, open, readlink, realpath, stat } from "node:fs/promises";
import { sep } from "node:path";

/** Signature of a link that leads out of the folder: what it leads to is not looked at. */
const OUTSIDE = "outside";

/**
 * Identity and times of a file: what must be equal for its content to be taken as equal. Null for what does not exist.
 * Something that cannot be looked at has a signature too: reading it says why. `root`
 * is the folder without links, and `path` is directly in it.
 */
export async function signatureOf(path: string, root: string): Promise<string | null> {
  try {
    const real = await insideOf(path, root);
    if (real === null) return OUTSIDE;
    const found = await stat(real, { bigint: true });
    const { dev, ino, size, mtimeNs, ctimeNs } = found;
    return found.isFile() ? `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}` : `${dev}:${ino}:${kindOf(found)}`;
  } catch (error) {
    return isMissing(error) ? null : `unreadable:${(error as NodeJS.ErrnoException).code}`;
  }
}

/** Text of a regular file in `root`, a folder without links. Throws for everything else, and above `maxBytes`. */
export async function readRegularFile(path: string, root: string, maxBytes: number): Promise<string> {
  const real = await insideOf(path, root);
  if (real === null) throw leadsOut();
  // Before it is opened: opening a device does something with it.
  refuseOthers(await stat(real));
  // What takes its place now neither lets the opening wait nor is followed.
  const file = await open(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const found = await file.stat();
    refuseOthers(found);
    if (!isInside(await pathOf(file, real), root)) throw leadsOut();
    if (found.size > maxBytes) throw new Error(`it has ${found.size} bytes; the limit is ${maxBytes}`);
    return await readAtMost(file, maxBytes);
  } finally {
    await file.close();
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** The path without links; null if it is not in `root`. */
async function insideOf(path: string, root: string): Promise<string | null> {
  const real = (await lstat(path)).isSymbolicLink() ? await realpath(path) : path;
  return real === path || isInside(real, root) ? real : null;
}

function isInside(path: string, root: string): boolean {
  return path.startsWith(root.endsWith(sep) ? root : `${root}${sep}`);
}

/** Where an open file is: a folder above it may have been exchanged for a link. Only Linux knows, with its `/proc`. */
async function pathOf(file: FileHandle, expected: string): Promise<string> {
  try {
    return await readlink(`/proc/self/fd/${file.fd}`);
  } catch (error) {
    if (isMissing(error)) return expected;
    throw error;
  }
}

/** Files that grow, and those that the system makes up, have more than their size announces. */
async function readAtMost(file: FileHandle, maxBytes: number): Promise<string> {
  const bytes = Buffer.allocUnsafe(maxBytes + 1);
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, null);
    if (bytesRead === 0) return bytes.toString("utf8", 0, length);
    length += bytesRead;
  }
  throw new Error(`it has more than ${maxBytes} bytes, the limit`);
}

type Kind = Record<"isFile" | "isDirectory" | "isFIFO" | "isSocket", () => boolean>;

function refuseOthers(found: Kind): void {
  if (!found.isFile()) throw new Error(`it is ${kindOf(found)}; only regular files are templates`);
}

function kindOf(found: Kind): string {
  if (found.isDirectory()) return "a directory";
  if (found.isFIFO()) return "a named pipe";
  return found.isSocket() ? "a socket" : "a device";
}

function leadsOut(): Error {
  return new Error("it is a link that leads out of the folder of templates; copy the file into it");
}
