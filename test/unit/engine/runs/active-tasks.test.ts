import { beforeEach, expect, test } from "vitest";
import { ActiveTasks } from "../../../../src/engine/runs/active-tasks.ts";
import type { RunResidence, RunResident } from "../../../../src/engine/runs/run-resident.ts";

const MINUTE = 60_000;

let now = 0;
let owned: Set<number>;
let lose: (shard: number) => void;
let residents: Map<string, RunResident>;
let tasks: ActiveTasks;

beforeEach(() => {
  now = 0;
  owned = new Set([1]);
  residents = new Map();
  const listeners: ((shard: number) => void)[] = [];
  lose = (shard) => {
    owned.delete(shard);
    for (const listener of listeners) listener(shard);
  };
  const epochOf = (shard: number) => (owned.has(shard) ? 1 : undefined);
  tasks = new ActiveTasks({
    residence: { residents } as unknown as RunResidence,
    shards: { epochOf, onLost: (listener) => void listeners.push(listener) },
    clock: { now: () => now },
  });
  tasks.taken([1]);
});

const runOf = (active: number, away: number, updatedAt: number, endedAt = 0): RunResident =>
  ({ shard: 1, entity: { state: { active, away, updatedAt, endedAt } } }) as unknown as RunResident;

const read = (id: string, run: RunResident): void => {
  residents.set(id, run);
  tasks.opened(run);
};
const leave = (id: string): void => {
  const run = residents.get(id) as RunResident;
  residents.delete(id);
  tasks.left(run);
};

test("tasks of runs in memory are counted, and those of runs that rest as they were when they left", () => {
  residents.set("a", runOf(1, 2, MINUTE));
  residents.set("b", runOf(0, 4, MINUTE));
  residents.set("ended", runOf(0, 0, MINUTE, MINUTE));
  expect(tasks.count).toBe(7);
  leave("b");
  leave("ended");
  expect(tasks.count).toBe(7);
  read("b", runOf(0, 4, MINUTE));
  expect(tasks.count).toBe(7);
  residents.set("b", runOf(1, 1, 2 * MINUTE));
  expect(tasks.count).toBe(5);
  leave("b");
  read("b", runOf(1, 1, 2 * MINUTE));
  expect(tasks.count).toBe(5);
});

test("what an earlier owner has left there is counted while it is in memory, and nothing is taken back for it", () => {
  residents.set("ours", runOf(0, 3, MINUTE));
  leave("ours");
  // Its last change is that of an earlier owner, whose clock may be a little ahead.
  for (const updatedAt of [-MINUTE, 5]) {
    read("theirs", runOf(2, 0, updatedAt));
    expect(tasks.count).toBe(5);
    leave("theirs");
    expect(tasks.count).toBe(3);
  }
  read("theirs", runOf(2, 0, 5));
  residents.set("theirs", runOf(2, 0, 2 * MINUTE));
  leave("theirs");
  expect(tasks.count).toBe(5);
});

test("a shard that is lost takes its runs along, and begins anew when it comes back", () => {
  residents.set("a", runOf(0, 3, MINUTE));
  leave("a");
  lose(1);
  expect(tasks.count).toBe(0);
  now = 10 * MINUTE;
  owned.add(1);
  tasks.taken([1]);
  read("a", runOf(0, 3, MINUTE));
  expect(tasks.count).toBe(3);
  leave("a");
  expect(tasks.count).toBe(0);
});
