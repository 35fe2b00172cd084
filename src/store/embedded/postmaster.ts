import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fail, type OrchestratorError, toError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { isAlive } from "../../base/process/is-alive.ts";
import type { EmbeddedBinaries, ServerUser } from "./embedded-binaries.ts";
import { type ClusterPaths, dataArgument, SERVER_ENVIRONMENT } from "./embedded-cluster.ts";
import { findProcesses, readCommandLine, readPostmasterFile } from "./postmaster-file.ts";

/** How long a fast shutdown may take before an immediate one is asked for, and that one before the process is killed. Both are safe for data. */
const FAST_STOP_MS = 15_000;
const IMMEDIATE_STOP_MS = 5_000;

/** The log of the server is set aside when it is larger than this at a start. One older file is kept. */
const MAX_LOG_BYTES = 5_000_000;

/** A running PostgreSQL server that this process started. */
export interface Postmaster {
  readonly pid: number;
  /** Settles when the process has ended, for whatever reason; never rejects. */
  readonly exited: Promise<void>;
  /** Fast shutdown: open transactions are rolled back, everything is written out. */
  stop(): Promise<void>;
}

/** What is needed to start a server. */
export interface PostmasterOptions {
  readonly paths: ClusterPaths;
  readonly binaries: EmbeddedBinaries;
  readonly user: ServerUser | undefined;
  /** Folder of the socket; relative to the data directory, or absolute. */
  readonly socketFolder: string;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly log: Log;
}

/**
 * Starts the server and waits until it takes connections. After a crash that includes recovery, so there is no deadline while the process
 * lives and reports; every ten seconds the log says so.
 *
 * The server has its own session, so a Ctrl-C in the terminal reaches only the service, which then stops it in order. A watchdog (a shell that
 * waits for the end of a pipe) shuts the server down when the service dies without saying goodbye.
 *
 * Throws DATA_FOLDER_CORRUPT, STORE_UNAVAILABLE (no memory, no space) or EMBEDDED_POSTGRES_MISSING, with the server's own last words.
 */
export async function startPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  const { paths, binaries, user, log } = options;
  const { descriptor, offset } = openLog(paths.log);
  const settings = {
    ...options.settings,
    unix_socket_directories: options.socketFolder,
    cluster_name: folderMark(paths),
  };
  const words = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn(binaries.postgres, ["-D", dataArgument(paths), "-p", String(options.port), ...words], {
    cwd: paths.data,
    env: SERVER_ENVIRONMENT,
    stdio: ["ignore", descriptor, descriptor],
    detached: true,
    ...user,
  });
  closeSync(descriptor);
  let spawnError: Error | undefined;
  let ended = false;
  const exited = new Promise<void>((resolve) => {
    child.once("error", (error) => {
      spawnError = error;
      ended = true;
      resolve();
    });
    child.once("exit", () => {
      ended = true;
      resolve();
    });
  });
  child.unref();

  const startedAt = performance.now();
  let nextNoticeMs = 10_000;
  while (!isReady(paths, child.pid)) {
    if (ended) throw explainFailedStart(paths, readFrom(paths.log, offset), spawnError);
    await sleep(10);
    if (performance.now() - startedAt > nextNoticeMs) {
      log.info("the embedded database is still starting; after a crash it recovers first", {
        seconds: Math.round(nextNoticeMs / 1_000),
      });
      nextNoticeMs += 10_000;
    }
  }
  const pid = child.pid as number;
  const watchdog = startWatchdog(pid, user);
  void exited.then(() => watchdog.kill("SIGKILL"));
  return {
    pid,
    exited,
    stop: async () => {
      if (!ended) await stopProcess(pid, () => ended);
      await exited;
    },
  };
}

/**
 * Ends a server that an earlier service left behind in this data folder, and clears what would keep a new one from starting. The caller holds
 * the lock of the folder, so nobody uses that server. Throws DATA_FOLDER_IN_USE for one that was started by hand.
 */
export async function stopLeftover(paths: ClusterPaths, log: Log): Promise<void> {
  const file = readPostmasterFile(paths.data);
  if (file === undefined) return;
  const mark = folderMark(paths);
  const isOurs = () => readCommandLine(file.pid).includes(mark);
  if (isOurs()) {
    log.info("an earlier service left its database server running; it is stopped first", { pid: file.pid });
    await stopProcess(file.pid, () => !isOurs());
  } else if (runsInside(file.pid, paths.data)) {
    fail("DATA_FOLDER_IN_USE", { folder: paths.folder, pid: file.pid });
  } else {
    // The server is dead. PostgreSQL cannot tell when its number belongs to another program now, or when nobody collected the dead process (a
    // container whose first process collects nobody), and would refuse to start; and the next server may get the same number, so that the old
    // file would call it ready too early.
    rmSync(join(paths.data, "postmaster.pid"), { force: true });
  }
  // The socket has a pid file of its own, with the same trouble.
  for (const name of readdirSync(paths.run)) rmSync(join(paths.run, name), { force: true });
  killOrphans(paths);
  // A short folder for the socket outside the data folder belongs to one start only.
  if (basename(file.socketFolder).startsWith("orchestrator-"))
    rmSync(file.socketFolder, { recursive: true, force: true });
}

