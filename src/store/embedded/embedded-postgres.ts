/**
 * A real PostgreSQL 18 as a child process of the service, with its data below the data folder and no TCP port.
 *
 * Life of a data folder:
 *   lock      one service at a time (folder-lock.ts); a second is refused with the pid of the first, touching nothing
 *   leftover  a server that outlived its service is shut down first; a stale pid file is checked against processes
 *   data      created next to its final path and put in place by one rename, or checked: complete, right major version
 *   running   started by us and supervised: restarted whenever it dies (PostgreSQL recovers on its own) until close
 *   close     fast shutdown, then the lock is released
 * If the service is killed, a watchdog shuts the server down and nothing stays behind. If both are killed, the next
 * start recovers.
 *
 * Durability is PostgreSQL's own: fsync and synchronous_commit on, checksums on. Under root the server runs as another
 * user (embedded-cluster.ts, chooseServerUser). Anyone who may read the data folder may connect: the socket asks for no
 * password.
 */
import { chownSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fail, isOrchestratorError } from "../../base/errors.ts";
import { type Log, silentLog } from "../../base/log.ts";
import { findBinaries, findPackage, type ServerUser } from "./embedded-binaries.ts";
import {
  type ClusterPaths,
  chooseServerUser,
  clusterPaths,
  EMBEDDED_USER,
  ensureCluster,
  prepareFolders,
} from "./embedded-cluster.ts";
import { lockFolder } from "./folder-lock.ts";
import {
  isHeldByOrphans,
  killOrphans,
  type Postmaster,
  type PostmasterOptions,
  startPostmaster,
  stopLeftover,
} from "./postmaster.ts";

