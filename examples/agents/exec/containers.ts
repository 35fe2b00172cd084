/**
 * Containers for tasks that name an image, if `podman` is on the machine and works. A container has the image's files,
 * read-only, /workspace, an empty /tmp, and no network. It has no privileges: its user is that of the agent, by a
 * namespace of users, or, if the agent is root, one that nobody else is.
 *
 *   made ──begins─→ runs ──ends, is killed, or its agent dies─→ removed
 *
 * The agent knows its first process by a file that podman writes, and with it all others.
 */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { AgentError } from "../shared/messages.ts";
import { countThreads, type Launch, OUTER_ENV } from "./isolation.ts";

/** What podman reads of the agent's variables: where its files are, and how it reaches registries. */
const PASSED = /^(?:HOME|USER|TMPDIR|XDG_\w+|CONTAINERS_\w+|REGISTRY_AUTH_FILE|(?:HTTPS?|NO)_PROXY)$/i;
const IMAGE = /^[a-z0-9][\w.-]*(?::\d+)?(?:\/[\w.-]+)*(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?$/i;
const LABEL = "orchestrator-exec";
/** What of the words of podman an error carries. */
const TAIL_CHARACTERS = 500;

/** What podman may take to show whether it works, milliseconds. */
const PROBE_MS = 30_000;

/** How containers are made here. */
export interface Containers {
  /** Options of podman: the runtime that works, unless it is the usual one. */
  readonly options: readonly string[];
  /** Whether images that are not here may be pulled. */
  readonly pulls: boolean;
  /** Whether a task with an image runs in a container or not at all. */
  readonly isRequired: boolean;
  /** Controllers of control groups that podman may use: it limits what these control. */
  readonly controllers: readonly string[];
}

/** A container of a task. */
export interface Contained extends Omit<Launch, "isolation" | "root" | "programs"> {
  readonly containers: Containers;
  readonly image: string;
  readonly name: string;
  /** Where podman writes the number of its first process. */
  readonly pidFile: string;
}

/**
 * Waits for the agent's death beside the container, and kills its first process then, if need be as soon as podman has
 * made it. File 3 is a socket to the agent, `$0` the file with the number.
 */
const WATCHED = `(
  cat <&3 >/dev/null
  for try in 1 2 3 4 5 6 7 8 9 10; do
    left=0; kill -0 $$ 2>/dev/null || left=1
    pid=$(cat "$0" 2>/dev/null) && kill -KILL "$pid" && break
    [ $left = 0 ] || break
    sleep 1
  done
) & echo >&3; exec "$@" 3<&-`;

/** Variables of podman. The container gets none of them. */
export function podmanEnv(): Record<string, string> {
  const passed = Object.entries(process.env).filter(([name, value]) => PASSED.test(name) && value !== undefined);
  return { ...(Object.fromEntries(passed) as Record<string, string>), ...OUTER_ENV };
}

/** An image without files, to see whether containers can be made. */
const EMPTY_IMAGE = "localhost/orchestrator-exec-probe";
/** The exit code of podman for a container that was made, and has no program of this name. */
const NOT_FOUND = 127;
/** Runtimes that are tried if the usual one makes no containers: they do not suit every kernel. */
const RUNTIMES = ["runc", "crun"];

/** Finds out whether podman is here and makes containers, by making one; null: it does not. */
export async function probePodman(rules: Pick<Containers, "pulls" | "isRequired">): Promise<Containers | null> {
  const signal = AbortSignal.timeout(PROBE_MS);
  try {
    const info = await podman(["info", "--format", "json"], signal);
    if (info.code !== 0) return null;
    const { host } = JSON.parse(info.stdout) as { readonly host: { readonly cgroupControllers?: readonly string[] } };
    const imported = await podman(["import", "--quiet", "-", EMPTY_IMAGE], signal, Buffer.alloc(1_024));
    if (imported.code !== 0) return null;
    for (const options of [[], ...RUNTIMES.map((name) => ["--runtime", name])]) {
      const containers = { ...rules, options, controllers: host.cgroupControllers ?? [] };
      const limits = { cpuSeconds: 5, memoryBytes: 2 ** 27, processes: 16, fileBytes: 2 ** 20 };
      const args = toRun({ containers, limits, uid: null });
      const { code } = await podman([...args, EMPTY_IMAGE, "none"], signal);
      if (code === NOT_FOUND) return containers;
    }
  } catch (error) {
    if (error !== signal.reason) throw error;
  }
  return null;
}

/**
 * Gets an image, if it is not here. False: it is not here, and something else may stand for it. Throws
 * IMAGE_NOT_AVAILABLE, and the reason of the signal.
 */
export async function findContainerImage(
  image: string,
  { pulls, isRequired }: Containers,
  signal: AbortSignal,
): Promise<boolean> {
  const fail = (why: string, retryable: boolean): never => {
    throw new AgentError("IMAGE_NOT_AVAILABLE", `the image ${image} is not available: ${why}`, { retryable });
  };
  if (!IMAGE.test(image)) fail("this is no name of an image", false);
  if ((await podman(["image", "exists", image], signal)).code === 0) return true;
  if (!pulls && isRequired) fail("it is not on this machine, and the agent pulls none", false);
  if (!pulls) return false;
  const { code, stderr } = await podman(["pull", "--quiet", image], signal);
  if (code !== 0) fail(stderr.trimEnd().slice(-TAIL_CHARACTERS), true);
  return true;
}

/** The program and arguments that run a command in a container. */
export function toContainerArguments(contained: Contained): readonly [string, ...string[]] {
  const { image, name, pidFile, workspace, env, command } = contained;
  return [
    ...(["sh", "-c", WATCHED, pidFile, "podman"] as const),
    ...toRun(contained),
    ...["--name", name, "--label", LABEL, "--pidfile", pidFile, "--log-driver=none", "--http-proxy=false"],
    ...["--tmpfs=/tmp:rw,size=64m,mode=1777,nosuid,nodev"],
    ...["--volume", `${workspace}:/workspace`, "--workdir=/workspace"],
    ...Object.entries(env).map(([variable, value]) => `--env=${variable}=${value}`),
    ...["--entrypoint=", "--", image, ...command],
  ];
}

/** The arguments of podman that every container has. */
function toRun({ containers, limits, uid }: Pick<Contained, "containers" | "limits" | "uid">): readonly string[] {
  const { cpuSeconds, memoryBytes, processes, fileBytes } = limits;
  const can = (controller: string): boolean => containers.controllers.includes(controller);
  const ulimits = {
    ...{ cpu: Math.ceil(cpuSeconds), data: memoryBytes, fsize: fileBytes, nofile: 1_024, core: 0 },
    // It counts all processes of the user. Podman's own limit is more than many systems allow.
    nproc: processes + (uid === null ? countThreads() : 0),
  };
  return [
    // What podman has to say to its user is not part of what the command prints.
    ...[...containers.options, "--log-level=fatal"],
    ...["run", "--rm", "--pull=never", "--network=none", "--no-hosts", "--read-only", "--read-only-tmpfs=false"],
    ...["--cap-drop=all", "--security-opt=no-new-privileges", "--security-opt=label=disable"],
    ...["--user", uid === null ? "0:0" : `${uid}:${uid}`],
    ...Object.entries(ulimits).map(([limit, most]) => `--ulimit=${limit}=${most}:${most}`),
    ...(can("memory") ? [`--memory=${memoryBytes}`, `--memory-swap=${memoryBytes}`] : []),
    ...(can("pids") ? [`--pids-limit=${processes}`] : []),
  ];
}

/** The first process of a container; null: it has not begun. */
export function firstProcessOf(pidFile: string): number | null {
  try {
    return Number(readFileSync(pidFile, "utf8")) || null;
  } catch {
    return null;
  }
}

/** The container has ended: its number may be that of another process soon. */
export function forgetProcess(pidFile: string): void {
  rmSync(pidFile, { force: true });
}

/** Removes a container that may have been left half made. */
export async function removeContainer(name: string): Promise<void> {
  await podman(["rm", "--force", "--ignore", "--time=0", name]);
}

/** Removes containers of agents that are gone; `isLeft` tells them by their names. */
export function sweepContainers(isLeft: (name: string) => boolean): void {
  const list = ["ps", "--all", "--filter", `label=${LABEL}`, "--format", "{{.Names}}"];
  const { stdout } = spawnSync("podman", list, { env: podmanEnv(), encoding: "utf8" });
  const left = (stdout ?? "").split("\n").filter((name) => name !== "" && isLeft(name));
  if (left.length > 0) spawnSync("podman", ["rm", "--force", "--ignore", "--time=0", ...left], { env: podmanEnv() });
}

/** Runs podman to its end. Throws the reason of the signal. */
async function podman(args: readonly string[], signal?: AbortSignal, input?: Buffer) {
  signal?.throwIfAborted();
  const child = spawn("podman", args, { env: podmanEnv(), stdio: ["pipe", "pipe", "pipe"] });
  // It need not read.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const kill = (): void => void child.kill("SIGKILL");
  signal?.addEventListener("abort", kill, { once: true });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk));
  const code = await new Promise<number>((resolve) => {
    child.once("error", () => resolve(127));
    child.once("close", (status) => resolve(status ?? 1));
  });
  signal?.removeEventListener("abort", kill);
  signal?.throwIfAborted();
  return { code, stdout, stderr };
}
