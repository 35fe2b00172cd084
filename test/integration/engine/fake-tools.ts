import type { JsonObject } from "../../../src/base/json/json.ts";
import type { Outcome } from "../../../src/engine/machine/events.ts";
import type { ToolCall, ToolCaller } from "../../../src/engine/ports/tools.ts";

/** Answers a call; the default gives back the `output` parameter. */
export type Handler = (call: ToolCall, signal: AbortSignal) => Outcome | Promise<Outcome>;

/** A tool that records every attempt and answers as the test says. */
export interface FakeTools extends ToolCaller {
  /** Every attempt that was begun, in order. */
  readonly calls: readonly ToolCall[];
  /** Attempts that were told to stop. */
  readonly aborted: readonly string[];
  /** Does not stop when it is told to. */
  deaf: boolean;
  /** How calls of a task (path, or id of the task) are answered from now on. */
  answer(path: string, handler: Handler): void;
  /** Holds calls of a task back until the returned function is called. */
  hold(path: string): (outcome?: Outcome) => void;
}

/** A {@link FakeTools}. */
export function createFakeTools(): FakeTools {
  const calls: ToolCall[] = [];
  const aborted: string[] = [];
  const handlers = new Map<string, Handler>();
  const give: Handler = (call) => ({ ok: true, output: (call.input as JsonObject | null)?.output ?? null });
  const tools: FakeTools = {
    calls,
    aborted,
    deaf: false,
    answer: (path, handler) => handlers.set(path, handler),
    hold: (path) => {
      let open: (outcome?: Outcome) => void = () => {};
      const opened = new Promise<Outcome | undefined>((resolve) => (open = resolve));
      handlers.set(path, async (call, signal) => (await opened) ?? give(call, signal));
      return open;
    },
    call: (call, { signal }) => {
      calls.push(call);
      signal.addEventListener("abort", () => aborted.push(call.path), { once: true });
      const handler = handlers.get(call.path) ?? handlers.get(call.path.replace(/[.#/].*$/, "")) ?? give;
      return new Promise((resolve) => {
        const stop = () =>
          tools.deaf || resolve({ ok: false, error: { type: "CANCELED", message: "told to stop", retryable: false } });
        signal.addEventListener("abort", stop, { once: true });
        void Promise.resolve(handler(call, signal)).then(resolve);
      });
    },
  };
  return tools;
}
