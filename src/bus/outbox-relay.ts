/**
 * Sends what is in the outbox, for the shards of this instance.
 *
 *   idle ──nudge──→ reading a page → sending it → deleting what was sent ─┐
 *     ↑ nothing is left                   ↑                               │
 *     └───────────────────────────────────┴───────────────────────────────┘
 *
 * Everything is read from the table: a row that exists is unsent, so no cursor can pass a commit that comes late. What
 * fails to be sent stays and is tried again after a pause; topics that do not exist are left out meanwhile. An
 * instance that dies between sending and deleting leaves messages that are sent twice.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../base/log.ts";
import type { Outbox, OutgoingId, StoredOutgoing } from "../engine/ports/bus/outbox.ts";

/** Messages of a page, about. */
const PAGE = 1_000;

/** Pauses after failures, milliseconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** What became of a page. */
export interface Delivery {
  readonly sent: readonly OutgoingId[];
  /** These can never be sent. */
  readonly rejected: readonly { readonly id: OutgoingId; readonly reason: string }[];
  /** Topics that take nothing for now, with the reason. */
  readonly failed: ReadonlyMap<string, string>;
}

/** Where messages go. */
export interface Destination {
  /** Sends messages; those of a topic with one key arrive in this order. Never rejects. */
  send(messages: readonly StoredOutgoing[]): Promise<Delivery>;
}

export interface OutboxRelayParts {
  readonly outbox: Outbox;
  readonly destination: Destination;
  readonly shards: { readonly owned: readonly number[] };
  readonly log: Log;
}

/** A running relay. */
export interface OutboxRelay {
  /** There may be something to send. */
  nudge(): void;
  /** Ends it after the page under way. What is unsent is the business of the next owner. */
  stop(): Promise<void>;
}

/** A topic that takes nothing for now. */
interface Blocked {
  readonly until: number;
  readonly pauseMs: number;
}

export function startOutboxRelay({ outbox, destination, shards, log }: OutboxRelayParts): OutboxRelay {
  const stop = new AbortController();
  const blocked = new Map<string, Blocked>();
  let nudged = false;
  let running: Promise<void> | null = null;

  /** Sends a page. Returns false when there was nothing to send. */
  const sendPage = async (): Promise<boolean> => {
    const now = performance.now();
    const without = [...blocked].flatMap(([topic, { until }]) => (until > now ? [topic] : []));
    const page = await outbox.list(shards.owned, PAGE, without);
    if (page.length === 0) return false;
    const { sent, rejected, failed } = await destination.send(page);
    if (sent.length > 0) await outbox.delete(sent);
    for (const { id, reason } of rejected) {
      await outbox.reject(id, reason);
      log.error("a message can never be sent and was rejected", { ...id, reason });
    }
    for (const topic of new Set(page.map(({ message }) => message.topic))) {
      const reason = failed.get(topic);
      if (reason === undefined) {
        if (blocked.delete(topic)) log.info("messages to a topic are sent again", { topic });
        continue;
      }
      const pauseMs = Math.min(2 * (blocked.get(topic)?.pauseMs ?? FIRST_PAUSE_MS / 2), LONGEST_PAUSE_MS);
      if (!blocked.has(topic)) log.warn("messages to a topic wait", { topic, reason });
      blocked.set(topic, { until: performance.now() + pauseMs, pauseMs });
    }
    return true;
  };

  const run = async (): Promise<void> => {
    let pauseMs = FIRST_PAUSE_MS;
    while (!stop.signal.aborted) {
      nudged = false;
      try {
        if (await sendPage()) continue;
        pauseMs = FIRST_PAUSE_MS;
        const [next] = [...blocked.values()].map(({ until }) => until).sort((a, b) => a - b);
        if (next === undefined) {
          if (!nudged) return;
          continue;
        }
        await pause(Math.max(next - performance.now(), 1));
      } catch (error) {
        log.warn("the outbox could not be read or emptied; it is tried again", { error });
        await pause(pauseMs);
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      }
    }
  };

  const pause = async (ms: number): Promise<void> => {
    // A stop ends the pause.
    await sleep(ms, undefined, { signal: stop.signal }).catch(() => {});
  };

  const nudge = (): void => {
    nudged = true;
    if (stop.signal.aborted) return;
    running ??= run().finally(() => {
      running = null;
      // It came after the last look at the table.
      if (nudged) nudge();
    });
  };

  return {
    nudge,
    async stop() {
      stop.abort();
      await running;
    },
  };
}
