import { expect, test } from "vitest";
import { WaitingTasks } from "../../../../src/engine/dispatch/waiting-tasks.ts";
import type { Line, ReadyTask } from "../../../../src/engine/ports/dispatch/hand-overs.ts";

const taskOf = (runId: string, more: Partial<ReadyTask> = {}): ReadyTask => ({
  runId,
  tenantId: "t",
  path: "a",
  queue: "q",
  handler: "work",
  priority: 0,
  since: 1,
  ...more,
});

const LINE = { tenantId: "t", queue: "q", handler: "work" };

/** A store with these tasks, in order; counts its pages. */
function openStore(tasks: readonly ReadyTask[]) {
  let pages = 0;
  const store = {
    listHandedOut: async () => [],
    listWaiting: async (_shards: readonly number[], _line: Line, after: ReadyTask | null, limit: number) => {
      pages += 1;
      const from = after === null ? 0 : tasks.findIndex(({ runId }) => runId === after.runId) + 1;
      return tasks.slice(from, from + limit);
    },
  };
  return { waiting: new WaitingTasks(store, { owned: [0] }), pages: () => pages };
}

async function takeAll(waiting: WaitingTasks): Promise<string[]> {
  const taken: string[] = [];
  for (;;) {
    if (waiting.isLow(LINE)) await waiting.fill(LINE);
    const task = waiting.take([LINE]);
    if (task === null) return taken;
    taken.push(task.runId);
  }
}

test("tasks come by priority, then by time, then by run", async () => {
  const { waiting } = openStore([]);
  await waiting.fill(LINE);
  for (const task of [
    taskOf("late", { since: 2 }),
    taskOf("b"),
    taskOf("low", { priority: -1, since: 0 }),
    taskOf("a"),
    taskOf("high", { priority: 5, since: 9 }),
  ])
    waiting.add(task);
  expect(await takeAll(waiting)).toEqual(["high", "a", "b", "late", "low"]);
});

test("more tasks than fit in memory are read page by page, and none is left out or comes twice", async () => {
  const stored = Array.from({ length: 5_000 }, (_, index) => taskOf(String(index).padStart(5, "0"), { since: index }));
  const { waiting, pages } = openStore(stored);
  expect(await takeAll(waiting)).toEqual(stored.map(({ runId }) => runId));
  expect(pages()).toBeGreaterThan(2);
});

test("a task that comes while others wait in the store does not overtake them", async () => {
  const stored = Array.from({ length: 3_000 }, (_, index) => taskOf(String(index).padStart(5, "0"), { since: index }));
  const { waiting } = openStore(stored);
  await waiting.fill(LINE);
  const last = taskOf("99999", { since: 10_000 });
  waiting.add(last);
  waiting.add(taskOf("urgent", { priority: 1, since: 10_000 }));
  expect(waiting.take([LINE])?.runId).toBe("urgent");
  expect((await takeAll(waiting)).slice(0, 3)).toEqual(["00000", "00001", "00002"]);
});

test("tasks that nobody can do keep no others back", async () => {
  const { waiting } = openStore([]);
  await waiting.fill(LINE);
  for (let index = 0; index < 3_000; index += 1)
    waiting.add(taskOf(`stuck-${index}`, { handler: "else", priority: 9 }));
  expect(waiting.hasBefore(taskOf("first"))).toBe(false);
  waiting.add(taskOf("first"));
  expect(waiting.hasBefore(taskOf("second"))).toBe(true);
  expect(waiting.hasBefore(taskOf("urgent", { priority: 1 }))).toBe(false);
  expect(await takeAll(waiting)).toEqual(["first"]);
});

test("of several lines the first task of all comes first", async () => {
  const { waiting } = openStore([]);
  const other = { ...LINE, handler: "else" };
  await Promise.all([waiting.fill(LINE), waiting.fill(other)]);
  waiting.add(taskOf("a", { since: 2 }));
  waiting.add(taskOf("b", { handler: "else", since: 1 }));
  const take = () => waiting.take([LINE, other])?.runId;
  expect([take(), take(), take()]).toEqual(["b", "a", undefined]);
});
