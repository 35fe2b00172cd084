/**
 * Streams of triggers: each entry is an event for every trigger of its Stream and group. Many triggers with one group
 * read a Stream once.
 */
import { readJsonOrText, readText } from "../../base/json/json-or-text.ts";
import type { Log } from "../../base/log.ts";
import { readTraceContext } from "../../base/traces/trace-context.ts";
import type { KnownTrigger, TriggerEvents } from "../../engine/ports/bus/triggers.ts";
import { applyMessage, type Problem } from "../apply-message.ts";
import { OwnerDeaths } from "../owner-deaths.ts";
import { applyToTrigger, type TriggerEvent, typeOf } from "../trigger-event.ts";
import { type RedisMessage, STREAM_PREFIX, type Verdict } from "./messages.ts";
import { type StreamReader, type StreamReaderParts, startStreamReader } from "./stream-reader.ts";

export interface TriggerStreamsParts extends Pick<StreamReaderParts, "address" | "consumer" | "now" | "counts"> {
  readonly events: Pick<TriggerEvents, "list" | "find" | "apply" | "count">;
  /** The group of triggers that name none. */
  readonly group: string;
  /** See owner-deaths.ts, for tests. */
  readonly pauseMs?: number | undefined;
  readonly log: Log;
}

/** Readers of the Streams of triggers. */
export interface TriggerStreams {
  /** Triggers may have changed: begins to read, and ends. */
  follow(): void;
  readonly connections: readonly StreamReader["connection"][];
  stop(): Promise<void>;
}

export function readTriggerStreams(parts: TriggerStreamsParts): TriggerStreams {
  const { events, group: usual, pauseMs, log, ...common } = parts;
  const readers = new Map<string, StreamReader>();
  const ending = new Set<Promise<void>>();
  const stopping = new AbortController();
  const ownerDeaths = new OwnerDeaths({ stopping: stopping.signal, pauseMs });

  const apply = async (key: string, message: RedisMessage): Promise<Verdict> => {
    const event = toEvent(message, common.now());
    const listens = (trigger: KnownTrigger): boolean => keyOf(trigger, usual) === key;
    const problems: Problem[] = [];
    const applyTo = (trigger: KnownTrigger) =>
      applyMessage({
        apply: ownerDeaths.attemptsOf(
          (ownerDied) => applyToTrigger(events, trigger, listens, event, ownerDied),
          () => message.ownerDied?.(),
        ),
        refuse: async (problem) => void problems.push(problem),
        ...{ stopping: stopping.signal, log },
      });
    const ends = await Promise.all(events.list().filter(listens).map(applyTo));
    // This instance stops, and the entry is claimed by another one.
    if (ends.includes("left")) return "elsewhere";
    const [first] = problems;
    if (first === undefined) return "done";
    return { reason: first.reason, message: problems.map((problem) => problem.message).join("; ") };
  };

  return {
    follow() {
      if (stopping.signal.aborted) return;
      const wanted = new Set(events.list().flatMap((trigger) => keyOf(trigger, usual) ?? []));
      for (const [key, reader] of readers) {
        if (wanted.has(key)) continue;
        readers.delete(key);
        const end = reader.stop().finally(() => ending.delete(end));
        ending.add(end);
      }
      for (const key of wanted) {
        if (readers.has(key)) continue;
        const [stream = "", group = usual] = key.split("\0");
        const handle = (messages: readonly RedisMessage[]) => messages.map((message) => apply(key, message));
        readers.set(
          key,
          startStreamReader({ ...common, streams: new Map([[STREAM_PREFIX + stream, handle]]), group, log }),
        );
      }
    },
    get connections() {
      return [...readers.values()].map(({ connection }) => connection);
    },
    async stop() {
      stopping.abort();
      await Promise.all([...ending, ...[...readers.values()].map((reader) => reader.stop())]);
    },
  };
}

/** What is read together; null: the trigger has another source. */
function keyOf({ compiled }: KnownTrigger, usual: string): string | null {
  const source = compiled?.document.source;
  return source?.type === "redis" ? `${source.stream}\0${source.group ?? usual}` : null;
}

/** Fields that hold the body; an only field does, too. The others are headers. */
const BODY_FIELDS = ["message", "payload", "body"];

function toEvent({ source, entryId, fields = [] }: RedisMessage, now: number): TriggerEvent {
  const headers: Record<string, string> = {};
  let body: Buffer | null = fields.length === 2 ? (fields[1] ?? null) : null;
  for (let at = 0; at < fields.length; at += 2) {
    const [name, value] = [fields[at], fields[at + 1]].map((bytes) => (bytes === undefined ? null : readText(bytes)));
    if (fields.length > 2 && BODY_FIELDS.includes(name ?? "")) body ??= fields[at + 1] ?? null;
    else if (fields.length > 2 && typeof name === "string" && typeof value === "string") headers[name] = value;
  }
  const value = readJsonOrText(body);
  const sentAt = Number(/^\d{1,15}/.exec(entryId ?? "")?.[0] ?? now);
  return {
    id: `${source.slice(STREAM_PREFIX.length)}/${entryId}`,
    type: typeOf(headers["type"], value),
    source: "redis",
    at: sentAt,
    key: null,
    headers,
    body: value,
    trace: readTraceContext((name) => headers[name] ?? ""),
  };
}
