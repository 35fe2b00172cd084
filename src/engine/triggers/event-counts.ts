/**
 * Counts what becomes of events and keeps the last of them, in memory, and adds both to the store once a second.
 */
import type { Log } from "../../base/log.ts";
import type { CountedEvents, KnownTrigger, TriggerEventStore, TriggerOutcome } from "../ports/bus/triggers.ts";
import { repeat } from "../shard/repeat.ts";

/** How often counts are stored, milliseconds. */
const EVERY_MS = 1_000;

/** Events of a trigger with one outcome that are kept of a second. */
const MOST_KEPT = 10;

/** Longest texts that are kept of an event, characters. */
const MAX_TEXT = 1_024;

/** Counts of metrics. */
export interface EventMetrics {
  counted(trigger: string, outcome: TriggerOutcome): void;
}

/** The event that is counted. */
export interface CountedEvent {
  readonly outcome: TriggerOutcome;
  readonly eventId: string;
  readonly runId: string;
  readonly problem: string;
}

export interface EventCounts {
  add(trigger: KnownTrigger, event: CountedEvent): void;
  stop(): Promise<void>;
}

export interface EventCountsParts {
  readonly store: Pick<TriggerEventStore, "addEvents">;
  readonly metrics: EventMetrics;
  readonly now: () => number;
  readonly log: Log;
}

export function countEvents({ store, metrics, now, log }: EventCountsParts): EventCounts {
  let counts = new Map<string, CountedEvents>();
  const add = (one: CountedEvents): void => {
    const key = `${one.tenantId}\0${one.triggerId}\0${one.outcome}`;
    const { count, last } = counts.get(key) ?? { count: 0, last: [] };
    counts.set(key, { ...one, count: count + one.count, last: [...last, ...one.last].slice(-MOST_KEPT) });
  };
  const flush = async (): Promise<void> => {
    if (counts.size === 0) return;
    const taken = counts;
    counts = new Map();
    try {
      await store.addEvents([...taken.values()]);
    } catch (error) {
      const since = counts;
      counts = taken;
      for (const one of since.values()) add(one);
      throw error;
    }
  };
  const repetition = repeat(flush, EVERY_MS, log);
  return {
    add({ tenantId, triggerId }, { outcome, eventId, runId, problem }) {
      metrics.counted(triggerId, outcome);
      const event = { at: now(), eventId: clean(eventId), runId, problem: clean(problem) };
      add({ tenantId, triggerId, outcome, count: 1, last: [event] });
    },
    async stop() {
      await repetition.stop();
      await flush().catch((error: unknown) => log.warn("counts of triggers could not be stored", { error }));
    },
  };
}

/** Text for a column. */
function clean(text: string): string {
  return text.slice(0, MAX_TEXT).replaceAll("\0", "").toWellFormed();
}
