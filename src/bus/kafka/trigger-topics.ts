/** Topics of triggers: each message is an event for every trigger of its topic. Many triggers read a topic once. */
import { readJsonOrText, readText } from "../../base/json/json-or-text.ts";
import { readTraceContext } from "../../base/traces/trace-context.ts";
import type { InboundMessage } from "../../engine/ports/bus/inbound.ts";
import type { KnownTrigger, TriggerEvents } from "../../engine/ports/bus/triggers.ts";
import { applyToTrigger, type TriggerEvent, typeOf } from "../trigger-event.ts";
import type { Handle } from "./broker-reads.ts";
import { type UntilDoneParts, untilDone } from "./inbound.ts";

/** Where a topic that nobody has read begins. */
type Reset = "latest" | "earliest";

export interface TriggerTopicsParts extends UntilDoneParts {
  readonly events: Pick<TriggerEvents, "list" | "find" | "apply" | "count">;
  /** The topics that are read, with what takes their messages; those of triggers are kept up to date in it. */
  readonly topics: Map<string, Handle>;
  readonly resets: Map<string, Reset>;
}

/** Keeps the topics of triggers among those that are read. Call the result when triggers may have changed. */
export function followTriggerTopics(parts: TriggerTopicsParts): () => void {
  const { events, topics, resets } = parts;
  const own = new Set(topics.keys());
  const handle: Handle = (messages) =>
    messages.map(async (message) => {
      const event = toEvent(message);
      const listens = (trigger: KnownTrigger): boolean => topicOf(trigger)?.topic === message.topic;
      const applyTo = (trigger: KnownTrigger) =>
        untilDone(parts, message, (ownerDied) => applyToTrigger(events, trigger, listens, event, ownerDied));
      await Promise.all(events.list().filter(listens).map(applyTo));
    });
  return () => {
    const wanted = new Map(
      events.list().flatMap((trigger): [string, Reset | undefined][] => {
        const source = topicOf(trigger);
        return source === null || own.has(source.topic) ? [] : [[source.topic, source.offset_reset]];
      }),
    );
    for (const topic of topics.keys()) if (!own.has(topic) && !wanted.has(topic)) topics.delete(topic);
    for (const [topic, reset] of wanted) {
      topics.set(topic, handle);
      if (reset !== undefined) resets.set(topic, reset);
    }
  };
}

function topicOf({ compiled }: KnownTrigger) {
  const source = compiled?.document.source;
  return source?.type === "kafka" ? source : null;
}

/** Largest instant of a date, milliseconds. */
const LAST_INSTANT = 8.64e15;

function toEvent({ clusterId, topicId, partition, offset, key, value, headers, sentAt }: InboundMessage): TriggerEvent {
  const texts = headers.flatMap(([name, text]): [string, string][] => {
    const read = [name, text].map((bytes) => (bytes === null ? null : readText(bytes)));
    return typeof read[0] === "string" && typeof read[1] === "string" ? [[read[0], read[1]]] : [];
  });
  const named = Object.fromEntries(texts);
  const body = readJsonOrText(value);
  return {
    id: `${clusterId}/${topicId}/${partition}/${offset}`,
    type: typeOf(named["ce_type"], body),
    source: "kafka",
    at: Math.min(Math.max(sentAt, 0), LAST_INSTANT),
    key: key === null ? null : readText(key),
    headers: named,
    body,
    trace: readTraceContext((name) => named[name] ?? ""),
  };
}
