/**
 * The partitions that this instance reads: those whose shards it owns.
 *
 *   a topic that nobody has read  begins where `autoOffsetReset` says
 *   one that did not exist before begins at its first message, and so does a new partition
 *   a topic that was created anew begins at its first message: a jump
 *   a position that the log no longer has, or does not have yet, moves to the nearest one that it has: a jump
 *   a position that somebody moved (a rewind) is read again when the store tells
 *   a reader that has died here before its position had risen: its messages may kill, and are tried (trials.ts)
 *
 * Jumps are forced: messages are lost, or come again. They are logged as errors and counted.
 */
import type { Consumer } from "@platformatic/kafka";
import type { Log } from "../../base/log.ts";
import type { InboundOffsets, PartitionId, PartitionOffset } from "../../engine/ports/bus/inbound.ts";
import type { PartitionReaders, TakenPartition } from "../../engine/ports/bus/suspects.ts";
import { isGuilty } from "../deaths.ts";
import type { Suspicion } from "./trials.ts";
import { MOST_MESSAGES, Window } from "./window.ts";

/** Offsets by their time: the first one, and the one after the last. */
const EARLIEST = -2n;
const LATEST = -1n;

/** An optional topic that does not exist is looked up only every n-th time. */
const OPTIONAL_EVERY = 10;

export interface AssignmentParts {
  readonly consumer: Pick<Consumer, "metadata" | "listOffsets" | "topics">;
  readonly topics: Iterable<string>;
  /** Those that need not exist: they are looked up now and then, and their absence is not logged. */
  readonly optional?: ReadonlySet<string>;
  readonly autoOffsetReset: "latest" | "earliest";
  /** Topics for which it is another. */
  readonly resets?: ReadonlyMap<string, "latest" | "earliest">;
  readonly shards: { shardOf(id: string): number; epochOf(shard: number): number | undefined };
  readonly offsets: InboundOffsets;
  readonly readers: PartitionReaders;
  /** A position of a topic was moved because the log does not have it. */
  jumped(topic: string): void;
  readonly log: Log;
}

/** A partition that is read here. */
export interface Assigned extends PartitionId {
  /** The broker that leads it; below 0: none does at the moment. */
  leader: number;
  /** A new one after each jump: what is under way then says nothing about the new position. */
  window: Window;
  /** Rises when somebody moves the position: those who read on from an earlier one store nothing. */
  generation: number;
  /** The position in the store. */
  stored: bigint;
  /** Names this instance when it gives the partition back. */
  readonly reader: string | null;
}

export class Assignments {
  readonly #parts: AssignmentParts;
  /** By topic and partition. */
  readonly #assigned = new Map<string, Assigned>();
  /** Partitions that are not read here any more, until the store knows it. */
  #left: readonly Assigned[] = [];
  #missing: ReadonlySet<string> = new Set();
  #looks = 0;

  constructor(parts: AssignmentParts) {
    this.#parts = parts;
  }

