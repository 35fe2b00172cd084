/**
 * How a command is kept apart from this machine.
 *
 *   container   A container of an image, where podman is (containers.ts).
 *   namespace   Namespaces for mounts, processes, IPC, and the network, made as root or as a user (`unshare`). The
 *               command sees the programs of the machine, /workspace, and no network. It runs without privileges,
 *               and under a user of its own if the agent is root.
 *   rewrite     Where namespaces are not allowed, as in most containers: `/workspace` in the command, its variables,
 *               and its files is replaced by the name of the task's folder. The command sees what its user sees.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Programs } from "./images.ts";

export type Isolation = "container" | "namespace" | "rewrite";

export interface Limits {
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  readonly processes: number;
  /** Of each file. */
  readonly fileBytes: number;
}

export interface Launch {
  readonly isolation: Isolation;
  /** The task's folder, with `input`, `output`, and `.bin`. */
  readonly workspace: string;
  /** An empty folder. */
  readonly root: string;
  /** User and group of the command if the agent is root. */
  readonly uid: number | null;
  readonly programs: Programs;
  readonly limits: Limits;
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[];
}

const SANDBOX = fileURLToPath(new URL("sandbox.sh", import.meta.url));
/** Waits for the agent's death beside the command, which takes over the process. */
const WATCHED = '(cat <&3 >/dev/null; kill -KILL -- -$$) & echo >&3; exec "$@" 3<&-';
/** Variables of what surrounds the command. It never sees those of the task: some of them load code. */
export const OUTER_ENV = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };
const SHOWN = ["/bin/", "/sbin/", "/lib/", "/usr/"];

/** The program and arguments that run a command. It leads a process group. Its file 3 is a socket to the agent. */
export function toArguments(launch: Launch): readonly [string, ...string[]] {
  const { isolation, workspace, root, uid, programs, env, command } = launch;
  const inner = [
    "setpriv",
    ...(uid === null ? [] : ["--reuid", String(uid), "--regid", String(uid), "--clear-groups"]),
    ...["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--"],
    ...toPrlimit(launch),
    ...["env", "-i", ...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...command],
  ];
  if (isolation === "rewrite")
    return ["sh", "-c", WATCHED, "sh", ...(uid === null ? inner.filter((word) => !word.endsWith("=-all")) : inner)];
  const more = [...new Set(Object.values(programs).map(placeOf))].filter(
    (place) => !SHOWN.some((shown) => `${place}/`.startsWith(shown)),
  );
  return [
    "unshare",
    ...(uid === null ? ["--user", "--map-root-user"] : []),
    ...["--mount", "--pid", "--ipc", "--uts", "--net", "--fork", "--kill-child=KILL", "--"],
    ...["sh", SANDBOX, root, workspace, ...more, "--", ...inner],
  ];
}

/** What a program needs beside itself; only itself if others have their folders there, too. */
function placeOf(path: string): string {
  const folder = dirname(dirname(path));
  return `${tmpdir()}/`.startsWith(folder === "/" ? folder : `${folder}/`) ? path : folder;
}

/** Address space that V8 reserves and does not use; the memory in use is watched as well. */
const NODE_RESERVES_BYTES = 2 ** 30;

function toPrlimit({ isolation, uid, limits, programs }: Launch): readonly string[] {
  // In a namespace, and for a user of its own, only the task's processes count.
  const others = isolation === "rewrite" && uid === null ? countThreads() : 0;
  return [
    "prlimit",
    `--cpu=${Math.ceil(limits.cpuSeconds)}`,
    `--data=${limits.memoryBytes + (Object.hasOwn(programs, "node") ? NODE_RESERVES_BYTES : 0)}`,
    `--nproc=${limits.processes + others}`,
    `--fsize=${limits.fileBytes}`,
    ...["--nofile=1024", "--core=0", "--"],
  ];
}

/** Threads of this user: the limit on processes counts them all. */
export function countThreads(): number {
  const uid = process.getuid?.();
  let count = 0;
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (statSync(`/proc/${name}`).uid === uid) count += readdirSync(`/proc/${name}/task`).length;
    } catch {
      // It has ended meanwhile.
    }
  }
  return count;
}

/** Finds out whether namespaces can be made here, by making some. */
export async function probeNamespaces(uid: number | null): Promise<boolean> {
  const base = mkdtempSync(join(tmpdir(), "orchestrator-exec-probe-"));
  const [workspace, root] = [join(base, "workspace"), join(base, "root")];
  for (const folder of [workspace, root]) mkdirSync(folder);
  const limits = { cpuSeconds: 5, memoryBytes: 2 ** 28, processes: 16, fileBytes: 2 ** 20 };
  const launch = { workspace, root, uid, limits, programs: {}, env: OUTER_ENV, command: ["true"] };
  const [program, ...args] = toArguments({ isolation: "namespace", ...launch });
  try {
    const child = spawn(program, args, { env: OUTER_ENV, stdio: ["ignore", "ignore", "ignore", "pipe"] });
    return await new Promise<boolean>((resolve) => {
      child.once("error", () => resolve(false));
      child.once("exit", (code) => resolve(code === 0));
    });
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}
