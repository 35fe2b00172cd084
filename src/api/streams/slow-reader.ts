/**
 * Slow readers of streams.
 *
 *   writes → buffer full: waits → the reader reads: continues
 *                               → not read after `slowMs`: the call ends with WATCH_TOO_SLOW and a cursor to resume
 *                               from, behind the unread data
 *                                 → still not read after another `slowMs`: the stream is reset
 *
 * So a stalled reader holds one buffer for at most twice `slowMs`. Without the limit it would keep its watch open
 * forever.
 */
import type { EventEmitter } from "node:events";
import type { Message } from "@bufbuild/protobuf";
import { toError } from "../../base/errors.ts";
import type { Call } from "../calls/call.ts";

/**
 * How long a reader has to read everything that was sent, milliseconds. Partial progress in a large frame is not
 * visible here.
 */
export const SLOW_READER_MS = 30_000;

/**
 * Resolves when the stream accepts more, has closed, or the call is over. A reader that takes longer than `slowMs` ends
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

/** Resets a stream whose end is not read within `slowMs`. `stream` emits `close` once it is. */
export function breakOffUnread(stream: EventEmitter, slowMs: number, breakOff: () => void): void {
  const timer = setTimeout(breakOff, slowMs).unref();
  stream.once("close", () => clearTimeout(timer));
}

/** Cursor in a frame from which its reader can resume; empty if there is none. */
export function cursorOf(message: Message): string {
  const { frame } = message as unknown as { readonly frame?: { readonly value?: { readonly cursor?: string } } };
  return frame?.value?.cursor ?? "";
}