/**
 * Ends the workers of a server that was killed. Most notice by themselves, but one that waits for a lock of a dead one waits for ever, and
 * while one is left no new server starts. For data it is the same as the crash that already happened.
 */
export function killOrphans(paths: ClusterPaths): void {
  for (const pid of findProcesses(`postgres: ${folderMark(paths)}: `)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It is gone already.
    }
  }
}

/** True for a server that somebody else started on our data. */
function runsInside(pid: number, folder: string): boolean {
  try {
    return isAlive(pid) && readlinkSync(`/proc/${pid}/cwd`) === folder;
  } catch {
    // It has ended meanwhile, or belongs to another user and is none of ours.
    return false;
  }
}

/** Name by which the processes of a folder's server are known in the process list, also after the folder was moved. */
function folderMark(paths: ClusterPaths): string {
  const { dev, ino } = statSync(paths.data);
  return `orchestrator-${dev}.${ino}`;
}

async function stopProcess(pid: number, hasEnded: () => boolean): Promise<void> {
  for (const [signal, patienceMs] of [
    ["SIGINT", FAST_STOP_MS],
    ["SIGQUIT", IMMEDIATE_STOP_MS],
    ["SIGKILL", IMMEDIATE_STOP_MS],
  ] as const) {
    try {
      process.kill(pid, signal);
      // A server that was frozen hears nothing until it is woken.
      process.kill(pid, "SIGCONT");
    } catch {
      // It ended by itself; hasEnded says so below.
    }
    const deadline = performance.now() + patienceMs;
    while (performance.now() < deadline) {
      if (hasEnded()) return;
      await sleep(5);
    }
  }
}

function startWatchdog(pid: number, user: ServerUser | undefined) {
  const watchdog = spawn(
    "/bin/sh",
    ["-c", 'while read -r line; do :; done; kill -INT "$1"', "orchestrator-watchdog", String(pid)],
    {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
      env: SERVER_ENVIRONMENT,
      ...user,
    },
  );
  // Without a shell the server would only outlive a killed service, and the next start stops it.
  watchdog.on("error", () => {});
  watchdog.unref();
  (watchdog.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  return watchdog;
}

function isReady(paths: ClusterPaths, pid: number | undefined): boolean {
  const file = readPostmasterFile(paths.data);
  return file !== undefined && file.pid === pid && file.status === "ready";
}

/** Opens the log for appending; sets a large one aside first. The offset is where this start begins. */
function openLog(path: string): { descriptor: number; offset: number } {
  if (existsSync(path) && statSync(path).size > MAX_LOG_BYTES) renameSync(path, `${path}.1`);
  const descriptor = openSync(path, "a", 0o600);
  return { descriptor, offset: statSync(path).size };
}

function readFrom(path: string, offset: number): string {
  return readFileSync(path).subarray(offset).toString("utf8");
}

/** A start that failed because processes of a killed server are still ending; a later try succeeds. */
export function isHeldByOrphans(error: OrchestratorError): boolean {
  return error.details.reason === "orphans";
}

function explainFailedStart(paths: ClusterPaths, words: string, spawnError: Error | undefined): OrchestratorError {
  if (spawnError !== undefined)
    return toError("EMBEDDED_POSTGRES_MISSING", { problem: spawnError.message }, { cause: spawnError });
  const cause = new Error(words.trim());
  const last =
    words
      .match(/^.*(?:FATAL|PANIC): +.*$/gm)
      ?.at(-1)
      ?.replace(/^.*?(FATAL|PANIC): +/, "") ??
    words.trim().split("\n").at(-1) ??
    "";
  if (/shared librar/.test(words)) return toError("EMBEDDED_POSTGRES_MISSING", { problem: last }, { cause });
  if (/pre-existing shared memory|lock file .* already exists/.test(words))
    return toError("STORE_UNAVAILABLE", { problem: last, reason: "orphans" }, { cause });
  if (/No space left|Cannot allocate memory|shared memory|semaphore|Too many open files|quota/.test(words)) {
    return toError("STORE_UNAVAILABLE", { problem: last }, { cause });
  }
  const problem = `the server says "${last}" (${paths.log}); restore a backup of the folder, or move the folder away to begin with an empty one`;
  return toError("DATA_FOLDER_CORRUPT", { folder: paths.folder, problem }, { cause });
}
