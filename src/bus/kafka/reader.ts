/**
 * Reads inbound topics. Each partition belongs to a shard, and the owner of that shard reads it: leases instead of a
 * consumer group and its rebalances. Two instances may read a partition for a moment after a
 * takeover; what they apply twice is told apart by what it applies to.
 *
 *   a shard is ours → its partitions begin at their stored positions → fetched, handled, position stored, …
 *   the shard is lost → nothing more is fetched; what is under way ends on its own
 *
 * A topic that nobody has read yet begins where `autoOffsetReset` says; a new partition of a known topic at its first
 * message. A position that the log no longer has is moved to the nearest one that it has, and logged.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Consumer } from "@platformatic/kafka";
import type { Log } from "../../base/log.ts";
import { type ConnectionState, ConnectionWatch } from "../../base/net/connection-state.ts";
import type { InboundMessage, InboundOffsets, PartitionId } from "../../engine/ports/bus/inbound.ts";
import { isOutOfRange, reasonOf } from "./errors.ts";
import type { ConnectionOptions } from "./sender.ts";
import { Window } from "./window.ts";

/** How long a fetch waits for messages, milliseconds. */
const FETCH_WAIT_MS = 500;

/** Bytes of a fetch, and of a partition in it. */
const FETCH_BYTES = 8 * 1_024 * 1_024;
const PARTITION_BYTES = 1_024 * 1_024;

/** How often partitions are looked for and positions stored, milliseconds. */
const LOOK_EVERY_MS = 1_000;

/** Marks a batch that ends a transaction. */
const CONTROL = 0x20;

/** Pause after a failure, or while there is nothing to fetch from, milliseconds. */
const PAUSE_MS = 250;

/** Takes messages. Each promise resolves when its message is applied or rejected, and never rejects. */
export type Handle = (messages: readonly InboundMessage[]) => readonly Promise<void>[];

export interface ReaderParts {
  readonly connection: ConnectionOptions;
  readonly group: string;
  readonly autoOffsetReset: "latest" | "earliest";
  /** What takes the messages of each topic. */
  readonly topics: ReadonlyMap<string, Handle>;
  readonly shards: { shardOf(id: string): number; epochOf(shard: number): number | undefined };
  readonly offsets: InboundOffsets;
  readonly log: Log;
}

/** A running reader. */
export interface Reader {
  /** Ends it. Messages under way are awaited for a moment; those that are not done are read again by the next owner. */
  stop(): Promise<void>;
  /** Whether the brokers answer. */
  readonly connection: ConnectionState;
}

type FetchResponse = Awaited<ReturnType<Consumer["fetch"]>>;
type Batches = NonNullable<FetchResponse["responses"][number]["partitions"][number]["records"]>;

interface Assigned extends PartitionId {
  readonly leader: number;
  readonly window: Window;
  /** The position in the store. */
  stored: bigint;
}

/** How long a stop waits for messages under way, milliseconds. */
const STOP_MS = 2_000;

export function startReader(parts: ReaderParts): Reader {
  const reader = new KafkaReader(parts);
  const running = reader.run();
  return {
    stop: async () => {
      reader.abort();
      await running;
    },
    get connection() {
      return reader.connection;
    },
  };
}

