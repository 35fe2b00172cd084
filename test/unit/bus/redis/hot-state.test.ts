/** States of runs on their way to Redis, with a clock that is moved by hand. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silentLog } from "../../../../src/base/log.ts";
import { HotState, INTERVAL_MS, MAX_BYTES } from "../../../../src/bus/redis/hot-state.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A run of which only this matters. */
interface FakeRun {
  sequence: number;
  text: string;
}

/** A Redis that is steered, and what it was given: `key=text`. */
function open() {
  const redis = {
    isReady: true,
    refusal: null as Error | null,
    written: [] as string[],
    batches: [] as number[],
    ttls: [] as number[],
  };
  const counts = { written: 0, failed: 0, dropped: 0 };
  const owned = new Set<string>();
  let ready = (): void => {};
  const states = new HotState<FakeRun>({
    connection: {
      get isReady() {
        return redis.isReady;
      },
      onReady: (listener) => (ready = listener),
      async send(count, fill) {
        const sets: string[] = [];
        const set = (key: string, text: string, _px: string, ttlMs: number) => {
          sets.push(`${key}=${text}`);
          redis.ttls.push(ttlMs);
        };
        fill({ set } as never);
        redis.batches.push(count);
        if (redis.refusal === null) redis.written.push(...sets);
        return sets.map(() => redis.refusal);
      },
    },
    keyOf: (runId) => runId,
    ttlOf: ({ text }) => (text.startsWith("long") ? 9_000 : 1_000),
    sequenceOf: ({ sequence }) => sequence,
    summarize: ({ text }) => text,
    owns: (runId) => !owned.has(runId),
    metrics: { counted: (result, count) => (counts[result] += count) },
    log: silentLog,
  });
  const back = (): void => {
    redis.isReady = true;
    ready();
  };
  return { states, redis, counts, lose: (runId: string) => owned.add(runId), back };
}

const later = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test("changes of an open run are one write in 200 ms, its end is written at once", async () => {
  const { states, redis } = open();
  const run = { sequence: 0, text: "" };
  const change = (hasEnded = false): void => {
    run.text = String(++run.sequence);
    states.committed("r", run, run.sequence, hasEnded);
  };
  for (let step = 0; step < 50; step++) {
    change();
    await later(20);
  }
  expect(redis.written.length).toBeGreaterThanOrEqual(3);
  expect(redis.written.length).toBeLessThanOrEqual(1_000 / INTERVAL_MS);
  change(true);
  await later(1);
  expect(redis.written.at(-1)).toBe("r=51");
  const { length } = redis.written;
  await later(10 * INTERVAL_MS);
  expect(redis.written).toHaveLength(length);
});

test("nothing is shown before it is durable, and what is always ahead is shown all the same", async () => {
  const { states, redis } = open();
  const run = { sequence: 2, text: "two" };
  states.committed("r", run, 1, false);
  await later(2 * INTERVAL_MS);
  expect(redis.written).toEqual([]);
  Object.assign(run, { sequence: 3, text: "three" });
  states.committed("r", run, 2, false);
  await later(1);
  expect(redis.written).toEqual(["r=two"]);
  // What was ahead was never written: the run was read anew.
  const again = { sequence: 3, text: "another three" };
  await later(2 * INTERVAL_MS);
  Object.assign(run, { sequence: 4, text: "lost" });
  states.committed("r", run, 3, false);
  await later(2 * INTERVAL_MS);
  states.committed("r", again, 3, false);
  again.sequence = 4;
  await later(2 * INTERVAL_MS);
  states.committed("r", again, 4, false);
  await later(2 * INTERVAL_MS);
  expect(redis.written.at(-1)).toBe("r=another three");
  expect(redis.written).not.toContain("r=lost");
});

test("what cannot be written waits, the newest of each run, and ends are dropped last", async () => {
  const { states, redis, counts, back } = open();
  redis.isReady = false;
  const text = "x".repeat(MAX_BYTES / 8);
  for (let index = 0; index < 4; index++) states.committed(`ended${index}`, { sequence: 1, text }, 1, true);
  await later(1);
  for (let index = 0; index < 10; index++) {
    states.committed(`open${index}`, { sequence: 1, text }, 1, false);
    await later(INTERVAL_MS + 100);
  }
  expect(counts).toEqual({ written: 0, failed: 0, dropped: 6 });
  back();
  await later(10);
  const keys = redis.written.map((set) => set.split("=", 1)[0]);
  expect(keys).toEqual(["ended0", "ended1", "ended2", "ended3", "open6", "open7", "open8", "open9"]);
  expect(counts).toMatchObject({ written: 8, failed: 0 });
});

test("a refused batch is tried again with pauses, and a newer state replaces an older one meanwhile", async () => {
  const { states, redis, counts } = open();
  redis.refusal = new Error("OOM");
  const run = { sequence: 1, text: "old" };
  states.committed("r", run, 1, false);
  await later(INTERVAL_MS + 100);
  Object.assign(run, { sequence: 2, text: "new" });
  states.committed("r", run, 2, false);
  await later(10_000);
  expect(counts.failed).toBeGreaterThan(2);
  expect(redis.batches.length).toBeLessThan(12);
  redis.refusal = null;
  await later(6_000);
  expect(redis.written).toEqual(["r=new"]);
});

test("an open run that another instance owns is not shown; one that ended is", async () => {
  const { states, redis, lose, back } = open();
  redis.isReady = false;
  states.committed("open", { sequence: 1, text: "open" }, 1, false);
  states.committed("ended", { sequence: 1, text: "ended" }, 1, true);
  await later(2 * INTERVAL_MS);
  lose("open");
  lose("ended");
  back();
  await later(10);
  expect(redis.written).toEqual(["ended=ended"]);
});

test("a stop writes what is there, and waits no longer than it may", async () => {
  const { states, redis } = open();
  states.committed("open", { sequence: 1, text: "open" }, 1, false);
  states.committed("ended", { sequence: 1, text: "ended" }, 1, true);
  const flushed = states.flush(1_000);
  await later(1);
  await flushed;
  expect(redis.written.toSorted()).toEqual(["ended=ended", "open=open"]);
  redis.isReady = false;
  states.committed("late", { sequence: 1, text: "late" }, 1, true);
  await states.flush(1_000);
});

test("each state stays for as long as its run says, also when it is sent again", async () => {
  const { states, redis } = open();
  redis.refusal = new Error("READONLY");
  states.committed("a", { sequence: 1, text: "short" }, 1, true);
  states.committed("b", { sequence: 1, text: "long" }, 1, true);
  await later(50);
  redis.refusal = null;
  await later(1_000);
  expect(redis.written).toEqual(["a=short", "b=long"]);
  expect(redis.ttls).toEqual([1_000, 9_000, 1_000, 9_000]);
});
