/** Does exec tasks: makes the folder, runs the command, reads what it left. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { constants, hostname } from "node:os";
import { basename, join } from "node:path";
import type { Handle } from "../shared/desk.ts";
import { type Json, parseField } from "../shared/json.ts";
import { AgentError } from "../shared/messages.ts";
import {
  type Contained,
  type Containers,
  findContainerImage,
  firstProcessOf,
  forgetProcess,
  podmanEnv,
  removeContainer,
  sweepContainers,
  toContainerArguments,
} from "./containers.ts";
import { findImage } from "./images.ts";
import { type Isolation, OUTER_ENV, toArguments } from "./isolation.ts";
import { killTask, MARK } from "./processes.ts";
import { type Captured, type Ended, type RunOptions, runCommand } from "./run-command.ts";
import { type InputFile, makeWorkspace, readOutputs, removeFolder, rewritePaths, toText } from "./workspace.ts";

export interface ExecOptions {
  /** For tasks that run in no container. */
  readonly isolation: Exclude<Isolation, "container">;
  /** For tasks that name an image; null: something on this machine stands for it. */
  readonly containers: Containers | null;
  /** Where each task gets a folder; it is made if it is not there. */
  readonly folder: string;
  /** The first of the users that commands run as; null unless the agent is root. */
  readonly firstUid: number | null;
  readonly memoryMb: number;
  readonly processes: number;
  readonly diskMb: number;
  readonly maxOutputBytes: number;
  /** Seconds for a task whose flow gives no timeout. */
  readonly defaultSeconds: number;
}

/** The parameters of an exec task; they have passed `exec-parameters.schema.json`. */
interface ExecParameters {
  readonly image?: string;
  readonly command: string | readonly string[];
  readonly files?: readonly InputFile[];
  readonly env?: Readonly<Record<string, string>>;
  readonly memory_mb?: number;
}

const PREFIX = `orchestrator-exec-${hostname()}-`;
/** Exit codes of podman if it, or its runtime, could not make a container. */
const PODMAN_FAILED = [125, 126];
/** What of stderr an error carries. */
const TAIL_CHARACTERS = 2_000;

/** Removes what agents on this machine that died left behind: containers, folders, and processes that survived. */
export function sweep(folder: string, containers: Containers | null): void {
  const isLeft = (name: string): boolean => {
    const [, pid] = name.startsWith(PREFIX) ? (/^(\d+)-/.exec(name.slice(PREFIX.length)) ?? []) : [];
    return pid !== undefined && !isAlive(Number(pid));
  };
  if (containers !== null) sweepContainers(isLeft);
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  for (const name of readdirSync(folder)) {
    if (!isLeft(name)) continue;
    killTask(undefined, name);
    removeFolder(join(folder, name));
  }
}

export function createExecHandler(options: ExecOptions): Handle {
  const { folder, firstUid, processes, diskMb, maxOutputBytes } = options;
  const takenUids = new Set<number>();

  return async (parameters, { request, signal: asked }) => {
    const { image, command, files = [], env = {}, memory_mb } = parameters as unknown as ExecParameters;
    checkEnvironment(env);
    const memoryMb = Math.min(memory_mb ?? options.memoryMb, options.memoryMb);
    const seconds = request.timeout ?? options.defaultSeconds;
    const began = performance.now();
    const signal = AbortSignal.any([asked, timeoutOf(request.timeout ?? null, options.defaultSeconds)]);
    const { containers } = options;
    const isContained =
      containers !== null && image !== undefined && (await findContainerImage(image, containers, signal));
    const container = isContained ? { image, containers } : null;
    const isolation = container === null ? options.isolation : "container";
    const programs = container === null ? findImage(image) : {};
    const uid = firstUid === null ? null : takeUid(firstUid, takenUids);
    mkdirSync(folder, { recursive: true, mode: 0o711 });
    const base = mkdtempSync(join(folder, `${PREFIX}${process.pid}-`));
    const task = basename(base);
    const [workspace, root] = [join(base, "workspace"), join(base, "root")];
    const show = (text: string): string => text.replaceAll(workspace, "/workspace");
    const place = (text: string): string => (isolation === "rewrite" ? rewritePaths(text, workspace) : text);
    try {
      mkdirSync(root);
      // Only the agent lists this folder; a command of another user passes through it.
      if (uid !== null) chmodSync(base, 0o711);
      makeWorkspace({ folder: workspace, isolation, uid, programs, files });
      const home = place("/workspace");
      const words = typeof command === "string" ? ["sh", "-c", command] : command;
      const launch = {
        ...{ workspace, root, uid, programs },
        limits: { cpuSeconds: seconds, memoryBytes: memoryMb * 2 ** 20, processes, fileBytes: diskMb * 2 ** 20 },
        env: {
          // An image has its own.
          ...(container === null ? { PATH: `${home}/.bin:/usr/local/bin:/usr/bin:/bin` } : {}),
          HOME: home,
          TMPDIR: isolation === "rewrite" ? home : "/tmp",
          LANG: "C.UTF-8",
          ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, place(value)])),
          [MARK]: task,
        },
        command: words.map(place),
      };
      checkSize(launch);
      const limits = { task, cwd: workspace, memoryBytes: memoryMb * 2 ** 20, diskBytes: diskMb * 2 ** 20, signal };
      const ended =
        container !== null
          ? await runContained({ ...launch, ...container, name: task, base }, limits)
          : await runCommand({
              ...{ ...limits, env: OUTER_ENV },
              arguments: toArguments({ ...launch, isolation: options.isolation }),
            });
      const { exitCode } = ended;
      const stdout = toOutput("stdout", ended.stdout, show);
      const stderr = toOutput("stderr", ended.stderr, show);
      if (exitCode !== 0) throw toError(exitCode, String(stderr["stderr"]), stderr["stderr_encoding"] === "utf-8");
      const { files: left, skipped } = readOutputs(workspace, maxOutputBytes);
      const result = left.find(({ name }) => name === "result.json");
      return {
        ...{ exit_code: exitCode, ...stdout, ...stderr },
        ...(result === undefined ? {} : { result: parseResult(result.content) }),
        files: left as unknown as Json,
        ...(skipped.length === 0 ? {} : { skipped }),
        isolation,
        duration_ms: Math.round(performance.now() - began),
      };
    } finally {
      removeFolder(base);
      if (uid !== null) takenUids.delete(uid);
    }
  };
}

