/**
 * Reads inbound topics. Each partition belongs to a shard, and the owner of that shard reads it: leases instead of a
 * consumer group and its rebalances. Two instances may read a partition for a moment after a
 * takeover; what they apply twice is told apart by what it applies to.
 *
 *   a shard is ours → its partitions begin at their stored positions → fetched, handled, position stored, …
 *   the shard is lost → nothing more is fetched; what is under way ends on its own
 *
 * Where partitions begin: see assignments.ts. Messages of transactions count once their transaction is committed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Consumer, FetchIsolationLevels } from "@platformatic/kafka";
import { type ConnectionState, ConnectionWatch } from "../../base/net/connection-state.ts";
import type { InboundMessage } from "../../engine/ports/bus/inbound.ts";
import { type Assigned, type AssignmentParts, Assignments } from "./assignments.ts";
import { withoutAborted } from "./committed.ts";
import { isOutOfRange, reasonOf } from "./errors.ts";
import { GroupOffsets } from "./group-offsets.ts";
import type { ConnectionOptions } from "./sender.ts";

/** How long a fetch waits for messages, milliseconds. */
const FETCH_WAIT_MS = 500;

/** Bytes of a fetch, and of a partition in it. */
const FETCH_BYTES = 8 * 1_024 * 1_024;
const PARTITION_BYTES = 1_024 * 1_024;

/** How often partitions are looked for and positions stored, milliseconds. */
const LOOK_EVERY_MS = 1_000;

/** Pause after a failure, or while there is nothing to fetch from, milliseconds. */
const PAUSE_MS = 250;

/** Takes messages. Each promise resolves when its message is applied or rejected, and never rejects. */
export type Handle = (messages: readonly InboundMessage[]) => readonly Promise<void>[];

export interface ReaderParts
  extends Pick<AssignmentParts, "autoOffsetReset" | "shards" | "offsets" | "jumped" | "log"> {
  readonly connection: ConnectionOptions;
  readonly group: string;
  /** What takes the messages of each topic. */
  readonly topics: ReadonlyMap<string, Handle>;
}

/** A running reader. */
export interface Reader {
  /** Somebody moved stored positions. */
  moved(): void;
  /** Ends it. Messages under way are awaited for a moment; those that are not done are read again by the next owner. */
  stop(): Promise<void>;
  /** Whether the brokers answer. */
  readonly connection: ConnectionState;
}

type FetchResponse = Awaited<ReturnType<Consumer["fetch"]>>;
type Batches = NonNullable<FetchResponse["responses"][number]["partitions"][number]["records"]>;

/** How long a stop waits for messages under way, milliseconds. */
const STOP_MS = 2_000;

export function startReader(parts: ReaderParts): Reader {
  const reader = new KafkaReader(parts);
  const running = reader.run();
  return {
    moved: () => reader.moved(),
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
  readonly #assignments: Assignments;
  readonly #group: GroupOffsets;
  readonly #watch: ConnectionWatch;
  #moved = false;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.#consumer = new Consumer({ ...parts.connection, groupId: parts.group });
    this.#assignments = new Assignments({ ...parts, consumer: this.#consumer, topics: [...parts.topics.keys()] });
    this.#group = new GroupOffsets(parts.connection, parts.group, parts.log);
    this.#watch = new ConnectionWatch(({ connected, problem }) => {
      if (connected) parts.log.info("Kafka can be read");
      else parts.log.warn("Kafka cannot be read; it is tried again", { reason: problem });
    });
  }

  get connection(): ConnectionState {
    return this.#watch.state;
  }

  moved(): void {
    this.#moved = true;
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
          await this.#look();
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

  async #look(): Promise<void> {
    const assignments = this.#assignments;
    if (this.#moved) {
      this.#moved = false;
      await assignments.readAgain();
    }
    await assignments.look();
    await assignments.store();
    this.#group.publish(() => assignments.all.map(({ window, ...one }) => ({ ...one, offset: window.position })));
  }

  /** Fetches once from every broker. Returns false when there is nothing to fetch from. */
  async #fetchAll(): Promise<boolean> {
    const brokers = new Map<number, Assigned[]>();
    for (const assigned of this.#assignments.all) {
      // A partition without a leader has one again soon.
      if (assigned.window.isFull || assigned.leader < 0) continue;
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
        isolationLevel: FetchIsolationLevels.READ_COMMITTED,
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
      await Promise.all(partitions.map((assigned) => this.#assignments.moveIntoRange(assigned)));
    }
  }

  #take(response: FetchResponse, partitions: readonly Assigned[]): void {
    const { topics } = this.#parts;
    for (const { topicId, partitions: answers } of response.responses) {
      for (const { partitionIndex, records, abortedTransactions } of answers) {
        const assigned = partitions.find((one) => one.topicId === topicId && one.partition === partitionIndex);
        const handle = topics.get(assigned?.topic ?? "");
        if (assigned === undefined || handle === undefined) continue;
        const messages = messagesOf(assigned, withoutAborted(records ?? [], abortedTransactions ?? []));
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

  async #pause(): Promise<void> {
    // A stop ends the pause.
    await sleep(PAUSE_MS, undefined, { signal: this.#stop.signal }).catch(() => {});
  }

  async #end(): Promise<void> {
    const until = performance.now() + STOP_MS;
    const isOpen = ({ window }: Assigned): boolean => window.size > 0;
    while (performance.now() < until && this.#assignments.all.some(isOpen)) await sleep(10);
    await this.#assignments
      .store()
      .catch((error: unknown) => this.#parts.log.warn("positions could not be stored", { error }));
    await this.#group.close();
    // Nothing that the connection holds needs saving.
    await this.#consumer.close(true).catch(() => {});
  }
}

function messagesOf(
  { clusterId, topicId, topic, partition, window }: Assigned,
  batches: Iterable<Batches[number]>,
): InboundMessage[] {
  const messages: InboundMessage[] = [];
  for (const { firstOffset, firstTimestamp, partitionLeaderEpoch, records } of batches) {
    for (const { offsetDelta, timestampDelta, key, value, headers } of records) {
      const offset = firstOffset + BigInt(offsetDelta);
      // A batch is sent as a whole, also what comes before the offset that was asked for.
      if (offset < window.next) continue;
      const sentAt = Number(firstTimestamp + timestampDelta);
      const place = { clusterId, topicId, topic, partition, offset, leaderEpoch: partitionLeaderEpoch };
      messages.push({ ...place, key, value, headers, sentAt });
    }
  }
  return messages;
}

/** Where to read on after these batches: compaction and transactions leave offsets without a message. */
function endOf(batches: Batches): bigint {
  const last = batches[batches.length - 1];
  return last === undefined ? 0n : last.firstOffset + BigInt(last.lastOffsetDelta) + 1n;
}
