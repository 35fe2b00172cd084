import { expect, test } from "vitest";
import { Head } from "../../../../src/engine/dispatch/head.ts";
import { Skills } from "../../../../src/engine/dispatch/skills.ts";
import { WaitingTasks } from "../../../../src/engine/dispatch/waiting-tasks.ts";
import type { LabeledLine, ReadyTask } from "../../../../src/engine/ports/dispatch/hand-overs.ts";
import { eventually } from "../../../support/eventually.ts";

const taskOf = (runId: string, more: Partial<ReadyTask> = {}): ReadyTask => ({
  runId,
  tenantId: "t",
  path: "a",
  queue: "q",
  handler: "work",
  priority: 0,
  since: 1,
  labels: "",
  fairnessKey: "",
  turn: more.since ?? 1,
  ...more,
});

const skillsOf = (labels: Record<string, string> = {}) =>
  new Skills("t", { queues: ["q"], handlers: ["work"], labels, buildId: "" });

const SKILLS = skillsOf();

const LINE = { tenantId: "t", queue: "q", handler: "work" };

/** A store with these tasks, in order; counts its pages. */
function openStore(tasks: readonly ReadyTask[]) {
  let pages = 0;
  const store = {
    listHandedOut: async () => [],
    listCarried: async () => [],
    readdress: async () => 0,
    listLabels: async () => [...new Set(tasks.map(({ labels }) => labels))].filter((labels) => labels !== ""),
    listWaiting: async (
      _shards: readonly number[],
      { labels }: LabeledLine,
      after: ReadyTask | null,
      limit: number,
    ) => {
      pages += 1;
      const line = tasks.filter((task) => task.labels === labels);
      const from = after === null ? 0 : line.findIndex(({ runId }) => runId === after.runId) + 1;
      return line.slice(from, from + limit);
    },
  };
  return { waiting: new WaitingTasks(store, { owned: [0] }), pages: () => pages };
}

async function takeAll(waiting: WaitingTasks, skills = SKILLS): Promise<string[]> {
  const taken: string[] = [];
  for (;;) {
    if (waiting.isLow(LINE, skills)) await waiting.fill(LINE, skills);
    const task = waiting.take([LINE], skills);
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
  expect(waiting.take([LINE], SKILLS)?.runId).toBe("urgent");
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
  const take = () => waiting.take([LINE, other], SKILLS)?.runId;
  expect([take(), take(), take()]).toEqual(["b", "a", undefined]);
});

test("a worker gets the tasks whose labels it has, those without labels among them, in their order", async () => {
  const { waiting } = openStore([
    taskOf("plain", { since: 2 }),
    taskOf("big", { since: 1, labels: "gpu=a100" }),
    taskOf("far", { since: 3, labels: "gpu=a100,zone=x" }),
    taskOf("small", { since: 0, labels: "gpu=t4" }),
  ]);
  expect(await takeAll(waiting)).toEqual(["plain"]);
  expect(await takeAll(waiting, skillsOf({ gpu: "a100", zone: "y" }))).toEqual(["big"]);
  expect(await takeAll(waiting, skillsOf({ zone: "x", gpu: "a100" }))).toEqual(["far"]);
  expect(await takeAll(waiting, skillsOf({ gpu: "t4" }))).toEqual(["small"]);
});

test("a line to which a task with a key has come is read anew, and what was taken does not come back", async () => {
  const stored = [taskOf("a1", { turn: 1, fairnessKey: "a" }), taskOf("a2", { turn: 5, fairnessKey: "a" })];
  const { waiting } = openStore(stored);
  await waiting.fill(LINE);
  expect(waiting.take([LINE], SKILLS)?.runId).toBe("a1");
  const late = taskOf("b1", { turn: 3, fairnessKey: "b" });
  stored.splice(1, 0, late);
  expect(waiting.hasBefore(late)).toBe(true);
  waiting.add(late);
  await eventually(async () => expect(waiting.isLow(LINE, SKILLS)).toBe(true));
  expect(await takeAll(waiting)).toEqual(["b1", "a2"]);
});

test("a task that comes while its line is read is not lost, wherever it belongs", async () => {
  const stored = Array.from({ length: 2_500 }, (_, index) => taskOf(String(index), { since: index + 1 }));
  const pages = [stored.slice(0, 2_000), [...stored.slice(2_000), taskOf("last", { since: 9_000 })]];
  const head = new Head({ ...LINE, labels: "" }, async () => pages.shift() ?? []);
  const reading = head.fill();
  head.add(taskOf("first", { since: 0 }));
  head.add(taskOf("last", { since: 9_000 }));
  await reading;
  const taken: string[] = [];
  for (let task = head.take(); ; task = head.take()) {
    if (head.isLow) await head.fill();
    if (task === null) break;
    taken.push(task.runId);
  }
  expect(taken).toEqual(["first", ...stored.map(({ runId }) => runId), "last"]);
});
