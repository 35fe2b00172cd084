/**
 * Moves the positions of inbound topics for operators. The instances that read the partitions learn of it from the
 * store.
 */
import { Consumer } from "@platformatic/kafka";
import { fail, isOrchestratorError, toError } from "../../base/errors.ts";
import type { InboundOffsets } from "../../engine/ports/bus/inbound.ts";
import type { InboundTopics, RewindTo } from "../../engine/ports/bus/topics.ts";
import { reasonOf } from "./errors.ts";
import type { ConnectionOptions } from "./sender.ts";

/** Offsets by their time: the first one, and the one after the last. */
const EARLIEST = -2n;
const LATEST = -1n;

export interface InboundTopicsParts {
  readonly connection: ConnectionOptions;
  readonly group: string;
  readonly prefix: string;
  readonly topics: ReadonlyMap<string, unknown>;
  readonly offsets: Pick<InboundOffsets, "list" | "rewind">;
}

export function createInboundTopics({ connection, group, prefix, topics, offsets }: InboundTopicsParts): InboundTopics {
  const asked = async <T>(work: (consumer: Consumer) => Promise<T>): Promise<T> => {
    const consumer = new Consumer({ ...connection, groupId: group });
    try {
      return await work(consumer);
    } catch (error) {
      if (isOrchestratorError(error)) throw error;
      throw toError("BROKERS_UNAVAILABLE", { why: reasonOf(error) }, { cause: error });
    } finally {
      // Nothing that the connection holds needs saving.
      await consumer.close(true).catch(() => {});
    }
  };

  return {
    rewind: (caller, name, partition, to, reason) => {
      const topic = [...topics.keys()].find((one) => one === name || one === prefix + name);
      if (topic === undefined) return fail("TOPIC_NOT_READ", { topic: name });
      return asked(async (consumer) => {
        const metadata = await consumer.metadata({ topics: [topic] });
        const topicId = metadata.topics.get(topic)?.id;
        const at = async (timestamp: bigint): Promise<readonly bigint[]> =>
          (await consumer.listOffsets({ topics: [topic], timestamp })).get(topic) ?? [];
        const [first, last, wanted] = await Promise.all([at(EARLIEST), at(LATEST), wantedOffsets(to, at)]);
        const stored = (await offsets.list(metadata.id, topic)).filter(
          (one) => one.topicId === topicId && (partition ?? one.partition) === one.partition,
        );
        if (stored.length === 0)
          fail("TOPIC_NOT_READ", { topic: partition === null ? topic : `${topic}/${partition}` });
        const moves = stored.map((one) => {
          const end = last[one.partition] ?? 0n;
          // No message is as young as that.
          const found = wanted(one.partition);
          const offset = found < 0n || found > end ? end : found;
          const begin = first[one.partition] ?? 0n;
          return { ...one, nextOffset: offset < begin ? begin : offset };
        });
        return offsets.rewind(moves, caller.actor, reason);
      });
    },
  };
}

async function wantedOffsets(
  to: RewindTo,
  at: (timestamp: bigint) => Promise<readonly bigint[]>,
): Promise<(partition: number) => bigint> {
  if ("offset" in to) return () => (to.offset < 0n ? 0n : to.offset);
  const found = await at(BigInt(to.time));
  return (partition) => found[partition] ?? -1n;
}
