/** Does exec tasks: makes the folder, runs the command, reads what it left. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { constants, hostname, tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Handle } from "../shared/desk.ts";
import { type Json, parseField } from "../shared/json.ts";
import { AgentError } from "../shared/messages.ts";
import { findImage } from "./images.ts";
import { type Isolation, toArguments } from "./isolation.ts";
import { killTask, MARK } from "./processes.ts";
import { type Captured, runCommand } from "./run-command.ts";
import { type InputFile, makeWorkspace, readOutputs, removeFolder, rewritePaths, toText } from "./workspace.ts";

export interface ExecOptions {
  readonly isolation: Isolation;
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
/** What of stderr an error carries. */
const TAIL_CHARACTERS = 2_000;

/** Removes what agents on this machine that died left behind: folders, and processes that survived. */
export function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const [, pid] = name.startsWith(PREFIX) ? (/^(\d+)-/.exec(name.slice(PREFIX.length)) ?? []) : [];
    if (pid === undefined || isAlive(Number(pid))) continue;
    killTask(undefined, name);
    removeFolder(join(tmpdir(), name));
  }
}

export function createExecHandler(options: ExecOptions): Handle {
  const { isolation, firstUid, processes, diskMb, maxOutputBytes } = options;
  const takenUids = new Set<number>();

  return async (parameters, { request, signal }) => {
    const { image, command, files = [], env = {}, memory_mb } = parameters as unknown as ExecParameters;
    const programs = findImage(image);
    checkEnvironment(env);
    const memoryMb = Math.min(memory_mb ?? options.memoryMb, options.memoryMb);
    const seconds = request.timeout ?? options.defaultSeconds;
    const uid = firstUid === null ? null : takeUid(firstUid, takenUids);
    const base = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
    const task = basename(base);
    const [workspace, root] = [join(base, "workspace"), join(base, "root")];
    const show = (text: string): string => text.replaceAll(workspace, "/workspace");
    const place = (text: string): string => (isolation === "rewrite" ? rewritePaths(text, workspace) : text);
    const began = performance.now();
    try {
      mkdirSync(root);
      // Only the agent lists this folder; a command of another user passes through it.
      if (uid !== null) chmodSync(base, 0o711);
      makeWorkspace({ folder: workspace, isolation, uid, programs, files });
      const home = place("/workspace");
      const words = typeof command === "string" ? ["sh", "-c", command] : command;
      const launch = {
        ...{ isolation, workspace, root, uid, programs },
        limits: { cpuSeconds: seconds, memoryBytes: memoryMb * 2 ** 20, processes, fileBytes: diskMb * 2 ** 20 },
        env: {
          PATH: `${home}/.bin:/usr/local/bin:/usr/bin:/bin`,
          HOME: home,
          TMPDIR: isolation === "rewrite" ? home : "/tmp",
          LANG: "C.UTF-8",
          ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, place(value)])),
          [MARK]: task,
        },
        command: words.map(place),
      };
      checkSize(launch);
      const ended = await runCommand({
        ...{ task, cwd: workspace, memoryBytes: memoryMb * 2 ** 20, diskBytes: diskMb * 2 ** 20 },
        arguments: toArguments(launch),
        signal: AbortSignal.any([signal, timeoutOf(request.timeout ?? null, options.defaultSeconds)]),
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
  const tail = isText ? stderr.trimEnd().slice(-TAIL_CHARACTERS).toWellFormed() : "";
  return new AgentError("EXEC_FAILED", `the command ${how}${tail === "" ? "" : `: ${tail}`}`, {
    details: { exit_code: exitCode, ...(signal === undefined ? {} : { signal }), stderr: tail },
  });
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
