/**
 * The process that talks to providers of models. Their libraries take some 160 MB, so they are never loaded into the
 * service.
 *
 *   none → running: the first call starts it
 *   running → none: nothing was asked for a while, the service closes, or it died
 *
 * Calls that were open when it died end with MODEL_PROCESS_LOST: their outcome is unknown. The next call starts it
 * again. It has no environment: keys come with each call, and nothing else of the service is seen there.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Log } from "../../../base/log.ts";
import type { ChatCall, ChatEnd, ModelMessage, ModelRequest } from "./protocol.ts";

/** The process as the service sees it. */
export interface ModelProcess {
  /** Makes a call. Never rejects; ends soon after `signal` aborts. */
  chat(call: ChatCall, signal: AbortSignal, onText: (text: string) => void): Promise<ChatEnd>;
  /** Memory of the process as it last said, bytes; 0: there is none. */
  readonly residentBytes: number;
  close(): Promise<void>;
}

/** Settings of {@link openModelProcess}. */
export interface ModelProcessOptions {
  /** How long it may be idle, milliseconds. */
  readonly idleMs: number;
  /** Largest heap, megabytes. */
  readonly maxMemoryMb: number;
  readonly log: Log;
  /** Called when it starts. */
  onStart?(): void;
}

/** How long a call that was told to stop may take to say what it has used, milliseconds. */
const STOP_MS = 1_000;
/** Most of what a dying process says that is logged, characters. */
const MAX_SAID = 2_000;

interface OpenCall {
  readonly resolve: (end: ChatEnd) => void;
  readonly onText: (text: string) => void;
  text: string;
}

/** Opens it; nothing is started before the first call. */
export function openModelProcess({ idleMs, maxMemoryMb, log, onStart }: ModelProcessOptions): ModelProcess {
  let child: ChildProcess | null = null;
  let idle: NodeJS.Timeout | undefined;
  let residentBytes = 0;
  let nextId = 1;
  let closed = false;
  const open = new Map<number, OpenCall>();

  const endCall = (id: number, end: ChatEnd): void => {
    const call = open.get(id);
    if (call === undefined) return;
    open.delete(id);
    call.resolve(end);
    if (open.size === 0) rest();
  };

  const stop = (problem: string, reached: ChatEnd["reached"] = "open"): void => {
    clearTimeout(idle);
    const stopped = child;
    child = null;
    residentBytes = 0;
    stopped?.kill("SIGKILL");
    for (const [id, { text }] of open) endCall(id, { ...lost(text, problem), reached });
  };

  const rest = (): void => {
    hold(child, false);
    clearTimeout(idle);
    if (child !== null) idle = setTimeout(() => stop("it was idle"), idleMs).unref();
  };

  const start = (): ChildProcess => {
    const entry = new URL(import.meta.url.endsWith(".ts") ? "./model-main.ts" : "./model-main.js", import.meta.url);
    // Its own session: Ctrl-C in the terminal is only for the service.
    const started = fork(fileURLToPath(entry), [], {
      execArgv: [`--max-old-space-size=${maxMemoryMb}`],
      env: {},
      detached: true,
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    onStart?.();
    let said = "";
    started.stderr?.on("data", (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-MAX_SAID);
    });
    started.on("message", (message: ModelMessage) => {
      if (child !== started) return;
      if (message.type === "memory") residentBytes = message.residentBytes;
      else if (message.type === "ended") endCall(message.id, message.end);
      else {
        const call = open.get(message.id);
        if (call === undefined) return;
        call.text += message.text;
        call.onText(message.text);
      }
    });
    const died = (problem: string, reached?: ChatEnd["reached"]): void => {
      if (child !== started) return;
      log.error("the process of models died", { problem, said: said.trim(), calls: open.size });
      stop(problem, reached);
    };
    started.on("exit", (code, signal) => died(`it ended with ${code ?? signal}`));
    // Without an id it never ran.
    started.on("error", (error) => died(error.message, started.pid === undefined ? "unsent" : "open"));
    return started;
  };

  const send = (request: ModelRequest): void => {
    const to = child;
    to?.send(request, (error) => {
      if (error !== null && child === to) stop(error.message);
    });
  };

  return {
    get residentBytes() {
      return residentBytes;
    },
    chat(call, signal, onText) {
      if (closed || signal.aborted) return Promise.resolve({ ...lost("", "it is closed"), reached: "unsent" as const });
      clearTimeout(idle);
      child ??= start();
      hold(child, true);
      const id = nextId++;
      const { promise, resolve } = Promise.withResolvers<ChatEnd>();
      open.set(id, { resolve, onText, text: "" });
      let patience: NodeJS.Timeout | undefined;
      const onAbort = (): void => {
        send({ type: "stop", id });
        patience = setTimeout(() => endCall(id, lost(open.get(id)?.text ?? "", "it does not answer")), STOP_MS);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      send({ type: "call", id, call });
      return promise.finally(() => {
        clearTimeout(patience);
        signal.removeEventListener("abort", onAbort);
      });
    },
    async close() {
      closed = true;
      const last = child;
      const isGone = last === null || last.exitCode !== null || last.signalCode !== null;
      const gone = isGone ? undefined : new Promise<void>((resolve) => last.once("exit", () => resolve()));
      hold(last, true);
      stop("the service closes");
      await gone;
    },
  };
}

function lost(text: string, problem: string): ChatEnd {
  const message = `the process that makes calls to models was lost: ${problem}`;
  const error = { type: "MODEL_PROCESS_LOST", message, retryAfter: "" } as const;
  return { text, usage: null, finishReason: null, error, reached: "open" };
}

/** An idle process must not keep the service alive. */
function hold(child: ChildProcess | null, isHeld: boolean): void {
  const stderr = child?.stderr as { ref?(): void; unref?(): void } | null | undefined;
  for (const one of [child, child?.channel, stderr]) {
    if (isHeld) one?.ref?.();
    else one?.unref?.();
  }
}
