/**
 * Reads Streams with a consumer group, one for the service, one consumer for each instance:
 *
 *   added → read by one instance → handled ── done → acknowledged
 *                └── the instance died, or did not get it done: idle for 30 s → claimed by another → handled
 *
 * An entry is acknowledged after what it asks for is durable, so each is handled at least once. A group that is gone
 * (the Stream was deleted, or Redis emptied) is made again at the beginning of the Stream. Reads block, so they have a
 * connection of their own, one for all Streams of a reader; what is under way is bounded, and beyond it nothing is
 * read. A Stream that cannot be read, because its name is something else, holds up no other.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { Log } from "../../base/log.ts";
import { type ConnectionState, ConnectionWatch, noteSilence } from "../../base/net/connection-state.ts";
import { createRedisClient, type RedisAddress, reasonOf } from "./client.ts";
import type { HandleMessages, MessageCounts } from "./messages.ts";
import { isGroupGone, isOfAnotherType, ReadStream, type StreamEntry } from "./read-stream.ts";
import { StreamLoad } from "./stream-load.ts";

/** How long a read waits for entries, milliseconds. */
const BLOCK_MS = 2_000;
/** After this silence, beyond what a read waits, the server counts as away, milliseconds. */
const SILENCE_MS = 2_000;
/** Pause after a failure, or while there is no connection, milliseconds. */
const PAUSE_MS = 250;
/** How often to look for entries that nobody has acknowledged, milliseconds. */
const CLAIM_EVERY_MS = 10_000;
/** How often to look for consumers that are gone, milliseconds. */
const CONSUMERS_EVERY_MS = 600_000;
/** How long a stop waits for entries under way, milliseconds. */
const STOP_MS = 2_000;

export interface StreamReaderParts {
  readonly address: RedisAddress;
  /** Streams, by their names with the prefix that marks Streams. */
  readonly streams: ReadonlyMap<string, HandleMessages>;
  readonly group: string;
  readonly consumer: string;
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

class Reader {
  readonly watch: ConnectionWatch;
  readonly #parts: StreamReaderParts;
  readonly #streams: readonly ReadStream[];
  readonly #stop = new AbortController();
  /** Blocks. */
  readonly #reads: Redis;
  readonly #commands: Redis;
  readonly #load = new StreamLoad();
  #claimAt = 0;
  #consumersAt = performance.now() + CONSUMERS_EVERY_MS;

  constructor(parts: StreamReaderParts) {
    const { streams, group, log } = parts;
    this.#parts = parts;
    this.watch = new ConnectionWatch(({ connected, problem: reason }) => {
      const names = this.#streams.map(({ name }) => name);
      if (connected) log.info("streams are read", { streams: names, group });
      else log.warn("streams cannot be read; it is tried again", { streams: names, reason });
    });
    const failed = (error: unknown): void => {
      if (!this.#stop.signal.aborted) this.watch.down(reasonOf(error));
    };
    const pause = async (): Promise<boolean> => {
      await this.#pause();
      return !this.#stop.signal.aborted;
    };
    this.#reads = this.#connect();
    const commands = this.#connect();
    this.#commands = commands;
    this.#streams = [...streams].map(
      ([source, handle]) => new ReadStream({ ...parts, source, handle, commands, load: this.#load, failed, pause }),
    );
  }

  abort(): void {
    this.#stop.abort();
    // It may block, and a server that stands still answers nothing.
    this.#reads.disconnect();
    if (this.#load.isEmpty) this.#commands.disconnect();
    else setTimeout(() => this.#commands.disconnect(), STOP_MS).unref();
  }

  async run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        if (this.#reads.status !== "ready" || this.#commands.status !== "ready") await this.#pause();
        // Half a window at a time would wait for the slowest: a little room is enough.
        else if (this.#load.isFull) await Promise.race([this.#load.less, this.#pause()]);
        else await this.#step();
      } catch (error) {
        if (signal.aborted) break;
        // Which one it is shows when the groups are made.
        if (isGroupGone(error) || isOfAnotherType(error)) for (const stream of this.#streams) stream.hasGroup = false;
        else {
          this.watch.down(reasonOf(error));
          await this.#pause();
        }
      }
    }
    const until = performance.now() + STOP_MS;
    while (!this.#load.isEmpty && performance.now() < until) await sleep(10);
    this.#commands.disconnect();
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
    const streams = await this.#readable();
    if (streams.length === 0) return this.#pause();
    const now = performance.now();
    if (now >= this.#claimAt) this.#claim(streams);
    if (now >= this.#consumersAt) {
      this.#consumersAt = now + CONSUMERS_EVERY_MS;
      for (const stream of streams) await stream.removeConsumers();
    }
    await this.#read(streams);
  }

  /** What is claimed is tried beside the reads: some of it may take its time. */
  #claim(streams: readonly ReadStream[]): void {
    this.#claimAt = Number.POSITIVE_INFINITY;
    const claiming = async (): Promise<void> => {
      for (const stream of streams) await stream.claim();
    };
    void claiming()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#claimAt = performance.now() + CLAIM_EVERY_MS;
      });
  }

  #failed(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    // Which one it is shows when the groups are made.
    if (isGroupGone(error) || isOfAnotherType(error)) for (const stream of this.#streams) stream.hasGroup = false;
    else this.watch.down(reasonOf(error));
  }

  /** Makes groups that are missing. */
  async #readable(): Promise<readonly ReadStream[]> {
    const now = performance.now();
    let problem = "";
    for (const stream of this.#streams) {
      if (stream.hasGroup) continue;
      if (stream.restsUntil <= now)
        try {
          await stream.createGroup();
          continue;
        } catch (error) {
          if (!isOfAnotherType(error)) throw error;
          stream.restsUntil = now + BLOCK_MS;
        }
      problem = `WRONGTYPE: ${stream.name} is no stream`;
    }
    if (problem !== "") this.watch.down(problem);
    return this.#streams.filter(({ hasGroup }) => hasGroup);
  }

  async #read(streams: readonly ReadStream[]): Promise<void> {
    const { group, consumer } = this.#parts;
    const read = () =>
      this.#reads.xreadgroupBuffer(
        ...(["GROUP", group, consumer, "COUNT", this.#countOf(streams), "BLOCK", BLOCK_MS, "STREAMS"] as const),
        ...streams.map(({ name }) => name),
        ...streams.map(() => ">"),
      );
    const answer = await noteSilence(BLOCK_MS + SILENCE_MS, read, (problem) => this.watch.down(problem));
    if (streams.length === this.#streams.length) this.watch.up();
    for (const [name, entries] of (answer ?? []) as readonly (readonly [Buffer, readonly StreamEntry[]])[])
      streams.find((stream) => stream.name === name.toString("utf8"))?.take(entries, false);
  }

  /** Entries of each of them that a read may bring. */
  #countOf({ length }: readonly ReadStream[]): number {
    return Math.max(1, Math.floor(this.#load.room / length));
  }

  async #pause(): Promise<void> {
    // A stop ends the pause.
    await sleep(PAUSE_MS, undefined, { signal: this.#stop.signal }).catch(() => {});
  }
}