class KafkaReader {
  readonly #parts: ReaderParts;
  readonly #consumer: Consumer;
  readonly #stop = new AbortController();
  /** By topic and partition. */
  readonly #assigned = new Map<string, Assigned>();
  #missing: ReadonlySet<string> = new Set();
  readonly #watch: ConnectionWatch;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.#consumer = new Consumer({ ...parts.connection, groupId: parts.group });
    this.#watch = new ConnectionWatch(({ connected, problem }) => {
      if (connected) parts.log.info("Kafka can be read");
      else parts.log.warn("Kafka cannot be read; it is tried again", { reason: problem });
    });
  }

  get connection(): ConnectionState {
    return this.#watch.state;
  }

  abort(): void {
    this.#stop.abort();
  }

  async run(): Promise<void> {
    const { signal } = this.#stop;
    let lookedAt = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      try {
        if (performance.now() - lookedAt >= LOOK_EVERY_MS) {
          await this.#assign();
          await this.#store();
          lookedAt = performance.now();
        }
        if (!(await this.#fetchAll())) await this.#pause();
        this.#watch.up();
      } catch (error) {
        if (signal.aborted) break;
        this.#watch.down(reasonOf(error));
        await this.#pause();
      }
    }
    await this.#end();
  }

  /** Finds the partitions that are ours, and where each begins. */
  async #assign(): Promise<void> {
    const { topics, shards, log } = this.#parts;
    const missing = new Set(topics.keys());
    for (const topic of topics.keys()) {
      // A topic that does not exist is an error here, and so is a broker that cannot be reached.
      const metadata = await this.#consumer.metadata({ topics: [topic] }).catch(() => null);
      const found = metadata?.topics.get(topic);
      if (metadata === null || found === undefined) continue;
      missing.delete(topic);
      const isOurs = (partition: number): boolean =>
        shards.epochOf(shards.shardOf(`${topic}/${partition}`)) !== undefined;
      const fresh: number[] = [];
      for (const [partition, { leader }] of found.partitions.entries()) {
        const key = `${topic}/${partition}`;
        const known = this.#assigned.get(key);
        if (!isOurs(partition)) this.#assigned.delete(key);
        else if (known === undefined || known.topicId !== found.id) fresh.push(partition);
        else if (known.leader !== leader) this.#assigned.set(key, { ...known, leader });
      }
      if (fresh.length === 0) continue;
      const positions = await this.#positionsOf(metadata.id, found.id, topic, fresh);
      for (const partition of fresh) {
        const position = positions.get(partition) ?? 0n;
        const leader = found.partitions[partition]?.leader ?? -1;
        const ids = { clusterId: metadata.id, topicId: found.id, topic, partition };
        this.#assigned.set(`${topic}/${partition}`, { ...ids, leader, window: new Window(position), stored: -1n });
        // The library asks for the metadata of these with every fetch, and fails when one does not exist.
        this.#consumer.topics.track(topic);
        log.info("reading a partition", { topic, partition, offset: String(position) });
      }
    }
    // Fails when no broker can be reached.
    if (missing.size > 0) await this.#consumer.metadata({ topics: [], forceUpdate: true });
    for (const topic of missing) if (!this.#missing.has(topic)) log.warn("a topic does not exist yet", { topic });
    this.#missing = missing;
  }

  async #positionsOf(clusterId: string, topicId: string, topic: string, partitions: readonly number[]) {
    const { offsets, autoOffsetReset } = this.#parts;
    const stored = await offsets.list(clusterId, topicId);
    const positions = new Map(stored.map(({ partition, nextOffset }) => [partition, nextOffset]));
    // A partition that was added later begins at its first message, whatever the setting says.
    const timestamp = stored.length === 0 && autoOffsetReset === "latest" ? -1n : -2n;
    if (partitions.every((partition) => positions.has(partition))) return positions;
    const found = (await this.#consumer.listOffsets({ topics: [topic], timestamp })).get(topic) ?? [];
    for (const partition of partitions) if (!positions.has(partition)) positions.set(partition, found[partition] ?? 0n);
    // From now on the topic is known, so that what comes while nobody reads is read later.
    await offsets.save(
      [...positions].map(([partition, nextOffset]) => ({ clusterId, topicId, topic, partition, nextOffset })),
    );
    return positions;
  }

  /** Fetches once from every broker. Returns false when there is nothing to fetch from. */
  async #fetchAll(): Promise<boolean> {
    const brokers = new Map<number, Assigned[]>();
    for (const assigned of this.#assigned.values()) {
      if (assigned.window.isFull) continue;
      const partitions = brokers.get(assigned.leader);
      if (partitions === undefined) brokers.set(assigned.leader, [assigned]);
      else partitions.push(assigned);
    }
    await Promise.all([...brokers].map(([node, partitions]) => this.#fetch(node, partitions)));
    return brokers.size > 0;
  }

  async #fetch(node: number, partitions: readonly Assigned[]): Promise<void> {
    const topics = Map.groupBy(partitions, ({ topicId }) => topicId);
    try {
      const response = await this.#consumer.fetch({
        node,
        maxWaitTime: FETCH_WAIT_MS,
        minBytes: 1,
        maxBytes: FETCH_BYTES,
        topics: [...topics].map(([topicId, ofTopic]) => ({
          topicId,
          partitions: ofTopic.map(({ partition, window }) => ({
            partition,
            currentLeaderEpoch: -1,
            fetchOffset: window.next,
            lastFetchedEpoch: -1,
            partitionMaxBytes: PARTITION_BYTES,
          })),
        })),
      });
      this.#take(response, partitions);
    } catch (error) {
      if (!isOutOfRange(error)) throw error;
      await Promise.all(partitions.map((assigned) => this.#moveIntoRange(assigned)));
    }
  }

  #take(response: FetchResponse, partitions: readonly Assigned[]): void {
    const { topics } = this.#parts;
    for (const { topicId, partitions: answers } of response.responses) {
      for (const { partitionIndex, records } of answers) {
        const assigned = partitions.find((one) => one.topicId === topicId && one.partition === partitionIndex);
        const handle = topics.get(assigned?.topic ?? "");
        if (assigned === undefined || handle === undefined) continue;
        const messages = messagesOf(assigned, records ?? []);
        const { window } = assigned;
        for (const { offset, key, value } of messages) window.begin(offset, (key?.length ?? 0) + (value?.length ?? 0));
        window.skipTo(endOf(records ?? []));
        for (const [index, done] of handle(messages).entries()) {
          const offset = messages[index]?.offset;
          if (offset !== undefined) void done.then(() => window.end(offset));
        }
      }
    }
  }

  /** The log no longer has the next offset, or does not have it yet. */
  async #moveIntoRange({ topic, partition, window }: Assigned): Promise<void> {
    const [first, last] = await Promise.all(
      [-2n, -1n].map(async (timestamp) => {
        const found = await this.#consumer.listOffsets({
          topics: [topic],
          partitions: { [topic]: [partition] },
          timestamp,
        });
        return found.get(topic)?.[partition] ?? 0n;
      }),
    );
    if (first === undefined || last === undefined || (window.next >= first && window.next <= last)) return;
    const to = window.next < first ? first : last;
    this.#parts.log.error("the position of a partition is not in its log: messages are lost or come again", {
      ...{ topic, partition },
      from: String(window.next),
      to: String(to),
    });
    window.moveTo(to);
  }

  async #store(): Promise<void> {
    const changed = [...this.#assigned.values()].filter(({ window, stored }) => window.position !== stored);
    if (changed.length === 0) return;
    const positions = changed.map((assigned) => assigned.window.position);
    await this.#parts.offsets.save(
      changed.map(({ clusterId, topicId, topic, partition }, index) => ({
        ...{ clusterId, topicId, topic, partition },
        nextOffset: positions[index] ?? 0n,
      })),
    );
    for (const [index, assigned] of changed.entries()) assigned.stored = positions[index] ?? assigned.stored;
  }

  async #pause(): Promise<void> {
    // A stop ends the pause.
    await sleep(PAUSE_MS, undefined, { signal: this.#stop.signal }).catch(() => {});
  }

  async #end(): Promise<void> {
    const until = performance.now() + STOP_MS;
    const isOpen = ({ window }: Assigned): boolean => window.size > 0;
    while (performance.now() < until && [...this.#assigned.values()].some(isOpen)) await sleep(10);
    await this.#store().catch((error: unknown) => this.#parts.log.warn("positions could not be stored", { error }));
    // Nothing that the connection holds needs saving.
    await this.#consumer.close(true).catch(() => {});
  }
}

function messagesOf({ clusterId, topicId, topic, partition, window }: Assigned, batches: Batches): InboundMessage[] {
  const messages: InboundMessage[] = [];
  for (const { firstOffset, firstTimestamp, attributes, records } of batches) {
    if ((attributes & CONTROL) !== 0) continue;
    for (const { offsetDelta, timestampDelta, key, value, headers } of records) {
      const offset = firstOffset + BigInt(offsetDelta);
      // A batch is sent as a whole, also what comes before the offset that was asked for.
      if (offset < window.next) continue;
      const sentAt = Number(firstTimestamp + timestampDelta);
      messages.push({ clusterId, topicId, topic, partition, offset, key, value, headers, sentAt });
    }
  }
  return messages;
}

/** Where to read on after these batches: compaction and transactions leave offsets without a message. */
function endOf(batches: Batches): bigint {
  const last = batches[batches.length - 1];
  return last === undefined ? 0n : last.firstOffset + BigInt(last.lastOffsetDelta) + 1n;
}
