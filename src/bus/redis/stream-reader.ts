/**
 * Reads a Stream with a consumer group, one for the service, one consumer for each instance:
 *
 *   added → read by one instance → handled ── done → acknowledged
 *                └── the instance died, or did not get it done: idle for 30 s → claimed by another → handled
 *
 * An entry is acknowledged after what it asks for is durable, so each is handled at least once. A group that is gone
 * (the Stream was deleted, or Redis emptied) is made again at the beginning of the Stream. Reads block, so they have a
 * connection of their own; what is under way is bounded, and beyond it nothing is read.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { Log } from "../../base/log.ts";
import { type ConnectionState, ConnectionWatch } from "../../base/net/connection-state.ts";
import { createRedisClient, type RedisAddress, reasonOf } from "./client.ts";
import {
  type HandleMessages,
  MESSAGE_FIELD,
  type MessageCounts,
  type RedisMessage,
  STREAM_PREFIX,
  type Verdict,
} from "./messages.ts";

/** How long a read waits for entries, milliseconds. */
const BLOCK_MS = 2_000;
/** After this silence, beyond what a read waits, the server counts as away, milliseconds. */
const SILENCE_MS = 2_000;
/** Pause after a failure, or while there is no connection, milliseconds. */
const PAUSE_MS = 250;
/** Most entries of a read, and about how many bytes. */
const MAX_COUNT = 500;
const READ_BYTES = 4 * 1_024 * 1_024;
/** Nothing is read while so many entries or bytes are under way. */
const MAX_UNDER_WAY = 2_000;
const MAX_UNDER_WAY_BYTES = 16 * 1_024 * 1_024;
/** An entry that nobody has acknowledged for so long is claimed, milliseconds; and how often it is looked. */
const CLAIM_IDLE_MS = 30_000;
const CLAIM_EVERY_MS = 10_000;
/** Consumers without entries are removed after so long, milliseconds; and how often it is looked. */
const CONSUMER_IDLE_MS = 3_600_000;
const CONSUMERS_EVERY_MS = 600_000;
/** How long a stop waits for entries under way, milliseconds. */
const STOP_MS = 2_000;

export interface StreamReaderParts {
  readonly address: RedisAddress;
  /** The name of the Stream, with the prefix that marks Streams. */
  readonly source: string;
  readonly group: string;
  readonly consumer: string;
  readonly handle: HandleMessages;
  readonly now: () => number;
  readonly counts: MessageCounts;
  readonly log: Log;
}

/** A running reader. */
export interface StreamReader {
  readonly connection: ConnectionState;
  /** Ends it. Entries under way are awaited for a moment; those that are not done are claimed by another instance. */
  stop(): Promise<void>;
}

export function startStreamReader(parts: StreamReaderParts): StreamReader {
  const reader = new Reader(parts);
  const running = reader.run();
  return {
    get connection() {
      return reader.watch.state;
    },
    stop: async () => {
      reader.abort();
      await running;
    },
  };
}

/** An entry as Redis gives it: its id, and names and values in turn. Null: it was deleted. */
type Entry = readonly [Buffer, readonly Buffer[]] | null;

class Reader {
  readonly watch: ConnectionWatch;
  readonly #parts: StreamReaderParts;
  readonly #stream: string;
  readonly #stop = new AbortController();
  /** Blocks. */
  readonly #reads: Redis;
  readonly #commands: Redis;
  /** Bytes of entries that are not acknowledged, by id. */
  readonly #underWay = new Map<string, number>();
  #bytes = 0;
  #done: string[] = [];
  #acknowledging: Promise<void> | null = null;
  #hasRoom = Promise.withResolvers<void>();
  #hasGroup = false;
  #averageBytes = 1_024;
  #claimAt = 0;
  #consumersAt = performance.now() + CONSUMERS_EVERY_MS;

  constructor(parts: StreamReaderParts) {
    this.#parts = parts;
    this.#stream = parts.source.slice(STREAM_PREFIX.length);
    const stream = this.#stream;
    this.watch = new ConnectionWatch(({ connected, problem: reason }) => {
      if (connected) parts.log.info("a stream is read", { stream, group: parts.group });
      else parts.log.warn("a stream cannot be read; it is tried again", { stream, reason });
    });
    this.#reads = this.#connect();
    this.#commands = this.#connect();
  }

