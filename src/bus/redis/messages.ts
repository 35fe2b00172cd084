/** Messages that come over Redis, whichever way. */
import type { Problem } from "../apply-message.ts";

/** Names with this prefix are Streams; others are channels of pub/sub. */
export const STREAM_PREFIX = "stream:";

/** The name with the prefix that the configuration puts before all of them. */
export function withPrefix(name: string, prefix: string): string {
  return name.startsWith(STREAM_PREFIX) ? STREAM_PREFIX + prefix + name.slice(STREAM_PREFIX.length) : prefix + name;
}

/** The field of an entry of a Stream that has the message. */
export const MESSAGE_FIELD = "message";

/** A message as it came. */
export interface RedisMessage {
  /** The channel or Stream, as the configuration names it. */
  readonly source: string;
  /** Id of the entry of a Stream; null for pub/sub. */
  readonly entryId: string | null;
  readonly value: Buffer;
  /** Names and values of an entry in turn; absent for pub/sub. */
  readonly fields?: readonly Buffer[];
  /** When this instance saw it, milliseconds since the epoch by the clock of the database. */
  readonly seenAt: number;
  /** It was delivered before: this instance has taken shards since, or an entry was claimed. */
  readonly again: boolean;
  /** To be called each time an instance has gone to which the message had been given; absent for pub/sub. */
  ownerDied?(): void;
}

/**
 * What becomes of a message. `done`: it is applied, or rejected for good. `elsewhere`: it belongs to a shard of another
 * instance. One of pub/sub is then kept for a while, in case that shard comes here; an entry of a Stream stays
 * unacknowledged, so handlers of Streams send to the owner what is not theirs. A problem: it can never be applied. An
 * entry of a Stream is then kept in the Stream `<name>:rejected`; one of pub/sub is done.
 */
export type Verdict = "done" | "elsewhere" | Problem;

/** Takes messages of one source. Each promise resolves once its message is durable or rejected, and never rejects. */
export type HandleMessages = (messages: readonly RedisMessage[]) => readonly Promise<Verdict>[];

/** What happened to messages on their way, for metrics. */
export interface MessageCounts {
  /**
   * `dropped`: too much was kept for shards of other instances, and one of these fell out. `applied`, `refused`: what
   * became of it here.
   */
  counted(source: string, what: "received" | "dropped" | "claimed" | "applied" | "refused", count: number): void;
}
