/** A PostgreSQL 15 of the machine that archives its write-ahead log, and servers that are restored from the archive. */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { eventually } from "./eventually.ts";

const PROGRAMS = "/usr/lib/postgresql/15/bin";

/** Whether the machine has PostgreSQL 15 with its programs for backups. */
export const hasPostgres15 = existsSync(join(PROGRAMS, "pg_basebackup"));

const isRoot = process.getuid?.() === 0;

/** Runs a program as a user that PostgreSQL accepts. */
function call(program: string, ...args: readonly string[]): string {
  const words = [join(PROGRAMS, program), ...args];
  const [first = "", ...rest] = isRoot
    ? ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", ...words]
    : words;
  // A server that is started would keep pipes open; its errors are in its log.
  const printed: string | null = execFileSync(first, rest, {
    ...{ cwd: "/", encoding: "utf8" },
    stdio: program === "pg_ctl" ? "ignore" : "pipe",
  });
  return printed?.trim() ?? "";
}

/** A server on a socket of its own, stopped at the end of the test. */
interface Server {
  readonly url: string;
  /** Runs a statement; returns the values, without names. */
  query(sql: string): string;
  /** Stops it as a crash does. */
  stop(): void;
}

/** A server whose log is archived. */
export interface ArchivingServer extends Server {
  /** Makes a base backup. */
  backUp(): void;
  /** Archives what is written so far. */
  archive(): Promise<void>;
  /** Restores the backup, and the log up to a time; resolves when the server accepts writes. */
  restore(time: string): Promise<Server>;
}

/** Starts a server that archives, with a database that is empty. */
export function startArchivingServer(): ArchivingServer {
  const folder = mkdtempSync(join(tmpdir(), "orchestrator-archive-"));
  chmodSync(folder, 0o755);
  const [data, backup, archive] = ["data", "backup", "archive"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(archive);
  if (isRoot) execFileSync("chown", ["-R", "postgres:postgres", folder]);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  call("initdb", "-D", data, "-U", "orchestrator", "-A", "trust", "-E", "UTF8", "--locale=C");
  setIn(data, { archive_mode: "on", archive_command: `test ! -f ${archive}/%f && cp %p ${archive}/%f` });
  const server = start(data, join(folder, "first"));
  call("createdb", "-h", join(folder, "first"), "-U", "orchestrator", "orchestrator");
  return {
    ...server,
    backUp: () => {
      call("pg_basebackup", "-D", backup, "-h", join(folder, "first"), "-U", "orchestrator", "--checkpoint=fast");
    },
    archive: async () => {
      const file = server.query("SELECT pg_walfile_name(pg_switch_wal())");
      await eventually(() => expect(readdirSync(archive)).toContain(file));
    },
    restore: async (time) => {
      setIn(backup, {
        ...{ archive_mode: "off", restore_command: `cp ${archive}/%f %p` },
        ...{ recovery_target_time: time, recovery_target_action: "promote" },
      });
      const signal = join(backup, "recovery.signal");
      writeFileSync(signal, "");
      if (isRoot) execFileSync("chown", ["postgres:postgres", signal]);
      const restored = start(backup, join(folder, "second"));
      await eventually(() => expect(restored.query("SELECT pg_is_in_recovery()")).toBe("f"), { timeoutMs: 60_000 });
      return restored;
    },
  };
}

/** Changes settings of a server that is stopped. */
function setIn(data: string, settings: Readonly<Record<string, string>>): void {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
  appendFileSync(join(data, "postgresql.conf"), lines.join(""));
}

function start(data: string, socket: string): Server {
  mkdirSync(socket);
  if (isRoot) execFileSync("chown", ["postgres:postgres", socket]);
  const options = `-c listen_addresses= -c unix_socket_directories=${socket} -c max_connections=100`;
  call("pg_ctl", "-D", data, "-l", `${socket}/log`, "-w", "-o", options, "start");
  let isRunning = true;
  const stop = (): void => {
    if (isRunning) call("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop");
    isRunning = false;
  };
  onTestFinished(stop);
  return {
    url: `postgresql://orchestrator@localhost:5432/orchestrator?host=${encodeURIComponent(socket)}`,
    query: (sql) => call("psql", "-h", socket, "-U", "orchestrator", "-d", "orchestrator", "-Atc", sql),
    stop,
  };
}