  abort(): void {
    this.#stop.abort();
    // It may block, and a server that stands still answers nothing.
    this.#reads.disconnect();
    if (this.#underWay.size === 0) this.#commands.disconnect();
    else setTimeout(() => this.#commands.disconnect(), STOP_MS).unref();
  }

  async run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        if (this.#reads.status !== "ready" || this.#commands.status !== "ready") await this.#pause();
        else if (this.#isFull) await this.#awaitRoom();
        else await this.#step();
      } catch (error) {
        if (signal.aborted) break;
        if (isGroupGone(error)) this.#hasGroup = false;
        else {
          this.watch.down(reasonOf(error));
          await this.#pause();
        }
      }
    }
    const until = performance.now() + STOP_MS;
    while (this.#underWay.size > 0 && performance.now() < until) await sleep(10);
    this.#commands.disconnect();
  }

  get #isFull(): boolean {
    return this.#underWay.size >= MAX_UNDER_WAY || this.#bytes >= MAX_UNDER_WAY_BYTES;
  }

  #connect(): Redis {
    const client = createRedisClient(this.#parts.address);
    client.on("error", (error: unknown) => this.watch.down(reasonOf(error)));
    client.on("close", () => {
      if (!this.#stop.signal.aborted) this.watch.down("the connection was closed");
    });
    // What fails here is reported by the events.
    client.connect().catch(() => {});
    return client;
  }

  async #step(): Promise<void> {
    const { group, consumer } = this.#parts;
    if (!this.#hasGroup) await this.#createGroup();
    const now = performance.now();
    if (now >= this.#claimAt) {
      await this.#claim();
      this.#claimAt = performance.now() + CLAIM_EVERY_MS;
    }
    if (now >= this.#consumersAt) {
      this.#consumersAt = now + CONSUMERS_EVERY_MS;
      await this.#removeConsumers();
    }
    const silence = setTimeout(
      () => this.watch.down(`no answer for ${BLOCK_MS + SILENCE_MS} ms`),
      BLOCK_MS + SILENCE_MS,
    );
    try {
      const answer = await this.#reads.xreadgroupBuffer(
        ...(["GROUP", group, consumer, "COUNT", this.#count] as const),
        ...(["BLOCK", BLOCK_MS, "STREAMS", this.#stream, ">"] as const),
      );
      this.watch.up();
      const [read] = (answer ?? []) as readonly (readonly [Buffer, readonly Entry[]])[];
      if (read !== undefined) this.#take(read[1], false);
    } finally {
      clearTimeout(silence);
    }
  }

  get #count(): number {
    const room = Math.min(READ_BYTES, MAX_UNDER_WAY_BYTES - this.#bytes);
    return Math.max(1, Math.min(MAX_COUNT, MAX_UNDER_WAY - this.#underWay.size, Math.floor(room / this.#averageBytes)));
  }

  /** From the beginning: what is handled a second time is told apart by its id. */
  async #createGroup(): Promise<void> {
    const { group, log } = this.#parts;
    try {
      await this.#commands.xgroup("CREATE", this.#stream, group, "0", "MKSTREAM");
      log.info("a consumer group was made", { stream: this.#stream, group });
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("BUSYGROUP"))) throw error;
    }
    this.#hasGroup = true;
  }

  /** Takes over what an instance that died has not acknowledged, and what was lost on its way to this one. */
  async #claim(): Promise<void> {
    const { group, consumer, source, counts } = this.#parts;
    for (let from = "0-0"; ; ) {
      const [next, entries] = (await this.#commands.callBuffer(
        "XAUTOCLAIM",
        ...[this.#stream, group, consumer, CLAIM_IDLE_MS, from, "COUNT", Math.min(this.#count, 100)],
      )) as readonly [Buffer, readonly Entry[]];
      const claimed = this.#take(entries, true);
      if (claimed > 0) counts.counted(source, "claimed", claimed);
      from = next.toString("latin1");
      if (from === "0-0" || this.#isFull) return;
    }
  }

  async #removeConsumers(): Promise<void> {
    const { group } = this.#parts;
    const consumers = (await this.#commands.xinfo("CONSUMERS", this.#stream, group)) as readonly unknown[][];
    for (const fields of consumers) {
      const fieldOf = (name: string): unknown => fields[fields.indexOf(name) + 1];
      if (fieldOf("pending") !== 0 || Number(fieldOf("idle")) < CONSUMER_IDLE_MS) continue;
      await this.#commands.xgroup("DELCONSUMER", this.#stream, group, String(fieldOf("name")));
    }
  }

  /** Handles entries; returns how many there are that are not under way already. */
  #take(entries: readonly Entry[], again: boolean): number {
    const { source, now, counts } = this.#parts;
    const seenAt = now();
    const messages = entries.flatMap((entry) => {
      if (entry === null) return [];
      const entryId = entry[0].toString("latin1");
      if (this.#underWay.has(entryId)) return [];
      const value = messageOf(entry[1]);
      this.#underWay.set(entryId, value.length);
      this.#bytes += value.length;
      this.#averageBytes = Math.max(256, 0.9 * this.#averageBytes + 0.1 * value.length, value.length / 16);
      return [{ source, entryId, value, seenAt, again }];
    });
    if (messages.length === 0) return 0;
    counts.counted(source, "received", messages.length);
    for (const [index, verdict] of this.#handle(messages).entries()) {
      const entryId = messages[index]?.entryId;
      if (entryId !== undefined) void verdict.then((word) => this.#settle(entryId, word));
    }
    return messages.length;
  }

  /** A bug of a handler costs the entries at hand: they are claimed again. */
  #handle(messages: readonly RedisMessage[]): readonly Promise<Verdict>[] {
    const { handle, source, log } = this.#parts;
    try {
      return handle(messages);
    } catch (error) {
      log.error("entries could not be handled", { source, error });
      return messages.map(async () => "elsewhere");
    }
  }

  #settle(entryId: string, verdict: Verdict): void {
    // It is claimed again, by this instance or another.
    if (verdict === "elsewhere") {
      this.#forget([entryId]);
      return;
    }
    this.#done.push(entryId);
    this.#acknowledging ??= this.#acknowledge().finally(() => {
      this.#acknowledging = null;
    });
  }

  /** Acknowledges what is done, however long it takes: until then it counts as under way. */
  async #acknowledge(): Promise<void> {
    // What is done in one turn of the event loop is acknowledged together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#done.length > 0) {
      const ids = this.#done.splice(0, MAX_COUNT);
      try {
        await this.#commands.xack(this.#stream, this.#parts.group, ...ids);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (!isGroupGone(error) && !isOfAnotherType(error)) {
          this.watch.down(reasonOf(error));
          this.#done.unshift(...ids);
          await this.#pause();
          continue;
        }
      }
      this.#forget(ids);
    }
  }

