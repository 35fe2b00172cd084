import { type SpawnOptions, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { fail } from "../../base/errors.ts";
import type { EmbeddedBinaries, ServerUser } from "./embedded-binaries.ts";

/** Major version of PostgreSQL whose files this build reads and writes. */
const EMBEDDED_MAJOR = "18";

/** Maximum length of initdb output that is kept, characters. */
const MAX_COMPLAINT = 10_000;

/** Superuser and only role of an embedded server. */
export const EMBEDDED_USER = "orchestrator";

/** Paths below the data folder. All of them belong to the user that the server runs as. */
export interface ClusterPaths {
  /** The data folder as configured, absolute. */
  readonly folder: string;
  /** Parent of everything below, mode 0700. */
  readonly home: string;
  /** PostgreSQL's own data directory. */
  readonly data: string;
  /** Holds the socket. */
  readonly run: string;
  /** Where the server writes its messages. */
  readonly log: string;
}

export function clusterPaths(folder: string): ClusterPaths {
  const home = join(folder, "postgres");
  return { folder, home, data: join(home, "data"), run: join(home, "run"), log: join(home, "server.log") };
}

/**
 * The path of the data directory as passed to PostgreSQL's programs. On Linux they start inside the directory and get
 * `/proc/self/cwd`, which works even if the server's user cannot traverse the path, as below root's private home.
 */
export function dataArgument(paths: ClusterPaths): string {
  return process.platform === "linux" ? "/proc/self/cwd" : paths.data;
}

/** Environment of PostgreSQL's programs: no PG* variables of the caller, messages in English, UTC. */
export const SERVER_ENVIRONMENT = { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" } as const;

/**
 * Returns the user to run the server as; undefined means the caller. PostgreSQL refuses to run as root. For root, the
 * user is the owner of the existing data, else of the data folder, else `postgres`, else `nobody`, as listed in
 * `/etc/passwd`.
 */
export function chooseServerUser(paths: ClusterPaths): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const path of [paths.data, paths.folder]) {
    if (!existsSync(path)) continue;
    const { uid, gid } = statSync(path);
    if (uid !== 0) return { uid, gid };
  }
  const accounts = new Map(
    readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .map((line) => line.split(":"))
      .map(([name, , uid, gid]) => [name, { uid: Number(uid), gid: Number(gid) }] as const),
  );
  return accounts.get("postgres") ?? accounts.get("nobody") ?? { uid: 65_534, gid: 65_534 };
}

/** Creates the missing folders of an embedded server. Throws DATA_FOLDER_CORRUPT if they are unusable. */
export function prepareFolders(paths: ClusterPaths, user: ServerUser | undefined): void {
  try {
    for (const path of [paths.home, paths.run]) {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      if (user !== undefined) chownSync(path, user.uid, user.gid);
    }
    if (existsSync(paths.data)) {
      if (user !== undefined && statSync(paths.data).uid === 0) giveFolder(paths.data, user);
      chmodSync(paths.data, 0o700);
    }
  } catch (cause) {
    fail(
      "DATA_FOLDER_CORRUPT",
      { folder: paths.folder, problem: `${(cause as Error).message}; let the user of the service own the folder` },
      { cause },
    );
  }
  for (const name of readdirSync(paths.home)) {
    if (!name.startsWith("new-")) continue;
    try {
      rmSync(join(paths.home, name), { recursive: true, force: true });
    } catch {
      // Left over from an interrupted initdb, which keeps writing there until it notices that its reader is gone. The
      // next start removes it.
    }
  }
}

/** The server never runs as root, so data that belongs to root was copied there, for instance from a backup. */
function giveFolder(folder: string, user: ServerUser): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }))
    lchownSync(join(folder, name), user.uid, user.gid);
  chownSync(folder, user.uid, user.gid);
}

/**
 * Ensures that a data directory of our major version exists: creates it (about half a second) or checks the existing
 * one. A new one is built next to its final path and put in place by one rename, so an interrupted creation leaves
 * nothing that looks like data.
 * Throws DATA_FOLDER_CORRUPT, DATA_FOLDER_VERSION, STORE_UNAVAILABLE (no space left), EMBEDDED_POSTGRES_MISSING
 * (programs do not run here).
 */
