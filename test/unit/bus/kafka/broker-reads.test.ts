/** Positions that are moved, leaders that change while a fetch is under way, and messages that may kill. */
import { expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../../src/base/log.ts";
import { Assignments } from "../../../../src/bus/kafka/assignments.ts";
import { readBroker } from "../../../../src/bus/kafka/broker-reads.ts";
import { Trials } from "../../../../src/bus/kafka/trials.ts";
import type { InboundOffsets, PartitionOffset } from "../../../../src/engine/ports/bus/inbound.ts";
import type { PartitionReaders, TakenPartition } from "../../../../src/engine/ports/bus/suspects.ts";
import { eventually } from "../../../support/eventually.ts";

const TOPIC = "flow_runs";
const NEVER = new Promise<never>(() => {});

/** A log of one partition, as a client of Kafka sees it; `before` says how its last reader ended. */
function createWorld(before: Partial<TakenPartition> = {}) {
  const log = { leader: 1, first: 0n, last: 1_000n };
  const stored = new Map<number, PartitionOffset>();
  const fetches: { readonly node: number; readonly from: bigint; answer(offsets: readonly bigint[]): void }[] = [];
  const taken: bigint[] = [];
  const given: string[] = [];
  const handed = { end: NEVER as Promise<void>, epoch: 1 as number | undefined };
  let moves = 0;
  const consumer = {
    topics: { track() {}, untrack() {} },
    metadata: async () => ({ id: "c", topics: new Map([[TOPIC, { id: "t", partitions: [{ leader: log.leader }] }]]) }),
    listOffsets: async ({ timestamp }: { timestamp: bigint }) =>
      new Map([[TOPIC, [timestamp === -2n ? log.first : log.last]]]),
    fetch: ({ node, topics }: { node: number; topics: { partitions: { fetchOffset: bigint }[] }[] }) =>
      new Promise((resolve) => {
        const from = topics[0]?.partitions[0]?.fetchOffset ?? -1n;
        const answer = (offsets: readonly bigint[]): void => resolve(toResponse(offsets));
        fetches.push({ node, from, answer });
      }),
  };
  const offsets: InboundOffsets = {
    list: async () => [...stored.values()],
    save: async (all) => {
      for (const offset of all) stored.set(offset.partition, offset);
    },
    move: async (offset) => {
      moves += 1;
      const generation = offset.generation + 1;
      stored.set(offset.partition, { ...offset, generation });
      return generation;
    },
    rewind: async () => [],
    listen: () => async () => {},
  };
  const readers: PartitionReaders = {
    take: async (topic, partitions) =>
      partitions.flatMap(({ partition }) => {
        const offset = stored.get(partition);
        const clean = { reader: "r", stood: false, deaths: new Map(), unexplained: 0 };
        return offset === undefined ? [] : [{ ...offset, ...topic, ...clean, ...before }];
      }),
    giveBack: async (partitions) => void given.push(...partitions.map(({ reader }) => String(reader))),
  };
  const assignments = new Assignments({
    ...{ topics: [TOPIC], autoOffsetReset: "earliest", offsets, readers, jumped() {}, log: silentLog },
    consumer: consumer as never,
    shards: { shardOf: () => 0, epochOf: () => handed.epoch },
  });
  const stop = new AbortController();
  const suspects = { name: async () => {}, otherDied: async () => {}, forget: async () => {} };
  const trials = new Trials({
    ...{ suspects, rejected: { keep: async () => {} }, stopping: stop.signal, log: silentLog },
  });
  onTestFinished(() => stop.abort());
  const read = (node: number): Promise<void> =>
    readBroker({
      ...{ node, consumer: consumer as never, trials, told() {}, signal: stop.signal },
      assigned: () => assignments.all,
      moveIntoRange: (assigned) => assignments.moveIntoRange(assigned),
      topics: new Map([
        [
          TOPIC,
          (messages) =>
            messages.map(({ offset }) => {
              taken.push(offset);
              return handed.end;
            }),
        ],
      ]),
    });
  return { log, stored, fetches, taken, given, handed, assignments, read, moves: () => moves };
}

function toResponse(offsets: readonly bigint[]) {
  const [first = 0n] = offsets;
  const records = offsets.map((offset) => ({
    offsetDelta: Number(offset - first),
    timestampDelta: 0n,
    key: Buffer.from("k"),
    value: Buffer.from("v"),
    headers: [],
  }));
  const lastOffsetDelta = offsets.length - 1;
  const batch = { firstOffset: first, firstTimestamp: 0n, partitionLeaderEpoch: 0, lastOffsetDelta, attributes: 0 };
  const batches = offsets.length === 0 ? [] : [{ ...batch, records, producerId: -1n, producerEpoch: -1 }];
  return {
    responses: [{ topicId: "t", partitions: [{ partitionIndex: 0, records: batches, abortedTransactions: [] }] }],
  };
}

test("a jump counts when the leader of the partition changes at the same time", async () => {
  const { log, stored, assignments, moves } = createWorld();
  await assignments.look();
  const [before] = assignments.all;
  log.leader = 2;
  await assignments.look();
  log.first = 500n;
  // A fetch that began before the change says that the position is not in the log.
  if (before !== undefined) await assignments.moveIntoRange(before);
  expect(moves()).toBe(1);
  expect(stored.get(0)).toMatchObject({ nextOffset: 500n, generation: 1 });
  expect(assignments.all).toMatchObject([{ leader: 2, generation: 1, window: { next: 500n } }]);
});

test("a position is not moved for a partition that is not read here any more", async () => {
  const { log, assignments, moves } = createWorld();
  await assignments.look();
  const [assigned] = assignments.all;
  log.first = 500n;
  if (assigned !== undefined) {
    await assignments.moveIntoRange({ ...assigned });
    expect(moves()).toBe(0);
  }
});

test("what a fetch brings after a rewind is not taken, and the partition is read from where it was moved to", async () => {
  const { stored, fetches, taken, assignments, read } = createWorld();
  await assignments.look();
  void read(1);
  await eventually(() => expect(fetches).toHaveLength(1));
  fetches[0]?.answer([0n, 1n, 2n]);
  await eventually(() => expect(fetches).toHaveLength(2));
  expect(fetches[1]?.from).toBe(3n);
  const rewound = stored.get(0);
  if (rewound !== undefined) stored.set(0, { ...rewound, nextOffset: 1n, generation: 1 });
  await assignments.readAgain();
  fetches[1]?.answer([3n, 4n]);
  await eventually(() => expect(fetches).toHaveLength(3));
  expect(fetches[2]?.from).toBe(1n);
  expect(taken).toEqual([0n, 1n, 2n]);
});

test("a partition whose leader changes is read from the new one, and the old one is read no more", async () => {
  const { log, fetches, taken, assignments, read } = createWorld();
  await assignments.look();
  const old = read(1);
  await eventually(() => expect(fetches).toHaveLength(1));
  log.leader = 2;
  await assignments.look();
  void read(2);
  await eventually(() => expect(fetches).toHaveLength(2));
  expect(fetches[1]).toMatchObject({ node: 2, from: 0n });
  // Both may answer: each message is taken once.
  fetches[1]?.answer([0n, 1n]);
  fetches[0]?.answer([0n, 1n, 2n]);
  await old;
  await eventually(() => expect(fetches).toHaveLength(3));
  expect(taken).toEqual([0n, 1n, 2n]);
});

test("where a reader died at its first position, messages are tried alone, up to the end of the log, and then as ever", async () => {
  const { log, fetches, taken, handed, assignments, read } = createWorld({ stood: true });
  log.last = 3n;
  await assignments.look();
  void read(1);
  await eventually(() => expect(fetches).toHaveLength(1));
  const first = Promise.withResolvers<void>();
  handed.end = first.promise;
  fetches[0]?.answer([0n, 1n, 2n, 3n]);
  await eventually(() => expect(taken).toEqual([0n]));
  // Nothing more is fetched until they are tried.
  expect(fetches).toHaveLength(1);
  handed.end = Promise.resolve();
  first.resolve();
  await eventually(() => expect(taken).toEqual([0n, 1n, 2n, 3n]));
  await eventually(() => expect(fetches).toHaveLength(2));
  handed.end = NEVER;
  fetches[1]?.answer([4n, 5n, 6n]);
  await eventually(() => expect(taken).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n]));
});

test("an idle partition of a reader that died has nothing to try", async () => {
  const { log, fetches, taken, assignments, read } = createWorld({ stood: true });
  log.last = 0n;
  await assignments.look();
  void read(1);
  await eventually(() => expect(fetches).toHaveLength(1));
  fetches[0]?.answer([0n, 1n, 2n]);
  await eventually(() => expect(taken).toEqual([0n, 1n, 2n]));
});

test("a partition is tried no further once it is not read here, and is given back", async () => {
  const { fetches, taken, given, handed, assignments, read } = createWorld({ stood: true });
  await assignments.look();
  void read(1);
  await eventually(() => expect(fetches).toHaveLength(1));
  const first = Promise.withResolvers<void>();
  handed.end = first.promise;
  fetches[0]?.answer([0n, 1n]);
  await eventually(() => expect(taken).toEqual([0n]));
  handed.epoch = undefined;
  await assignments.look();
  await assignments.look();
  first.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  expect([taken, given]).toEqual([[0n], ["r"]]);
});
