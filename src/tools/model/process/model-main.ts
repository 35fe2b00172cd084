/** Entry point of the process that talks to providers of models. It ends when its parent does. */
import { chat } from "./chat.ts";
import type { ModelMessage, ModelRequest } from "./protocol.ts";

/** How often text is passed on, and memory reported, milliseconds. */
const TEXT_MS = 100;
const MEMORY_MS = 2_000;

const stops = new Map<number, AbortController>();

function say(message: ModelMessage): void {
  if (process.connected) process.send?.(message);
}

async function make({ id, call }: Extract<ModelRequest, { type: "call" }>): Promise<void> {
  const stop = new AbortController();
  stops.set(id, stop);
  let waiting = "";
  let timer: NodeJS.Timeout | undefined;
  const pass = (): void => {
    timer = undefined;
    // Providers may cut between the halves of a character.
    const whole = /[\ud800-\udbff]$/.test(waiting) ? waiting.length - 1 : waiting.length;
    say({ type: "text", id, text: waiting.slice(0, whole) });
    waiting = waiting.slice(whole);
  };
  const end = await chat(call, stop.signal, (text) => {
    waiting += text;
    timer ??= setTimeout(pass, TEXT_MS);
  });
  clearTimeout(timer);
  if (waiting !== "") pass();
  stops.delete(id);
  say({ type: "ended", id, end });
}

if (process.send !== undefined) {
  process.on("disconnect", () => process.exit(0));
  // A signal to the whole process group is meant for the service, which may still want the answers.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {});
  process.on("message", (request: ModelRequest) => {
    if (request.type === "stop") stops.get(request.id)?.abort();
    else void make(request);
  });
  setInterval(() => say({ type: "memory", residentBytes: process.memoryUsage.rss() }), MEMORY_MS).unref();
}
