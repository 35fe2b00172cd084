/**
 * Readers of streams that do not read.
 *
 *   writes → buffer full: waits → the reader reads: goes on
 *                               → not taken after `slowMs`: the call ends with WATCH_TOO_SLOW and the cursor to go on from → its last word stands
 *                                 behind what was not read → still not taken after `slowMs` more: the stream is broken off
 *
 * So a reader who stalls holds one buffer, and that for twice `slowMs` at most. Without the bound it would hold its
 * watch for ever.
 */
import type { EventEmitter } from "node:events";
import type { Message } from "@bufbuild/protobuf";
import { toError } from "../../base/errors.ts";
import type { Call } from "../calls/call.ts";

/**
 * Time in which a reader must take what was sent to him (all of it: how far he is in a large frame cannot be seen from
 * here), milliseconds.
 */
export const SLOW_READER_MS = 30_000;

/**
 * Resolves when the stream takes more, has closed, or the call is over. A reader who takes longer than `slowMs` ends
 * the call with WATCH_TOO_SLOW.
 */
export function waitForReader(stream: EventEmitter, call: Call, slowMs: number, cursor: string): Promise<void> {
  const { signal } = call;
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      stream.off("drain", done);
      stream.off("close", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(() => call.abort(toError("WATCH_TOO_SLOW", { cursor })), slowMs);
    stream.on("drain", done);
    stream.on("close", done);
    signal.addEventListener("abort", done);
  });
}

/**
 * Breaks a stream off when its last word was not taken `slowMs` after it was said. `stream` emits `close` when it was.
 */
export function breakOffUnread(stream: EventEmitter, slowMs: number, breakOff: () => void): void {
  const timer = setTimeout(breakOff, slowMs).unref();
  stream.once("close", () => clearTimeout(timer));
}

/** Where a reader who has taken a frame can go on; empty when the frame does not say. */
export function cursorOf(message: Message): string {
  const { frame } = message as unknown as { readonly frame?: { readonly value?: { readonly cursor?: string } } };
  return frame?.value?.cursor ?? "";
}
