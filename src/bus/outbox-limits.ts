/**
 * Measures the outbox while messages come, and closes its gate while it is full. Where nothing waits for the gate,
 * because messages are part of commits, the oldest ones fall out instead. A measurement counts the table, so the next
 * one comes after twenty times as long as it took: a small outbox is looked at every second, and one with a million
 * messages costs a twentieth of a connection. An empty one is not looked at.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../base/log.ts";
import type { DropOldest, Outbox } from "../engine/ports/bus/outbox.ts";
import { type Left, type NudgedLoop, startNudgedLoop } from "./nudged-loop.ts";

/** Shortest time between measurements, milliseconds. */
const EVERY_MS = 1_000;

/** Time between measurements for each millisecond of the last one. */
const PAUSE_FACTOR = 20;

/** The gate opens again below this part of the limits. */
const LOW = 0.8;

export interface OutboxLimitsParts {
  readonly outbox: Pick<Outbox, "measure">;
  readonly gate: {
    readonly isFull: boolean;
    set(backlog: { readonly messages: number; readonly bytes: number }, isFull: boolean): void;
  };
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** What happens while the outbox is full, for the log. */
  readonly meanwhile?: string;
  /** Deletes part of the messages that this instance sends; absent: none falls out. */
  dropOldest?(part: number): ReturnType<DropOldest>;
  readonly log: Log;
}

/** Starts to measure whenever it is nudged: something may have come into the outbox. */
export function keepOutboxLimits(parts: OutboxLimitsParts): NudgedLoop {
  const {
    outbox,
    gate,
    maxMessages,
    maxBytes,
    meanwhile = "tasks for topics and events wait",
    dropOldest,
    log,
  } = parts;
  let dropped = 0;
  const step = async (stopping: AbortSignal): Promise<Left> => {
    const from = performance.now();
    const backlog = await outbox.measure();
    const part = Math.max(backlog.messages / maxMessages, backlog.bytes / maxBytes);
    const isFull = part >= (gate.isFull ? LOW : 1);
    const fields = { ...backlog, maxMessages, maxBytes };
    if (isFull && !gate.isFull) log.error(`the outbox is full: ${meanwhile}`, fields);
    if (!isFull && gate.isFull) {
      log.info("the outbox has room again", dropOldest === undefined ? fields : { ...fields, dropped });
      dropped = 0;
    }
    gate.set(backlog, isFull);
    // Each instance drops the same part of its own.
    if (part >= 1) dropped += (await dropOldest?.(1 - LOW / part)) ?? 0;
    const pauseMs = Math.max(EVERY_MS, PAUSE_FACTOR * (performance.now() - from));
    // A stop ends the pause; a nudge does not.
    await sleep(pauseMs, undefined, { signal: stopping }).catch(() => {});
    return backlog.messages === 0 ? "nothing" : "more";
  };
  return startNudgedLoop({ step, failure: "the outbox cannot be measured", log });
}