/** How `pg` reaches an embedded server. */
export interface EmbeddedConnection {
  /** Folder of the Unix socket. */
  readonly host: string;
  /** Names the socket file; there is no open TCP port. */
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/** A running embedded server. */
export interface EmbeddedPostgres {
  readonly connection: EmbeddedConnection;
  /** Absolute path of the data folder. */
  readonly folder: string;
  /** Process id of the server. It changes when the server restarts and is undefined while it is down. */
  readonly pid: number | undefined;
  /** Stops the server and releases the folder. Safe to call more than once. */
  close(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** The data folder; created when missing. */
  readonly folder: string;
  readonly log?: Log;
  /** Names the socket file, for several servers in one socket folder; defaults to 5432. */
  readonly port?: number;
  /** Overrides of our PostgreSQL settings; for tests. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Longest path of a socket file that every platform accepts, bytes. */
const MAX_SOCKET_PATH_BYTES = 100;

/** How long processes of a killed server may hold its shared memory before we give up. */
const ORPHAN_LIMIT_MS = 15_000;

/** Small, quiet, durable: what an idle service should cost, and what the group commit of the journal needs. */
const SETTINGS = {
  listen_addresses: "",
  max_connections: "100",
  // Durability, stated explicitly.
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  // Memory that is touched only when used.
  shared_buffers: "128MB",
  effective_cache_size: "1GB",
  // Fewer processes: reads are served from memory, and nothing replicates from here.
  io_method: "sync",
  max_logical_replication_workers: "0",
  max_wal_senders: "0",
  // Full-page images after a checkpoint are the largest part of the WAL: fewer checkpoints, compressed pages.
  checkpoint_timeout: "15min",
  max_wal_size: "1GB",
  wal_compression: "on",
  random_page_cost: "1.1",
  jit: "off",
  timezone: "UTC",
  log_timezone: "UTC",
  // The caller reports failed statements; the server's log has starts, stops, and fatal errors.
  log_min_messages: "log",
  log_checkpoints: "off",
} as const;

/**
 * Opens the data folder and starts its server. Takes about a second for a new folder and a few hundredths of a second
 * for an existing one. Throws DATA_FOLDER_IN_USE, DATA_FOLDER_CORRUPT, DATA_FOLDER_VERSION, EMBEDDED_POSTGRES_MISSING,
 * STORE_UNAVAILABLE.
 */
export async function openEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const log = options.log ?? silentLog;
  // First: without it, no folder is of use.
  findPackage();
  const folder = createFolder(options.folder);
  const paths = clusterPaths(folder);
  const lock = await lockFolder(folder).catch((cause: unknown) => {
    if (isOrchestratorError(cause)) throw cause;
    return fail(
      "DATA_FOLDER_CORRUPT",
      { folder, problem: `${(cause as Error).message}; let the user of the service own the folder` },
      { cause },
    );
  });
  let removeSocketFolder = () => {};
  try {
    const user = chooseServerUser(paths);
    prepareFolders(paths, user);
    const binaries = findBinaries(paths.home, user);
    if (existsSync(paths.data)) await stopLeftover(paths, log);
    await ensureCluster(paths, binaries, user);
    const port = options.port ?? 5432;
    const socket = chooseSocketFolder(paths, port, user);
    removeSocketFolder = socket.remove;
    const start = () =>
      startPatiently({
        paths,
        binaries,
        user,
        port,
        socketFolder: socket.forServer,
        settings: { ...SETTINGS, ...options.settings },
        log,
      });
    const supervisor = supervise(await start(), start, folder, log);
    let closing: Promise<void> | undefined;
    return {
      connection: { host: socket.forClients, port, user: EMBEDDED_USER, database: "postgres" },
      folder,
      get pid() {
        return supervisor.pid;
      },
      close: () =>
        (closing ??= supervisor.close().finally(() => {
          socket.remove();
          lock.release();
        })),
    };
  } catch (error) {
    removeSocketFolder();
    lock.release();
    throw error;
  }
}

/**
 * Creates the folders one level at a time. Node's recursive call reports ENOENT for any parent that is not writable,
 * whatever the reason, and never returns below /proc.
 */
function makeFolders(folder: string): void {
  if (existsSync(folder)) return;
  makeFolders(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another process created it first.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

function createFolder(name: string): string {
  const folder = resolve(name);
  try {
    makeFolders(folder);
    return realpathSync(folder);
  } catch (cause) {
    return fail(
      "DATA_FOLDER_CORRUPT",
      { folder, problem: `it cannot be created: ${(cause as Error).message}` },
      { cause },
    );
  }
}

/**
 * Keeps the server up: restarts it whenever it exits, at first immediately, then with growing pauses of up to five
 * seconds.
 */
function supervise(first: Postmaster, start: () => Promise<Postmaster>, folder: string, log: Log) {
  const stop = new AbortController();
  let current: Postmaster | undefined = first;
  const loop = (async () => {
    let pauseMs = 0;
    while (current !== undefined) {
      const startedAt = performance.now();
      await current.exited;
      if (stop.signal.aborted) return;
      log.error("the embedded database server ended unexpectedly; it is started again", { pid: current.pid });
      if (performance.now() - startedAt > 60_000) pauseMs = 0;
      current = undefined;
      let isSaid = false;
      while (current === undefined && !stop.signal.aborted) {
        // Stopping ends the pause.
        await sleep(pauseMs, undefined, { signal: stop.signal }).catch(() => {});
        pauseMs = Math.min(5_000, pauseMs * 2 + 50);
        if (stop.signal.aborted) return;
        current = await start().catch((error: unknown) => {
          // Log once for all attempts. On a full disk, for instance, the server does not start until there is space.
          if (!isSaid)
            log.error("the embedded database server does not start; it is tried again", { error, ...roomOf(folder) });
          isSaid = true;
          return undefined;
        });
      }
    }
  })();
  return {
    get pid() {
      return current?.pid;
    },
    close: async () => {
      stop.abort();
      await current?.stop();
      await loop;
      // A start that was in progress when close was called.
      await current?.stop();
    },
  };
}

/**
 * Free space on the disk of the data folder, bytes. A server without space does not start, and only its own log says
 * why.
 */
function roomOf(folder: string): { readonly freeBytes?: number } {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return { freeBytes: bavail * bsize };
  } catch {
    // The folder is gone; the start error says enough.
    return {};
  }
}

/** Starts the server. If processes of a killed server still hold its shared memory, they are killed first. */
async function startPatiently(options: PostmasterOptions): Promise<Postmaster> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await startPostmaster(options);
    } catch (error) {
      if (!isOrchestratorError(error) || !isHeldByOrphans(error) || performance.now() - startedAt > ORPHAN_LIMIT_MS)
        throw error;
      killOrphans(options.paths);
      await sleep(50);
    }
  }
}

/**
 * The socket is in the data folder. If that path is too long, it is in a private folder with a short path, made for
 * this start.
 */
function chooseSocketFolder(paths: ClusterPaths, port: number, user: ServerUser | undefined) {
  const isShort = (folder: string) => Buffer.byteLength(join(folder, `.s.PGSQL.${port}`)) <= MAX_SOCKET_PATH_BYTES;
  // Relative for the server, because its user may not be able to traverse the whole path.
  if (isShort(paths.run)) return { forServer: "../run", forClients: paths.run, remove: () => {} };
  const folder = mkdtempSync(join(isShort(join(tmpdir(), "orchestrator-123456")) ? tmpdir() : "/tmp", "orchestrator-"));
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  return { forServer: folder, forClients: folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
