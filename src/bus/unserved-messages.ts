/**
 * Messages for places that nobody serves: an endpoint that was taken out of the configuration, topics without Kafka.
 *
 *   start → what was kept for places that are served again is sent
 *         → look, every minute and when shards are taken: events are kept as UNSERVED, where operators see and
 *           drop them; tasks and answers, which runs rely on, wait. The log names each place once.
 *
 * Instances may differ for a while during a deployment: what one keeps, the next one that serves the place sends.
 */
import type { Log } from "../base/log.ts";
import type {
  DestinationName,
  OutboxPlace,
  PlaceOutbox,
  RejectedOutgoing,
  UnservedOutbox,
} from "../engine/ports/bus/outbox.ts";
import { type Left, type NudgedLoop, startNudgedLoop } from "./nudged-loop.ts";

/** Messages of a page. */
const PAGE = 500;

/** How often places are looked for, milliseconds. */
const EVERY_MS = 60_000;

/** The places that are served, by destination: some of them, all, or none. */
export type ServedPlaces = Readonly<Record<DestinationName, ReadonlySet<string> | "all" | "none">>;

/** Destinations of events only: no run waits for what becomes of their messages. */
const OF_EVENTS: ReadonlySet<DestinationName> = new Set(["webhook", "stream"]);

export interface UnservedMessagesParts {
  readonly outbox: UnservedOutbox;
  readonly served: ServedPlaces;
  readonly shards: { readonly owned: readonly number[] };
  /** So many messages of all shards wait for a place that is not served; 0 when none do any more. */
  waiting(destination: DestinationName, place: string, messages: number): void;
  /** Messages became undelivered, durably. */
  rejected(destination: DestinationName, messages: readonly RejectedOutgoing[]): void;
  /** Undelivered messages are to be sent again. */
  restored(): void;
  readonly log: Log;
}

/** Looks at once, every minute, and whenever it is nudged. */
export function keepUnservedMessages(parts: UnservedMessagesParts): NudgedLoop {
  const { outbox, served, shards, waiting, rejected, log } = parts;
  const known = new Map<string, OutboxPlace>();
  let isRestored = false;

  const isServed = ({ destination, place }: OutboxPlace): boolean => {
    const places = served[destination];
    return places === "all" || (places !== "none" && places.has(place));
  };

  const restore = async (): Promise<void> => {
    let total = 0;
    for (const [destination, places] of Object.entries(served) as [DestinationName, ServedPlaces[DestinationName]][]) {
      if (places === "none") continue;
      const names = places === "all" ? null : [...places];
      for (let count = PAGE; count === PAGE; total += count) count = await outbox.restore(destination, names, PAGE);
    }
    isRestored = true;
    if (total === 0) return;
    log.info("messages are sent whose places are served again", { messages: total });
    parts.restored();
  };

  const keepAsUnserved = async ({ destination, place }: OutboxPlace, from: PlaceOutbox): Promise<void> => {
    const reason = `the configuration names no ${destination === "webhook" ? "endpoint" : "server"} for ${place}`;
    // A page ends early when it has many bytes: only an empty one is the last.
    for (let page = await from.list(shards.owned, [], PAGE); page.length > 0; ) {
      const messages = page.map(({ id }) => ({ id, code: "UNSERVED", reason }) as const);
      await from.reject(messages);
      rejected(destination, messages);
      page = await from.list(shards.owned, [], PAGE);
    }
  };

  const look = async (one: OutboxPlace): Promise<void> => {
    const { destination, place } = one;
    const from = outbox.of(destination, place);
    const { messages } = await from.measure();
    const isOfEvents = OF_EVENTS.has(destination);
    if (messages > 0 && !known.has(keyOf(one))) {
      known.set(keyOf(one), one);
      const what = isOfEvents ? "are kept as undelivered; see `messages list`" : "wait";
      log.warn(`messages for a place that the configuration does not name ${what}`, { destination, place, messages });
    }
    if (isOfEvents) await keepAsUnserved(one, from);
    waiting(destination, place, isOfEvents ? (await from.measure()).messages : messages);
  };

  const step = async (): Promise<Left> => {
    if (!isRestored) await restore();
    const unserved = (await outbox.listPlaces()).filter((one) => !isServed(one));
    for (const one of unserved) await look(one);
    const found = new Set(unserved.map(keyOf));
    for (const [key, { destination, place }] of known) {
      if (found.has(key)) continue;
      known.delete(key);
      waiting(destination, place, 0);
    }
    return { afterMs: EVERY_MS };
  };

  const loop = startNudgedLoop({ step, failure: "the outbox cannot be searched for places that nobody serves", log });
  loop.nudge();
  return loop;
}

function keyOf({ destination, place }: OutboxPlace): string {
  return `${destination}\0${place}`;
}
