/**
 * Publishes how far topics have been read as the offsets of the configured consumer group, for tools that show its lag.
 * Nobody reads from there, so a failure harms nothing and is logged once.
 */
import { Admin } from "@platformatic/kafka";
import type { Log } from "../../base/log.ts";
import { reasonOf } from "./errors.ts";
import type { ConnectionOptions } from "./sender.ts";

/** How often, milliseconds. */
const EVERY_MS = 5_000;

/** How far a partition has been read. */
export interface GroupOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Positions of one generation only rise. */
  readonly generation: number;
}

export class GroupOffsets {
  readonly #admin: Admin;
  readonly #group: string;
  readonly #log: Log;
  /** What the group has, by topic and partition. */
  readonly #published = new Map<string, Pick<GroupOffset, "offset" | "generation">>();
  #publishing: Promise<void> | null = null;
  #dueAt = 0;
  #isWell = true;

  constructor(connection: ConnectionOptions, group: string, log: Log) {
    this.#admin = new Admin({ ...connection, retries: 0 });
    this.#group = group;
    this.#log = log;
  }

  /** Publishes what has changed, now and then. Never waits and never fails. */
  publish(offsets: () => readonly GroupOffset[]): void {
    if (this.#publishing !== null || performance.now() < this.#dueAt) return;
    this.#dueAt = performance.now() + EVERY_MS;
    this.#publishing = this.#publish(offsets()).finally(() => {
      this.#publishing = null;
    });
  }

  async close(): Promise<void> {
    await this.#publishing;
    // Nothing that the connection holds needs saving.
    await this.#admin.close().catch(() => {});
  }

  async #publish(offsets: readonly GroupOffset[]): Promise<void> {
    try {
      const keys = new Set(offsets.map(keyOf));
      for (const key of this.#published.keys()) if (!keys.has(key)) this.#published.delete(key);
      const changed = offsets.filter((one) => {
        const before = this.#published.get(keyOf(one));
        return before?.offset !== one.offset || before.generation !== one.generation;
      });
      if (changed.length === 0) return;
      const wanted = await this.#withoutFalling(changed);
      const topics = [...Map.groupBy(wanted, ({ topic }) => topic)].map(([name, partitionOffsets]) => ({
        name,
        partitionOffsets: partitionOffsets.map(({ partition, offset }) => ({ partition, offset })),
      }));
      if (topics.length > 0) await this.#admin.alterConsumerGroupOffsets({ groupId: this.#group, topics });
      for (const one of changed) this.#published.set(keyOf(one), one);
      this.#isWell = true;
    } catch (error) {
      if (this.#isWell)
        this.#log.warn(
          "the offsets of the consumer group cannot be published; only tools that show its lag miss them",
          {
            ...{ group: this.#group, reason: reasonOf(error) },
          },
        );
      this.#isWell = false;
    }
  }

  /** An earlier reader of a partition may have published more: only a jump or a rewind, seen here, takes that back. */
  async #withoutFalling(offsets: readonly GroupOffset[]): Promise<readonly GroupOffset[]> {
    const isFirst = (one: GroupOffset): boolean => !this.#published.has(keyOf(one));
    if (!offsets.some(isFirst)) return offsets;
    const [found] = await this.#admin.listConsumerGroupOffsets({ groups: [this.#group] });
    const committed = new Map<string, bigint>(
      found?.topics.flatMap(({ name, partitions }) =>
        partitions.map(
          ({ partitionIndex, committedOffset }) => [`${name}/${partitionIndex}`, committedOffset] as const,
        ),
      ),
    );
    return offsets.filter((one) => !isFirst(one) || one.offset > (committed.get(keyOf(one)) ?? -1n));
  }
}

function keyOf({ topic, partition }: Pick<GroupOffset, "topic" | "partition">): string {
  return `${topic}/${partition}`;
}
