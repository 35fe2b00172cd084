import { expect, test } from "vitest";
import { withoutAborted } from "../../../../src/bus/kafka/committed.ts";

const batch = (firstOffset: bigint, producerId: bigint, attributes = 0x10, count = 1) => ({
  ...{ firstOffset, producerId, attributes, lastOffsetDelta: count - 1, records: [] },
});
const marker = (firstOffset: bigint, producerId: bigint, type: 0 | 1) => ({
  ...batch(firstOffset, producerId, 0x30),
  records: [{ key: Buffer.from([0, 0, 0, type]) }],
});
const read = (batches: Parameters<typeof withoutAborted>[0], aborted: Parameters<typeof withoutAborted>[1]) =>
  [...withoutAborted(batches, aborted)].map(({ firstOffset }) => Number(firstOffset));

test("what comes outside of transactions and what was committed counts", () => {
  expect(read([batch(0n, -1n, 0), batch(1n, 7n), marker(2n, 7n, 1), batch(3n, 8n)], [])).toEqual([0, 1, 3]);
});

test("an aborted transaction ends with its marker, and the next one of its producer counts", () => {
  const batches = [batch(0n, 7n, 0x10, 3), batch(3n, 8n), marker(4n, 7n, 0), batch(5n, 7n), marker(6n, 7n, 1)];
  expect(read(batches, [{ producerId: 7n, firstOffset: 0n }])).toEqual([3, 5]);
});

// Cause: the library kept what was aborted when the marker came with a later fetch.
test("an aborted transaction whose marker comes later does not count", () => {
  expect(read([batch(0n, 7n), batch(1n, 8n)], [{ producerId: 7n, firstOffset: 0n }])).toEqual([1]);
});

// Cause: the library knew only the last transaction of each producer.
test("a producer may abort more than once, in any order of the list", () => {
  const batches = [
    batch(0n, 7n),
    marker(1n, 7n, 0),
    batch(2n, 7n),
    marker(3n, 7n, 1),
    batch(4n, 7n),
    marker(5n, 7n, 0),
  ];
  const aborted = [4n, 0n].map((firstOffset) => ({ producerId: 7n, firstOffset }));
  expect(read(batches, aborted)).toEqual([2]);
});

test("a batch outside of transactions counts, whatever its producer has aborted", () => {
  expect(read([batch(0n, 7n), batch(1n, 7n, 0)], [{ producerId: 7n, firstOffset: 0n }])).toEqual([1]);
});
