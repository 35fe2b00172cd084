/**
 * Runs LangGraph in its own process, so that the service does not pay for it: a worker thread does not return its
 * memory (measured: +50 MB for each thread that was started and stopped), a process does. The first request starts it;
 * it ends after some idle time. docs/adr/0014-langgraph-in-its-own-process.md
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FlowDocument } from "../document/schema.ts";
import type { CompilerAnswer, CompilerQuestion } from "./compiler-main.ts";
import { drawOwnGraph, EMPTY_STRUCTURE, type GraphCompiler, isOwnGraph } from "./graph-compiler.ts";
import type { Structure } from "./structure.ts";

/** Timeouts of the compiler process. */
export interface CompilerProcessOptions {
  /** How long it may stay idle, milliseconds. */
  readonly idleMs?: number;
  /** Time limit of one request, milliseconds; then the process is killed. */
  readonly deadlineMs?: number;
}

interface OpenQuestion {
  readonly resolve: (value: Structure | string) => void;
  readonly reject: (error: Error) => void;
  readonly deadline: NodeJS.Timeout;
}

/**
 * Opens a compiler that runs LangGraph in its own process. Errors are plain: a checked document that LangGraph rejects
 * is a bug.
 */
export function openCompilerProcess({
  idleMs = 10_000,
  deadlineMs = 60_000,
}: CompilerProcessOptions = {}): GraphCompiler {
  let child: ChildProcess | undefined;
  let idle: NodeJS.Timeout | undefined;
  let nextId = 1;
  let closed = false;
  const open = new Map<number, OpenQuestion>();

  const stop = (problem: string): void => {
    clearTimeout(idle);
    const stopped = child;
    child = undefined;
    stopped?.kill("SIGKILL");
    for (const question of open.values()) {
      clearTimeout(question.deadline);
      question.reject(new Error(`the compiler process ended: ${problem}`));
    }
    open.clear();
  };

  const start = (): ChildProcess => {
    const entry = new URL(
      import.meta.url.endsWith(".ts") ? "./compiler-main.ts" : "./compiler-main.js",
      import.meta.url,
    );
    // No environment: it needs none, and must not see the service's. Its own session: Ctrl-C in the terminal is only
    // for the service.
    const started = fork(fileURLToPath(entry), [], {
      execArgv: [],
      env: {},
      detached: true,
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    let complaint = "";
    started.stderr?.on("data", (chunk: Buffer) => {
      complaint = `${complaint}${chunk}`.slice(-2_000);
    });
    started.on("message", (answer: CompilerAnswer) => settle(answer));
    started.on("exit", (code, signal) => {
      if (child === started) stop(`exit ${code ?? signal}: ${complaint.trim()}`);
    });
    started.on("error", (error) => {
      if (child === started) stop(error.message);
    });
    return started;
  };

  const settle = (answer: CompilerAnswer): void => {
    const question = open.get(answer.id);
    if (question === undefined) return;
    open.delete(answer.id);
    clearTimeout(question.deadline);
    if ("value" in answer) question.resolve(answer.value);
    else question.reject(new Error(`LangGraph refused the flow: ${answer.problem}`));
    if (open.size === 0) rest();
  };

  const rest = (): void => {
    // No request is pending: the child must not keep our process alive.
    hold(child, false);
    idle = setTimeout(() => stop("idle"), idleMs).unref();
  };

  const ask = (kind: CompilerQuestion["kind"], document: FlowDocument): Promise<Structure | string> => {
    if (closed) return Promise.reject(new Error("the compiler is closed"));
    clearTimeout(idle);
    child ??= start();
    hold(child, true);
    const id = nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<Structure | string>();
    const deadline = setTimeout(() => stop(`no answer in ${deadlineMs} ms`), deadlineMs);
    open.set(id, { resolve, reject, deadline });
    child.send({ id, kind, document } satisfies CompilerQuestion, (error) => {
      if (error !== null && open.has(id)) stop(error.message);
    });
    return promise;
  };

  return {
    structureOf: async (document) =>
      isOwnGraph(document) ? EMPTY_STRUCTURE : ((await ask("structure", document)) as Structure),
    draw: async (document) =>
      isOwnGraph(document) ? drawOwnGraph(document) : ((await ask("draw", document)) as string),
    async close() {
      closed = true;
      const last = child;
      const gone =
        last === undefined || last.exitCode !== null
          ? undefined
          : new Promise<void>((resolve) => last.once("exit", () => resolve()));
      // An idle child keeps no process alive, so hold it while waiting for its exit.
      hold(last, true);
      stop("closed");
      await gone;
    },
  };
}

function hold(child: ChildProcess | undefined, isHeld: boolean): void {
  const stderr = child?.stderr as { ref?(): void; unref?(): void } | null | undefined;
  if (isHeld) {
    child?.ref();
    child?.channel?.ref();
    stderr?.ref?.();
  } else {
    child?.unref();
    child?.channel?.unref();
    stderr?.unref?.();
  }
}
