/** Messages that may kill their reader, tried one after the other. */
import { expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../../src/base/log.ts";
import { Trials } from "../../../../src/bus/kafka/trials.ts";
import type { InboundMessage } from "../../../../src/engine/ports/bus/inbound.ts";
import { eventually } from "../../../support/eventually.ts";

const messageAt = (partition: number, offset: bigint): InboundMessage => ({
  ...{ clusterId: "c", topicId: "t", topic: "flow_runs", partition, offset },
  ...{ leaderEpoch: 0, key: null, value: null, headers: [], sentAt: 0 },
});

const nameOf = ({ partition, offset }: { readonly partition: number; readonly offset: bigint }): string =>
  `${partition}/${offset}`;

/** Notes in order what is named, what has passed, what is handed over, and what is rejected. */
function createWorld({ pauseMs = 0, refuseNames = 0 } = {}) {
  const happened: string[] = [];
  const ends = new Map<string, () => void>();
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  let refusals = refuseNames;
  const trials = new Trials({
    suspects: {
      name: async (next, passed) => {
        if (refusals-- > 0) throw new Error("the store is away");
        if (passed !== null) happened.push(`passed ${nameOf(passed)}`);
        if (next !== null) happened.push(`named ${nameOf(next)}`);
      },
      otherDied: async (message) => void happened.push(`owner died of ${nameOf(message)}`),
      forget: async (message) => void happened.push(`forgot ${nameOf(message)}`),
    },
    rejected: { keep: async (message, reason) => void happened.push(`${reason} ${nameOf(message)}`) },
    ...{ pauseMs, stopping: stop.signal, log: silentLog },
  });
  const handled: InboundMessage[] = [];
  const take = (
    partition: number,
    offsets: readonly bigint[],
    guilty: ReadonlyMap<bigint, boolean> = new Map(),
    isOpen: () => boolean = () => true,
  ) =>
    trials.take(
      offsets.map((offset) => messageAt(partition, offset)),
      (messages) =>
        messages.map((message) => {
          happened.push(`handed ${nameOf(message)}`);
          handled.push(message);
          return new Promise((resolve) => ends.set(nameOf(message), resolve));
        }),
      { until: 100n, guilty },
      isOpen,
    );
  /** Ends a message as soon as it is handed over. */
  const end = async (name: string): Promise<void> => {
    await eventually(() => expect(ends.has(name)).toBe(true));
    ends.get(name)?.();
  };
  return { trials, happened, handled, take, end, stop };
}

test("each message is named before it is handed over, and the next one only when it is done", async () => {
  const { happened, take, end, trials } = createWorld();
  const { ends, over } = take(0, [5n, 6n]);
  await eventually(() => expect(happened).toEqual(["named 0/5", "handed 0/5"]));
  await end("0/5");
  await ends[0];
  await end("0/6");
  await over;
  await trials.drain();
  expect(happened).toEqual(["named 0/5", "handed 0/5", "passed 0/5", "named 0/6", "handed 0/6", "passed 0/6"]);
});

test("messages of two partitions are never on trial together", async () => {
  const { happened, take, end, trials } = createWorld();
  take(0, [1n, 2n]);
  take(1, [7n]);
  await end("0/1");
  await end("1/7");
  await end("0/2");
  await eventually(() => expect(happened).toHaveLength(9));
  await trials.drain();
  expect(happened.filter((one) => !one.startsWith("passed"))).toEqual([
    ...["named 0/1", "handed 0/1", "named 1/7", "handed 1/7", "named 0/2", "handed 0/2"],
  ]);
});

test("a message that is tried again and again does not hold up those behind it", async () => {
  const { happened, handled, take, trials } = createWorld();
  const { ends } = take(0, [1n, 2n]);
  await eventually(() => expect(handled).toHaveLength(1));
  const [first] = handled;
  if (first !== undefined) trials.attempted(first);
  await eventually(() => expect(happened).toContain("handed 0/2"));
  expect(happened).toEqual(["named 0/1", "handed 0/1", "passed 0/1", "named 0/2", "handed 0/2"]);
  // It is not done, and its partition does not go beyond it.
  let isDone = false;
  void ends[0]?.then(() => {
    isDone = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isDone).toBe(false);
});

// Cause: the trial passed when the owner of the run had died. Then its shard came to the reader, which died of a
// message that was not on trial any more.
test("a message of which the owner of its run has died is on trial until it is done", async () => {
  const { happened, handled, take, end, trials } = createWorld();
  take(0, [1n, 2n]);
  await eventually(() => expect(handled).toHaveLength(1));
  const [first] = handled;
  if (first === undefined) return expect.unreachable();
  trials.ownerDied(first);
  trials.attempted(first);
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(happened).toEqual(["named 0/1", "handed 0/1", "owner died of 0/1"]);
  await end("0/1");
  await eventually(() => expect(happened).toContain("handed 0/2"));
});

test("a guilty message is rejected without being touched, and the next one passes", async () => {
  const { happened, take, end, trials } = createWorld();
  const { ends } = take(0, [1n, 2n], new Map([[1n, true]]));
  await ends[0];
  await end("0/2");
  await ends[1];
  await trials.drain();
  expect(happened).toEqual(["KILLS_ITS_READER 0/1", "forgot 0/1", "named 0/2", "handed 0/2", "passed 0/2"]);
});

test("a message with deaths is tried after a pause in which nothing is in progress; others go on meanwhile", async () => {
  const { happened, take, end } = createWorld({ pauseMs: 1e9 });
  take(0, [1n, 2n], new Map([[2n, false]]));
  await end("0/1");
  await eventually(() => expect(happened).toEqual(["named 0/1", "handed 0/1", "passed 0/1"]));
  take(1, [7n]);
  await end("1/7");
  await eventually(() => expect(happened.slice(3)).toEqual(["named 1/7", "handed 1/7", "passed 1/7"]));
});

test("nothing is handed over before it is named, however long the store is away", async () => {
  const { happened, take } = createWorld({ refuseNames: 2 });
  take(0, [1n]);
  await eventually(() => expect(happened).toEqual(["named 0/1", "handed 0/1"]));
});

test("a stop clears the message in progress, which has killed nobody, and tries no other", async () => {
  const { happened, take, trials, stop } = createWorld();
  const { over } = take(0, [1n, 2n]);
  await eventually(() => expect(happened).toContain("handed 0/1"));
  stop.abort();
  await over;
  await trials.drain();
  expect(happened).toEqual(["named 0/1", "handed 0/1", "passed 0/1"]);
});
