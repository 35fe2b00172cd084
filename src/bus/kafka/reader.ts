/**
 * Reads inbound topics. Each partition belongs to a shard, and the owner of that shard reads it: leases instead of a
 * consumer group and its rebalances. Two instances may read a partition for a moment after a
 * takeover; what they apply twice is told apart by what it applies to.
 *
 *   a shard is ours → its partitions begin at their stored positions → fetched, handled, position stored, …
 *   the shard is lost → nothing more is fetched; what is under way ends on its own
 *
 * Each broker is read on its own (broker-reads.ts), while partitions are looked for, and positions stored, beside it.
 * Where partitions begin: see assignments.ts. Messages of transactions count once their transaction is committed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Consumer } from "@platformatic/kafka";
import { type ConnectionState, ConnectionWatch, noteSilence } from "../../base/net/connection-state.ts";
import { type Assigned, type AssignmentParts, Assignments } from "./assignments.ts";
import { type Handle, readBroker, SILENCE_MS } from "./broker-reads.ts";
import { reasonOf } from "./errors.ts";
import { GroupOffsets } from "./group-offsets.ts";
import type { ConnectionOptions } from "./sender.ts";
import type { Trials } from "./trials.ts";

/** Interval of looking up partitions and storing positions, milliseconds. */
const EVERY_MS = 1_000;

/** Pause after a failure, milliseconds. */
const PAUSE_MS = 250;

/** How long a stop waits for messages under way, milliseconds. */
const STOP_MS = 2_000;

export interface ReaderParts
  extends Pick<
    AssignmentParts,
    "autoOffsetReset" | "resets" | "optional" | "shards" | "offsets" | "readers" | "jumped" | "log"
  > {
  readonly connection: ConnectionOptions;
  readonly group: string;
  /** What takes the messages of each topic. Topics may come and go. */
  readonly topics: ReadonlyMap<string, Handle>;
  readonly trials: Trials;
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
  /** What is wrong with each broker, by its number, and with the look for partitions. */
  readonly #problems = new Map<string | number, string>();
  /** The brokers that are read. */
  readonly #brokers = new Map<number, Promise<void>>();
  #moved = false;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.#consumer = new Consumer({ ...parts.connection, groupId: parts.group });
    this.#assignments = new Assignments({
      ...parts,
      consumer: this.#consumer,
      topics: { [Symbol.iterator]: () => parts.topics.keys() },
    });
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
    const looking = this.#repeat(
      () => this.#look(),
      (problem) => this.#told("partitions", problem),
    );
    const storing = this.#repeat(
      () => this.#store(),
      (problem, before) => {
        if (problem !== "" && before === "")
          this.#parts.log.warn("positions cannot be stored; it is tried again", { reason: problem });
      },
    );
    await Promise.all([looking, storing]);
    await this.#end();
  }

  async #look(): Promise<void> {
    const assignments = this.#assignments;
    if (this.#moved) {
      this.#moved = false;
      await assignments.readAgain();
    }
    await assignments.look();
    // A partition without a leader has one again soon.
    const leaders = new Set(assignments.all.map(({ leader }) => leader).filter((leader) => leader >= 0));
    for (const node of leaders) if (!this.#brokers.has(node)) this.#brokers.set(node, this.#read(node));
  }

  async #read(node: number): Promise<void> {
    await readBroker({
      ...{ node, consumer: this.#consumer, topics: this.#parts.topics, trials: this.#parts.trials },
      signal: this.#stop.signal,
      assigned: () => this.#assignments.all,
      moveIntoRange: (assigned) => this.#assignments.moveIntoRange(assigned),
      told: (problem) => this.#told(node, problem),
    });
    this.#brokers.delete(node);
    this.#problems.delete(node);
  }

  async #store(): Promise<void> {
    const assignments = this.#assignments;
    await assignments.store();
    this.#group.publish(() => assignments.all.map(({ window, ...one }) => ({ ...one, offset: window.position })));
  }

  /** Repeats a part of the work until the stop, and says what is wrong with it, and was; empty: nothing. */
  async #repeat(work: () => Promise<void>, told: (problem: string, before: string) => void): Promise<void> {
    const { signal } = this.#stop;
    let before = "";
    while (!signal.aborted) {
      let problem = "";
      try {
        await noteSilence(SILENCE_MS, work, (silence) => told(silence, before));
      } catch (error) {
        problem = reasonOf(error);
      }
      if (signal.aborted) return;
      told(problem, before);
      before = problem;
      // A stop ends the pause.
      await sleep(problem === "" ? EVERY_MS : PAUSE_MS, undefined, { signal }).catch(() => {});
    }
  }

  #told(what: string | number, problem: string): void {
    if (problem === "") this.#problems.delete(what);
    else this.#problems.set(what, problem);
    const [first] = this.#problems.values();
    if (first === undefined) this.#watch.up();
    else this.#watch.down(first);
  }

  async #end(): Promise<void> {
    const until = performance.now() + STOP_MS;
    // What is still to be tried is left to the next reader.
    const isOpen = ({ window }: Assigned): boolean => window.size > 0 && !window.isOnTrial;
    while (performance.now() < until && this.#assignments.all.some(isOpen)) await sleep(10);
    const giveBack = async (): Promise<void> => {
      await this.#assignments.store();
      await this.#parts.trials.drain();
      await this.#assignments.giveBackAll();
    };
    await giveBack().catch((error: unknown) => this.#parts.log.warn("positions could not be stored", { error }));
    await this.#group.close();
    // Nothing that the connection holds needs saving. It ends fetches under way, also those of brokers that are away.
    await this.#consumer.close(true).catch(() => {});
    await Promise.all(this.#brokers.values());
  }
}