export async function ensureCluster(
  paths: ClusterPaths,
  binaries: EmbeddedBinaries,
  user: ServerUser | undefined,
): Promise<void> {
  if (existsSync(paths.data)) return checkCluster(paths);
  const work = mkdtempSync(join(paths.home, "new-"));
  if (user !== undefined) chownSync(work, user.uid, user.gid);
  await runInitdb({ ...paths, data: work }, binaries, user);
  renameSync(work, paths.data);
  syncFolder(paths.home);
}

async function runInitdb(paths: ClusterPaths, binaries: EmbeddedBinaries, user: ServerUser | undefined): Promise<void> {
  // `trust` is safe: the socket is in a folder of mode 0700 and there is no TCP, so anyone who can connect can read the
  // files as well.
  const options = [
    "-U",
    EMBEDDED_USER,
    "-A",
    "trust",
    "-E",
    "UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
  ];
  const words = ["-D", dataArgument(paths), ...options, "--data-checksums", "--no-instructions"];
  const { status, stderr, cause } = await runAside(binaries.initdb, words, { cwd: paths.data, ...user });
  if (status === 0) return;
  const problem = stderr.trim().split("\n").at(-1) || (cause?.message ?? `initdb ended with ${status}`);
  if (/look up effective user/.test(stderr))
    fail("EMBEDDED_POSTGRES_MISSING", {
      problem: `/etc/passwd has no user ${process.getuid?.()}, run as one that it has`,
    });
  if (cause !== undefined || /shared librar/.test(stderr)) fail("EMBEDDED_POSTGRES_MISSING", { problem }, { cause });
  if (/No space left|quota/.test(stderr))
    fail("STORE_UNAVAILABLE", { problem: `no space left in ${paths.folder}` }, { cause });
  fail("DATA_FOLDER_CORRUPT", { folder: paths.folder, problem }, { cause });
}

interface Ended {
  /** Exit code or name of a signal. */
  readonly status: number | string;
  readonly stderr: string;
  /** Why it could not be started. */
  readonly cause?: Error;
}

/**
 * Runs a program in its own session. A Ctrl-C in the terminal reaches only the service, which shuts down cleanly once
 * the folder is complete.
 */
function runAside(program: string, words: readonly string[], options: SpawnOptions): Promise<Ended> {
  let stderr = "";
  return new Promise<Ended>((resolve, reject) => {
    const child = spawn(program, words, {
      ...options,
      env: SERVER_ENVIRONMENT,
      // It exits on its own when nobody reads its output.
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    child.stdout?.resume();
    child.stderr?.on("data", (chunk: Buffer) => (stderr = `${stderr}${chunk}`.slice(-MAX_COMPLAINT)));
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ status: code ?? signal ?? "gone", stderr }));
  }).catch((cause: Error) => ({ status: "not started", stderr, cause }));
}

function checkCluster(paths: ClusterPaths): void {
  const cure = "restore a backup of the folder, or move the folder away to begin with an empty one";
  const version = join(paths.data, "PG_VERSION");
  if (!existsSync(version) || !existsSync(join(paths.data, "global", "pg_control"))) {
    fail("DATA_FOLDER_CORRUPT", {
      folder: paths.folder,
      problem: `${paths.data} is not a complete PostgreSQL data directory; ${cure}`,
    });
  }
  const found = readFileSync(version, "utf8").trim();
  if (found !== EMBEDDED_MAJOR) {
    if (!/^\d+(\.\d+)?$/.test(found))
      fail("DATA_FOLDER_CORRUPT", { folder: paths.folder, problem: `${version} is damaged; ${cure}` });
    fail("DATA_FOLDER_VERSION", { folder: paths.folder, found, known: EMBEDDED_MAJOR });
  }
}

function syncFolder(path: string): void {
  const descriptor = openSync(path, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
}