  get all(): readonly Assigned[] {
    return [...this.#assigned.values()];
  }

  /** Finds the partitions that are ours, and where each begins. Fails when no broker can be reached. */
  async look(): Promise<void> {
    const { consumer, topics, optional, log } = this.#parts;
    const missing = new Set<string>();
    const wanted = new Set(topics);
    for (const topic of new Set(this.all.map((one) => one.topic))) if (!wanted.has(topic)) this.#forget(topic);
    await this.#giveBack();
    const isTurn = this.#looks++ % OPTIONAL_EVERY === 0;
    const left = new Set(isTurn ? [] : [...this.#missing].filter((topic) => optional?.has(topic) === true));
    for (const topic of topics) if (!left.has(topic) && !(await this.#lookAt(topic))) missing.add(topic);
    // Either they do not exist, or nobody answers.
    if (missing.size > 0) await consumer.metadata({ topics: [], forceUpdate: true, retries: 0 });
    for (const topic of missing) {
      this.#forget(topic);
      if (!this.#missing.has(topic) && optional?.has(topic) !== true) log.warn("a topic does not exist", { topic });
    }
    this.#missing = new Set([...missing, ...left]);
  }

  /** Nothing is read here any more. */
  giveBackAll(): Promise<void> {
    for (const key of this.#assigned.keys()) this.#leave(key);
    return this.#giveBack();
  }

  /** Stores the positions that have changed. */
  async store(): Promise<void> {
    const changed = this.all.filter(({ window, stored }) => window.position !== stored);
    if (changed.length === 0) return;
    const positions = changed.map(toOffset);
    await this.#parts.offsets.save(positions);
    for (const [index, assigned] of changed.entries()) assigned.stored = positions[index]?.nextOffset ?? 0n;
  }

  /** Somebody may have moved positions. */
  async readAgain(): Promise<void> {
    const { offsets, log } = this.#parts;
    for (const [topic, partitions] of Map.groupBy(this.all, (assigned) => assigned.topic)) {
      const stored = await offsets.list(partitions[0]?.clusterId ?? "", topic);
      for (const { topicId, partition, nextOffset, generation } of stored) {
        const assigned = this.#assigned.get(keyOf(topic, partition));
        if (assigned?.topicId !== topicId || assigned.generation === generation) continue;
        log.info("reading a partition again", { topic, partition, offset: String(nextOffset) });
        beginAt(assigned, nextOffset, generation);
      }
    }
  }

  /** Moves the position of a partition into its log, unless it is there. */
  async moveIntoRange(assigned: Assigned): Promise<void> {
    const { topic, partition, window } = assigned;
    const [first, last] = await Promise.all([this.#offsetAt(assigned, EARLIEST), this.#offsetAt(assigned, LATEST)]);
    if (window.next >= first && window.next <= last) return;
    // It is not read here any more, or somebody moved it meanwhile.
    if (this.#assigned.get(keyOf(topic, partition)) !== assigned || assigned.window !== window) return;
    const to = window.next < first ? first : last;
    this.#jump(topic, "the position of a partition is not in its log: messages are lost or come again", {
      ...{ partition, from: String(window.next), to: String(to) },
    });
    const generation = await this.#parts.offsets.move({ ...toOffset(assigned), nextOffset: to });
    if (generation !== null) beginAt(assigned, to, generation);
    // Somebody else has moved it meanwhile.
    else await this.readAgain();
  }

  /** Returns false when the topic does not exist, or nobody answers. */
  async #lookAt(topic: string): Promise<boolean> {
    const { consumer, shards, log } = this.#parts;
    // A topic that does not exist is an error here, and so is a broker that cannot be reached.
    const metadata = await consumer.metadata({ topics: [topic], retries: 0 }).catch(() => null);
    const found = metadata?.topics.get(topic);
    if (metadata === null || found === undefined) return false;
    const fresh: number[] = [];
    for (const [partition, { leader }] of found.partitions.entries()) {
      const key = keyOf(topic, partition);
      const known = this.#assigned.get(key);
      if (shards.epochOf(shards.shardOf(key)) === undefined) this.#leave(key);
      else if (known === undefined || known.topicId !== found.id) fresh.push(partition);
      // In place: a fetch under way has the same object.
      else known.leader = leader;
    }
    if (fresh.length === 0) return true;
    await this.#begin(metadata.id, found.id, topic, fresh);
    for (const taken of await this.#take({ clusterId: metadata.id, topicId: found.id, topic }, fresh)) {
      const { partition, nextOffset, generation, reader } = taken;
      const leader = found.partitions[partition]?.leader ?? -1;
      const ids = { clusterId: metadata.id, topicId: found.id, topic, partition, reader };
      const window = new Window(nextOffset, await this.#suspicionOf(taken));
      this.#assigned.set(keyOf(topic, partition), { ...ids, leader, window, generation, stored: -1n });
      log.info("reading a partition", { topic, partition, offset: String(nextOffset) });
    }
    // The library asks for the metadata of these with every fetch, and fails when one does not exist.
    consumer.topics.track(topic);
    return true;
  }

  /** The topic is gone. It keeps the others from being fetched no longer. */
  #forget(topic: string): void {
    this.#parts.consumer.topics.untrack(topic);
    for (const [key, assigned] of this.#assigned) if (assigned.topic === topic) this.#leave(key);
  }

  #leave(key: string): void {
    const assigned = this.#assigned.get(key);
    if (assigned === undefined) return;
    this.#assigned.delete(key);
    this.#left = [...this.#left, assigned];
  }

  async #giveBack(): Promise<void> {
    const left = this.#left;
    if (left.length === 0) return;
    await this.#parts.readers.giveBack(left);
    this.#left = this.#left.slice(left.length);
  }

  /** Sees to it that partitions have a stored position. */
  async #begin(clusterId: string, topicId: string, topic: string, partitions: readonly number[]): Promise<void> {
    const { offsets, autoOffsetReset, resets, consumer } = this.#parts;
    const all = await offsets.list(clusterId, topic);
    const stored = all.filter((offset) => offset.topicId === topicId);
    const known = new Set(stored.map(({ partition }) => partition));
    const missing = partitions.filter((partition) => !known.has(partition));
    if (missing.length === 0) return;
    const isNew = all.length === 0;
    const isOld = isNew && !this.#missing.has(topic);
    const timestamp = isOld && (resets?.get(topic) ?? autoOffsetReset) === "latest" ? LATEST : EARLIEST;
    const found = (await consumer.listOffsets({ topics: [topic], timestamp })).get(topic) ?? [];
    const begun = missing.map((partition) => ({
      ...{ clusterId, topicId, topic, partition, generation: 0 },
      nextOffset: found[partition] ?? 0n,
    }));
    if (!isNew && stored.length === 0) this.#jump(topic, "a topic was created anew, and is read from its beginning");
    // From now on the topic is known, so that what comes while nobody reads is read later.
    await offsets.save(begun);
  }

  #take(topic: Omit<PartitionId, "partition">, partitions: readonly number[]): Promise<readonly TakenPartition[]> {
    const { shards, readers } = this.#parts;
    const owned = partitions.flatMap((partition) => {
      const shard = shards.shardOf(keyOf(topic.topic, partition));
      const epoch = shards.epochOf(shard);
      return epoch === undefined ? [] : [{ partition, shard, epoch }];
    });
    return readers.take(topic, owned);
  }

  /** The messages that may have killed the reader before; null: it gave the partition back, or had got beyond. */
  async #suspicionOf(taken: TakenPartition): Promise<Suspicion | null> {
    const { topic, partition, nextOffset, stood, deaths, unexplained } = taken;
    let until = [...deaths.keys()].reduce((most, offset) => (offset < most ? most : offset + 1n), 0n);
    if (stood) {
      // What came later it has never seen, and what is further away it had not fetched.
      const last = nextOffset + BigInt(MOST_MESSAGES);
      // Without an answer, what came later is tried, too.
      const end = await this.#offsetAt(taken, LATEST).catch(() => last);
      const seen = end < last ? end : last;
      if (seen > until) until = seen;
    }
    if (until <= nextOffset) return null;
    this.#parts.log.warn("messages are tried one after the other: the reader before may have died of one", {
      ...{ topic, partition, offset: String(nextOffset), until: String(until) },
    });
    return { until, guilty: new Map([...deaths].map(([offset, of]) => [offset, isGuilty(of, unexplained)])) };
  }

  async #offsetAt({ topic, partition }: PartitionId, timestamp: bigint): Promise<bigint> {
    const partitions = { [topic]: [partition] };
    const found = await this.#parts.consumer.listOffsets({ topics: [topic], partitions, timestamp });
    return found.get(topic)?.[partition] ?? 0n;
  }

  #jump(topic: string, message: string, fields: object = {}): void {
    this.#parts.log.error(message, { topic, ...fields });
    this.#parts.jumped(topic);
  }
}

function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

function beginAt(assigned: Assigned, offset: bigint, generation: number): void {
  assigned.window = new Window(offset);
  assigned.generation = generation;
  assigned.stored = offset;
}

function toOffset({ clusterId, topicId, topic, partition, generation, window }: Assigned): PartitionOffset {
  return { clusterId, topicId, topic, partition, generation, nextOffset: window.position };
}
