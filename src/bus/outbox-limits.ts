/**
 * Measures the outbox while messages come, and closes its gate while it is full. A measurement counts the table, so
 * the next one comes after twenty times as long as it took: a small outbox is looked at every second, and one with a
 * million messages costs a twentieth of a connection. An empty one is not looked at.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../base/log.ts";
import type { Outbox } from "../engine/ports/bus/outbox.ts";

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
  readonly log: Log;
}

/** Watches the outbox. */
export interface OutboxLimits {
  /** Something may have come into the outbox. Cheap. */
  nudge(): void;
  stop(): Promise<void>;
}

export function keepOutboxLimits({ outbox, gate, maxMessages, maxBytes, log }: OutboxLimitsParts): OutboxLimits {
  const stop = new AbortController();
  let nudged = false;
  let running: Promise<void> | null = null;
  let isWell = true;

  const measure = async (): Promise<boolean> => {
    const backlog = await outbox.measure();
    const part = Math.max(backlog.messages / maxMessages, backlog.bytes / maxBytes);
    const isFull = part >= (gate.isFull ? LOW : 1);
    const fields = { ...backlog, maxMessages, maxBytes };
    if (isFull && !gate.isFull) log.error("the outbox is full: tasks for topics and events wait", fields);
    if (!isFull && gate.isFull) log.info("the outbox has room again", fields);
    gate.set(backlog, isFull);
    return backlog.messages === 0;
  };

  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      nudged = false;
      const from = performance.now();
      let isEmpty = false;
      try {
        isEmpty = await measure();
        isWell = true;
      } catch (error) {
        if (isWell) log.warn("the outbox cannot be measured; it is tried again", { error });
        isWell = false;
      }
      const pauseMs = Math.max(EVERY_MS, PAUSE_FACTOR * (performance.now() - from));
      // A stop ends the pause.
      await sleep(pauseMs, undefined, { signal: stop.signal }).catch(() => {});
      if (isEmpty && !nudged) return;
    }
  };

  return {
    nudge() {
      nudged = true;
      if (stop.signal.aborted || running !== null) return;
      running = run().finally(() => {
        running = null;
      });
    },
    async stop() {
      stop.abort();
      await running;
    },
  };
}