  #forget(ids: readonly string[]): void {
    for (const id of ids) {
      this.#bytes -= this.#underWay.get(id) ?? 0;
      this.#underWay.delete(id);
    }
    this.#hasRoom.resolve();
    this.#hasRoom = Promise.withResolvers();
  }

  async #awaitRoom(): Promise<void> {
    // Half a window at a time would wait for the slowest: a little room is enough.
    await Promise.race([this.#hasRoom.promise, this.#pause()]);
  }

  async #pause(): Promise<void> {
    // A stop ends the pause.
    await sleep(PAUSE_MS, undefined, { signal: this.#stop.signal }).catch(() => {});
  }
}

/** The message of an entry: the field of that name, or the only one. Empty if there is neither. */
function messageOf(fields: readonly Buffer[]): Buffer {
  const [name, only] = fields;
  if (fields.length === 2 && name !== undefined) return only ?? Buffer.alloc(0);
  for (let at = 0; at < fields.length; at += 2)
    if (fields[at]?.equals(Buffer.from(MESSAGE_FIELD)) === true) return fields[at + 1] ?? Buffer.alloc(0);
  return Buffer.alloc(0);
}

/** Redis was emptied, or the Stream or its group deleted. */
function isGroupGone(error: unknown): boolean {
  return error instanceof Error && /^(NOGROUP|UNBLOCKED)/.test(error.message);
}

/** Somebody has written something else to the name. */
function isOfAnotherType(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("WRONGTYPE");
}