/** Runs a command in a container, which is gone afterwards. */
async function runContained(
  contained: Omit<Contained, "pidFile"> & { readonly base: string },
  limits: Omit<RunOptions, "arguments" | "env">,
): Promise<Ended> {
  const pidFile = join(contained.base, "pid");
  let hasBegun = false;
  try {
    const ended = await runCommand({
      ...{ ...limits, env: podmanEnv() },
      arguments: toContainerArguments({ ...contained, pidFile }),
      leader: () => firstProcessOf(pidFile),
      ended: () => {
        hasBegun = firstProcessOf(pidFile) !== null;
        forgetProcess(pidFile);
      },
    });
    if (hasBegun || !PODMAN_FAILED.includes(ended.exitCode)) return ended;
    throw new AgentError("CONTAINER_FAILED", tailOf(ended.stderr.bytes.toString("utf8")), { retryable: true });
  } catch (error) {
    await removeContainer(contained.name);
    throw error;
  }
}

function toOutput(name: "stdout" | "stderr", { bytes, isTruncated }: Captured, show: (text: string) => string) {
  // Where it is cut, a letter of several bytes may be in two parts.
  const { encoding, content } = toText(isTruncated ? withoutHalfLetter(bytes) : bytes);
  return {
    [name]: encoding === "utf-8" ? show(content) : content,
    [`${name}_encoding`]: encoding,
    [`${name}_truncated`]: isTruncated,
  };
}

function withoutHalfLetter(bytes: Buffer): Buffer {
  for (let back = 1; back <= 3; back++) {
    const byte = bytes.at(-back) ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.subarray(0, bytes.length - back) : bytes;
  }
  return bytes;
}

function toError(exitCode: number, stderr: string, isText: boolean): AgentError {
  const signal = Object.entries(constants.signals).find(([, number]) => exitCode === 128 + number)?.[0];
  const how = signal === undefined ? `exited with ${exitCode}` : `was killed by ${signal}`;
  const tail = isText ? tailOf(stderr) : "";
  return new AgentError("EXEC_FAILED", `the command ${how}${tail === "" ? "" : `: ${tail}`}`, {
    details: { exit_code: exitCode, ...(signal === undefined ? {} : { signal }), stderr: tail },
  });
}

function tailOf(text: string): string {
  return text.trimEnd().slice(-TAIL_CHARACTERS).toWellFormed();
}

function parseResult(content: string): Json {
  try {
    return parseField(content);
  } catch (error) {
    const problem = error instanceof SyntaxError ? "is no JSON" : "cannot be taken";
    throw new AgentError("RESULT_INVALID", `/workspace/output/result.json ${problem}: ${(error as Error).message}`);
  }
}

function checkEnvironment(env: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(env))
    if (!/^[A-Za-z_]\w*$/.test(name) || value.includes("\0"))
      throw new AgentError("REQUEST_INVALID", `env: "${name}" is no variable that a command can have`);
}

/** What Linux takes: bytes of one argument or variable, and of all, with a pointer and an end for each. */
const MAX_WORD_BYTES = 131_000;
const MAX_WORDS_BYTES = 1_048_576;

/** Throws REQUEST_INVALID for a command that no machine starts. */
function checkSize({ command, env }: { readonly command: readonly string[]; readonly env: object }): void {
  let all = 0;
  for (const word of [...command, ...Object.entries(env).map((entry) => entry.join("="))]) {
    if (word.includes("\0")) throw new AgentError("REQUEST_INVALID", "command: an argument has NUL");
    const bytes = Buffer.byteLength(word);
    all += bytes + 9;
    if (bytes > MAX_WORD_BYTES || all > MAX_WORDS_BYTES)
      throw new AgentError(
        "REQUEST_INVALID",
        `command: an argument or variable may have ${MAX_WORD_BYTES} bytes, all of them ${MAX_WORDS_BYTES}; use files`,
      );
  }
}

/** The desk ends a task with a timeout of its own. */
function timeoutOf(timeout: number | null, defaultSeconds: number): AbortSignal {
  const controller = new AbortController();
  const error = new AgentError("TIMEOUT", `the command did not end within ${defaultSeconds} s`, { retryable: true });
  if (timeout === null) setTimeout(() => controller.abort(error), defaultSeconds * 1000).unref();
  return controller.signal;
}

/** How many users commands run as, in turn: processes of the last command of a user may still be dying. */
const USERS = 500;
let turn = 0;

function takeUid(first: number, taken: Set<number>): number {
  let uid: number;
  do uid = first + (turn++ % USERS);
  while (taken.has(uid));
  taken.add(uid);
  return uid;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
