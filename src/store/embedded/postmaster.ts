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

/**
 * How long a fast shutdown may take before an immediate one is requested, and how long that one may take before the
 * process is killed. Both are safe for the data.
 */
const FAST_STOP_MS = 15_000;
const IMMEDIATE_STOP_MS = 5_000;

/** The server's log is rotated if it is larger than this at a start. One old file is kept. */
const MAX_LOG_BYTES = 5_000_000;

/** A running PostgreSQL server that this process started. */
export interface Postmaster {
  readonly pid: number;
  /** Resolves when the process has exited, for any reason; never rejects. */
  readonly exited: Promise<void>;
  /** Fast shutdown: open transactions are rolled back, and everything is written to disk. */
  stop(): Promise<void>;
}

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
 * Starts the server and waits until it accepts connections. After a crash this includes recovery, so there is no
 * deadline while the process is alive and reports progress. The wait is logged every ten seconds.
 *
 * The server has its own session: a Ctrl-C in the terminal reaches only the service, which then stops the server
 * cleanly. A watchdog (a shell that waits for a pipe to close) shuts the server down if the service dies unexpectedly.
 *
 * Throws DATA_FOLDER_CORRUPT, STORE_UNAVAILABLE (no memory, no space) or EMBEDDED_POSTGRES_MISSING, with the last lines
 * of the server's log.
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
 * Stops a server that an earlier service left running in this data folder, and removes files that would prevent a new
 * one from starting. The caller holds the folder lock, so nobody uses that server. Throws DATA_FOLDER_IN_USE if the
 * server was started by hand.
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
    // The server is dead. PostgreSQL cannot detect that when its pid was reused by another program or the dead process
    // is still a zombie (a container whose first process does not reap), and would refuse to start. The next server may
    // also get the same pid, and the old file would then report it ready too early.
    rmSync(join(paths.data, "postmaster.pid"), { force: true });
  }
  // The socket has a pid file with the same problem.
  for (const name of readdirSync(paths.run)) rmSync(join(paths.run, name), { force: true });
  killOrphans(paths);
  // A short socket folder outside the data folder belongs to a single start.
  if (basename(file.socketFolder).startsWith("orchestrator-"))
    rmSync(file.socketFolder, { recursive: true, force: true });
}

/**
 * Kills the backends of a server that was killed. Most exit on their own, but one that waits for a lock of a dead
 * backend waits forever, and no new server starts while any of them is left. For the data this is the same as the crash
 * that already happened.
 */
export function killOrphans(paths: ClusterPaths): void {
  for (const pid of findProcesses(`postgres: ${folderMark(paths)}: `)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It is already gone.
    }
  }
}

/** Whether this is a server that somebody else started on our data. */
function runsInside(pid: number, folder: string): boolean {
  try {
    return isAlive(pid) && readlinkSync(`/proc/${pid}/cwd`) === folder;
  } catch {
    // It has exited in the meantime, or belongs to another user and is not ours.
    return false;
  }
}

/**
 * The name under which the processes of a folder's server appear in the process list, even after the folder was moved.
 */
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
      // A stopped server handles no signal until it is resumed.
      process.kill(pid, "SIGCONT");
    } catch {
      // It exited on its own; hasEnded reports that below.
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
  // Without a shell, the server would merely outlive a killed service, and the next start stops it.
  watchdog.on("error", () => {});
  watchdog.unref();
  (watchdog.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  return watchdog;
}

function isReady(paths: ClusterPaths, pid: number | undefined): boolean {
  const file = readPostmasterFile(paths.data);
  return file !== undefined && file.pid === pid && file.status === "ready";
}

/** Opens the log for appending and rotates it first if it is large. The offset is where this start begins. */
function openLog(path: string): { descriptor: number; offset: number } {
  if (existsSync(path) && statSync(path).size > MAX_LOG_BYTES) renameSync(path, `${path}.1`);
  const descriptor = openSync(path, "a", 0o600);
  return { descriptor, offset: statSync(path).size };
}

function readFrom(path: string, offset: number): string {
  return readFileSync(path).subarray(offset).toString("utf8");
}

/** Whether the start failed because processes of a killed server are still exiting. A later attempt succeeds. */
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
