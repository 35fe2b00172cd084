/**
 * Reads the partitions that one broker leads. A broker is read apart from the others, so one that is slow or away
 * delays its own partitions and no others.
 *
 *   fetch → messages are handed over, the position to fetch next rises → fetch …
 *   a failure, or nothing to fetch → a pause → fetch …
 *   no partition is led by it any more → the end
 *
 * A partition has one window at a time. An answer to a fetch counts for the window for which it was asked: what comes
 * after a jump or a rewind is of no use, and is fetched again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Consumer, FetchIsolationLevels } from "@platformatic/kafka";
import { noteSilence } from "../../base/net/connection-state.ts";
import type { InboundMessage } from "../../engine/ports/bus/inbound.ts";
import type { Assigned } from "./assignments.ts";
import { withoutAborted } from "./committed.ts";
import { isOutOfRange, reasonOf } from "./errors.ts";
import type { Trials } from "./trials.ts";
import type { Window } from "./window.ts";

/** How long a fetch waits for messages, milliseconds. */
const FETCH_WAIT_MS = 500;

/** Bytes of a fetch, and of a partition in it. */
const FETCH_BYTES = 8 * 1_024 * 1_024;
const PARTITION_BYTES = 1_024 * 1_024;

/** Pause after a failure, or while there is nothing to fetch, milliseconds. */
const PAUSE_MS = 250;

/** After this silence, beyond what a fetch waits, a broker counts as away, milliseconds: the client waits longer. */
export const SILENCE_MS = 3_000;

/** Takes messages. Each promise resolves when its message is applied or rejected, and never rejects. */
export type Handle = (messages: readonly InboundMessage[]) => readonly Promise<void>[];

export interface BrokerReadsParts {
  readonly node: number;
  readonly consumer: Pick<Consumer, "fetch">;
  /** What takes the messages of each topic. */
  readonly topics: ReadonlyMap<string, Handle>;
  /** The partitions that are read here, of all brokers. */
  assigned(): readonly Assigned[];
  readonly trials: Pick<Trials, "take">;
  /** The position of a partition may not be in its log. */
  moveIntoRange(assigned: Assigned): Promise<void>;
  /** Whether it answers; empty: it does. */
  told(problem: string): void;
  readonly signal: AbortSignal;
}

type FetchResponse = Awaited<ReturnType<Consumer["fetch"]>>;
type Batches = NonNullable<FetchResponse["responses"][number]["partitions"][number]["records"]>;

/** A partition in a fetch. */
interface Asked {
  readonly assigned: Assigned;
  readonly window: Window;
}

/** Reads until the broker leads nothing any more, or the signal aborts. Never rejects. */
export async function readBroker(parts: BrokerReadsParts): Promise<void> {
  const { node, signal, told } = parts;
  while (!signal.aborted) {
    const led = parts.assigned().filter(({ leader }) => leader === node);
    if (led.length === 0) return;
    const open = led.filter(({ window }) => !window.isFull);
    try {
      if (open.length > 0) {
        await noteSilence(FETCH_WAIT_MS + SILENCE_MS, () => fetchOnce(parts, open), told);
        told("");
        continue;
      }
    } catch (error) {
      if (signal.aborted) return;
      told(reasonOf(error));
    }
    // A stop ends the pause.
    await sleep(PAUSE_MS, undefined, { signal }).catch(() => {});
  }
}

async function fetchOnce(parts: BrokerReadsParts, partitions: readonly Assigned[]): Promise<void> {
  const asked = partitions.map((assigned): Asked => ({ assigned, window: assigned.window }));
  const topics = Map.groupBy(asked, ({ assigned }) => assigned.topicId);
  try {
    const response = await parts.consumer.fetch({
      node: parts.node,
      maxWaitTime: FETCH_WAIT_MS,
      minBytes: 1,
      maxBytes: FETCH_BYTES,
      isolationLevel: FetchIsolationLevels.READ_COMMITTED,
      topics: [...topics].map(([topicId, ofTopic]) => ({
        topicId,
        partitions: ofTopic.map(({ assigned, window }) => ({
          partition: assigned.partition,
          currentLeaderEpoch: -1,
          fetchOffset: window.next,
          lastFetchedEpoch: -1,
          partitionMaxBytes: PARTITION_BYTES,
        })),
      })),
    });
    if (!parts.signal.aborted) take(parts, response, asked);
  } catch (error) {
    if (!isOutOfRange(error)) throw error;
    await Promise.all(partitions.map((assigned) => parts.moveIntoRange(assigned)));
  }
}

function take(parts: BrokerReadsParts, response: FetchResponse, asked: readonly Asked[]): void {
  for (const { topicId, partitions } of response.responses) {
    for (const { partitionIndex, records, abortedTransactions } of partitions) {
      const one = asked.find(({ assigned }) => assigned.topicId === topicId && assigned.partition === partitionIndex);
      const handle = parts.topics.get(one?.assigned.topic ?? "");
      // Its position has been moved meanwhile.
      if (one === undefined || handle === undefined || one.assigned.window !== one.window) continue;
      const { assigned, window } = one;
      const messages = messagesOf(assigned, withoutAborted(records ?? [], abortedTransactions ?? []));
      for (const { offset, key, value } of messages) window.begin(offset, (key?.length ?? 0) + (value?.length ?? 0));
      window.skipTo(endOf(records ?? []));
      for (const [index, done] of handOver(parts, one, messages, handle).entries()) {
        const offset = messages[index]?.offset;
        if (offset !== undefined) void done.then(() => window.end(offset));
      }
    }
  }
}

/** Messages that may kill are tried one after the other, and nothing more is fetched meanwhile. */
function handOver(
  { trials, assigned: all }: BrokerReadsParts,
  { assigned, window }: Asked,
  messages: readonly InboundMessage[],
  handle: Handle,
): readonly Promise<void>[] {
  const [first] = messages;
  const { suspicion } = window;
  if (suspicion === null || first === undefined) return handle(messages);
  if (first.offset >= suspicion.until) {
    window.suspicion = null;
    return handle(messages);
  }
  const isOpen = (): boolean => assigned.window === window && all().includes(assigned);
  const { ends, over } = trials.take(messages, handle, suspicion, isOpen);
  window.isOnTrial = true;
  void over.then(() => {
    window.isOnTrial = false;
  });
  return ends;
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
