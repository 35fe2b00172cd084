/**
 * Sends what is in the outbox, for the shards of this instance.
 *
 *   a page is read ──→ it is sent ──────────────────────────────→ what was sent is deleted
 *                      meanwhile the next page is read and encoded ──→ it is sent, …
 *
 * Everything is read from the table: a row that exists is unsent, so no cursor can pass a commit that comes late. One
 * page is on its way at a time, so messages of a run keep their order. What fails to be sent stays and is tried again
 * after a pause; topics that take nothing are left out meanwhile. An instance that dies between sending and deleting
 * leaves messages that are sent twice.
 */
import type { Log } from "../base/log.ts";
import type {
  ListHeldEvents,
  Outbox,
  OutgoingId,
  RejectedOutgoing,
  StoredOutgoing,
} from "../engine/ports/bus/outbox.ts";
import { type Left, startNudgedLoop } from "./nudged-loop.ts";

/** Pauses before a topic that failed is tried again, milliseconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** Pause between two looks at the outbox while events are held, milliseconds. */
export const HELD_PAUSE_MS = 500;

/** What became of a page. */
export interface Delivery {
  readonly sent: readonly OutgoingId[];
  /** These can never be sent. */
  readonly rejected: readonly RejectedOutgoing[];
  /** Topics that take nothing for now, with the reason. */
  readonly failed: ReadonlyMap<string, string>;
}

/** Messages, ready to be sent. */
export interface Encoded {
  /** Sends them; those of a topic with one key arrive in their order. Never rejects. */
  send(): Promise<Delivery>;
}

/** Where messages go. */
export interface Destination {
  encode(messages: readonly StoredOutgoing[]): Encoded;
}

export interface OutboxRelayParts {
  readonly outbox: Outbox;
  readonly destination: Destination;
  readonly shards: { readonly owned: readonly number[] };
  /** Events that the outbox does not list for now; absent: none. */
  readonly listHeld?: ListHeldEvents;
  /** Messages have arrived; when each was written, milliseconds since the epoch. */
  delivered(writtenAt: readonly number[]): void;
  /** Messages were rejected, durably. */
  rejected(messages: readonly RejectedOutgoing[]): void;
  readonly log: Log;
}

/** A running relay. */
export interface OutboxRelay {
  /** Says that there may be something to send. */
  nudge(): void;
  /** Ends it after the page under way. The next owner sends what is left. */
  stop(): Promise<void>;
}

/** Messages that were read and are not sent yet. */
interface Page {
  readonly ids: readonly OutgoingId[];
  /** When each was written, by {@link keyOf}. */
  readonly writtenAt: ReadonlyMap<string, number>;
  readonly topics: ReadonlySet<string>;
  readonly encoded: Encoded;
  /** Which events were held when it was read. */
  readonly held: string;
}

/** A topic that takes nothing for now. */
interface Blocked {
  readonly until: number;
  readonly pauseMs: number;
}

export function startOutboxRelay(parts: OutboxRelayParts): OutboxRelay {
  const { outbox, destination, shards, listHeld = () => [], delivered, rejected, log } = parts;
  const heldNow = (): string => JSON.stringify(listHeld());
  const blocked = new Map<string, Blocked>();
  let sent: readonly OutgoingId[] = [];
  let ahead: Page | null = null;

  const deleteSent = async (): Promise<void> => {
    if (sent.length === 0) return;
    await outbox.delete(sent);
    sent = [];
  };

  /** The next page; null: there is nothing to send. */
  const read = async (underWay: readonly OutgoingId[]): Promise<Page | null> => {
    const now = performance.now();
    const held = heldNow();
    const without = [...blocked].flatMap(([topic, { until }]) => (until > now ? [topic] : []));
    const messages = await outbox.list(shards.owned, underWay, without);
    if (messages.length === 0) return null;
    return {
      ids: messages.map(({ id }) => id),
      writtenAt: new Map(messages.map(({ id, message }) => [keyOf(id), message.at])),
      topics: new Set(messages.map(({ message }) => message.topic)),
      encoded: destination.encode(messages),
      held,
    };
  };

  const prepareNext = async (underWay: readonly OutgoingId[]): Promise<Page | null> => {
    const [page] = await Promise.all([read([...underWay, ...sent]), deleteSent()]);
    return page;
  };

  const note = (topics: ReadonlySet<string>, failed: Delivery["failed"]): void => {
    for (const topic of topics) {
      const reason = failed.get(topic);
      if (reason === undefined) {
        if (blocked.delete(topic)) log.info("messages to a topic are sent again", { topic });
        continue;
      }
      const pauseMs = Math.min(2 * (blocked.get(topic)?.pauseMs ?? FIRST_PAUSE_MS / 2), LONGEST_PAUSE_MS);
      if (!blocked.has(topic)) log.warn("messages to a topic wait", { topic, reason });
      blocked.set(topic, { until: performance.now() + pauseMs, pauseMs });
    }
  };

  const step = async (): Promise<Left> => {
    // What was switched off after a page was read is not sent with it.
    const isFresh = ahead?.held === heldNow();
    const page = (isFresh ? ahead : null) ?? (await prepareNext([]));
    ahead = null;
    if (page === null) {
      await deleteSent();
      const until = [...blocked.values()].map((one) => one.until);
      if (listHeld().length > 0) until.push(performance.now() + HELD_PAUSE_MS);
      return until.length === 0 ? "nothing" : { afterMs: Math.max(Math.min(...until) - performance.now(), 1) };
    }
    const preparing = prepareNext(page.ids);
    // It is awaited after the page is settled.
    preparing.catch(() => {});
    const delivery = await page.encoded.send();
    delivered(delivery.sent.flatMap((id) => page.writtenAt.get(keyOf(id)) ?? []));
    note(page.topics, delivery.failed);
    if (delivery.rejected.length > 0) {
      for (const { id, reason } of delivery.rejected) log.error("a message can never be sent", { ...id, reason });
      await outbox.reject(delivery.rejected);
      rejected(delivery.rejected);
    }
    try {
      const next = await preparing;
      // What came before on a topic that failed is sent first.
      if (delivery.failed.size === 0) ahead = next;
    } finally {
      sent = [...sent, ...delivery.sent];
    }
    return "more";
  };

  const loop = startNudgedLoop({ step, failure: "the outbox cannot be read or emptied", log });
  return {
    nudge: loop.nudge,
    async stop() {
      await loop.stop();
      await deleteSent().catch((error: unknown) => log.warn("messages may be sent again", { error }));
    },
  };
}

function keyOf({ shard, id }: OutgoingId): string {
  return `${shard} ${id}`;
}
