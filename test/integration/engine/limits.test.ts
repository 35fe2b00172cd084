/** Limits: attempts wait for slots, and no slot is lost. */
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { CALLER, createBed, type Instance, SHARDS } from "./bed.ts";
import { createFakeTools, type FakeTools } from "./fake-tools.ts";
import { connectWorker } from "./fake-worker.ts";
import { ended, limited, slotsOf, start, startMany } from "./limit-bed.ts";

const bed = createBed();

const slots = () => slotsOf(bed);

/** What comes after has a later time: the clock stands still while it is ahead of that of the database. */
const untilLater = async ({ runtime: { clock } }: Instance): Promise<void> => {
  const now = clock.now();
  await eventually(() => expect(clock.now()).toBeGreaterThan(now));
};

const statesOf = async () => (await slots()).map(({ state }) => state).sort();

/** Calls that are answered one by one. */
function createHeld(): { readonly tools: FakeTools; release(): void } {
  const waiting: (() => void)[] = [];
  const tools = createFakeTools();
  tools.answer("call", async () => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return { ok: true, output: "done" };
  });
  return { tools, release: () => waiting.shift()?.() };
}

test("as many attempts are under way as the limit allows; the others wait in line, and no slot is left", async () => {
  await bed.register("two", [limited({ max_concurrent: 2 })]);
  const { tools, release } = createHeld();
  const instance = await bed.openInstance({ tools });
  const runs = await startMany(instance, "two", 5);
  await eventually(async () => expect(await statesOf()).toEqual(["taken", "taken", "waiting", "waiting", "waiting"]));
  for (const begun of [2, 3, 4, 5, 5]) {
    await eventually(() => expect(tools.calls.length).toBe(begun));
    release();
  }
  for (const runId of runs) expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  await eventually(async () => expect(await slots()).toEqual([]));
});

test("each value of the key is a limit of its own, and what may be a key is text, a number, or a boolean", async () => {
  await bed.register("keyed", {
    variables: [{ name: "customer", type: "any", required: true }],
    workflow: { tasks: [limited({ max_concurrent: 1, key: "${vars.customer}" })] },
  });
  const { tools, release } = createHeld();
  const instance = await bed.openInstance({ tools });
  const runs = [];
  for (const customer of ["a", "a", "b", 7]) runs.push(await start(instance, "keyed", { customer }));
  await eventually(async () => {
    const found = (await slots()).map(({ key, state }) => `${key} ${state}`).sort();
    expect(found).toEqual(["7 taken", "a taken", "a waiting", "b taken"]);
  });
  const wrong = await ended(instance, await start(instance, "keyed", { customer: ["a"] }));
  expect(wrong.error?.message).toContain("limit.key: the key must be text, a number, or a boolean");
  for (const begun of [3, 4, 4, 4]) {
    await eventually(() => expect(tools.calls.length).toBe(begun));
    release();
  }
  for (const runId of runs) expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  await eventually(async () => expect(await slots()).toEqual([]));
});

test("an attempt that will be repeated frees its slot, and each attempt asks anew", async () => {
  await bed.register("retried", [
    limited({ max_concurrent: 1 }, { retry_policy: { max_retries: 1, initial_delay: "1h" } }),
  ]);
  await bed.register("other", [limited({ max_concurrent: 1 })]);
  const tools = createFakeTools();
  tools.answer("call", ({ flowId }) =>
    flowId === "retried"
      ? { ok: false, error: { type: "UNWELL", message: "later", retryable: true } }
      : { ok: true, output: "done" },
  );
  const instance = await bed.openInstance({ tools });
  const retried = await start(instance, "retried");
  await eventually(async () => expect((await bed.stateOf(retried)).tasks.get("call")?.state).toBe("RETRYING"));
  expect((await ended(instance, await start(instance, "other"))).phase).toBe("COMPLETED");
  expect((await bed.stateOf(retried)).tasks.get("call")).toMatchObject({ attempt: 1, limitSlot: { state: "none" } });
  await eventually(async () => expect(await slots()).toEqual([]));
});

test("a run that is held leaves the line, and gets its place back on release", async () => {
  await bed.register("held", [limited({ max_concurrent: 1 })]);
  const { tools, release } = createHeld();
  const instance = await bed.openInstance({ tools });
  const first = await start(instance, "held");
  await eventually(() => expect(tools.calls).toHaveLength(1));
  await untilLater(instance);
  const second = await start(instance, "held");
  await untilLater(instance);
  const third = await start(instance, "held");
  await eventually(async () => expect(await statesOf()).toEqual(["taken", "waiting", "waiting"]));
  await instance.engine.pauseRun(CALLER, second, "wait");
  expect((await slots()).map(({ run_id }) => run_id)).toEqual([first, third]);
  await instance.engine.resumeRun(CALLER, second, [], "go on");
  expect((await slots()).map(({ run_id }) => run_id)).toEqual([first, second, third]);
  for (const [index, runId] of [first, second, third].entries()) {
    await eventually(() => expect(tools.calls).toHaveLength(index + 1));
    expect(tools.calls[index]?.runId).toBe(runId);
    release();
    expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  }
  await eventually(async () => expect(await slots()).toEqual([]));
});

test("a slot that a held run was given goes to the next in line", async () => {
  await bed.register("given", [limited({ max_concurrent: 1 })]);
  const { tools, release } = createHeld();
  const instance = await bed.openInstance({ tools });
  const first = await start(instance, "given");
  const second = await start(instance, "given");
  const third = await start(instance, "given");
  await eventually(async () => expect(await statesOf()).toEqual(["taken", "waiting", "waiting"]));
  const before = (await bed.stateOf(second)).tasks.get("call")?.limitSlot?.asked ?? 0;
  await instance.engine.pauseRun(CALLER, second, "wait");
  // As if it had been given before, and was told now.
  const late = { runId: second, path: "call", asked: before, shard: instance.runtime.shards.shardOf(second) };
  expect(await instance.runs.limitedTasks.granted(late)).toBe("over");
  await instance.engine.resumeRun(CALLER, second, [], "go on");
  expect(await instance.runs.limitedTasks.granted(late)).toBe("over");
  expect(tools.calls).toHaveLength(1);
  for (const runId of [first, second, third]) {
    release();
    expect((await ended(instance, runId)).phase).toBe("COMPLETED");
    await eventually(() => expect(tools.calls.length).toBe(runId === first ? 2 : 3));
  }
});

test.each([
  ["limit.timeout", { timeout: "50ms" }, {}, "LIMIT_WAIT_EXPIRED", "limit crm had no slot for the task within 50ms"],
  [
    "schedule_to_close_timeout",
    {},
    { schedule_to_close_timeout: "50ms" },
    "SCHEDULE_TO_CLOSE_TIMEOUT",
    "the task did not end in time; it waited for a slot of limit crm",
  ],
])("%s bounds the wait", async (_name, limit, more, type, message) => {
  await bed.register("holder", [limited({ max_concurrent: 1 })]);
  await bed.register("bounded", [limited({ max_concurrent: 1, ...limit }, more)]);
  const { tools, release } = createHeld();
  const instance = await bed.openInstance({ tools });
  const holder = await start(instance, "holder");
  await eventually(() => expect(tools.calls).toHaveLength(1));
  const { phase, error, tasks } = await ended(instance, await start(instance, "bounded"));
  expect({ phase, error }).toEqual({ phase: "FAILED", error: { type, message, task: "call" } });
  expect(tasks.get("call")?.state).toBe("TIMED_OUT");
  release();
  expect((await ended(instance, holder)).phase).toBe("COMPLETED");
  await eventually(async () => expect(await slots()).toEqual([]));
});

test.each(["cancelRun", "terminateRun"] as const)("%s ends the wait, and frees what the run has", async (method) => {
  await bed.register("ended", [limited({ max_concurrent: 1 })]);
  const { tools } = createHeld();
  const instance = await bed.openInstance({ tools });
  const first = await start(instance, "ended");
  await eventually(() => expect(tools.calls).toHaveLength(1));
  const second = await start(instance, "ended");
  await eventually(async () => expect(await statesOf()).toEqual(["taken", "waiting"]));
  for (const runId of [second, first]) {
    if (method === "cancelRun") await instance.engine.cancelRun(CALLER, runId, "enough", false);
    else await instance.engine.terminateRun(CALLER, runId, "enough");
    await ended(instance, runId);
  }
  expect(await slots()).toEqual([]);
});

test("worker tasks keep their slot while they wait for a worker", async () => {
  await bed.register("workers", [
    { ...limited({ max_concurrent: 1 }), type: "worker", parameters: { handler: "work", input: 1 } },
  ]);
  const instance = await bed.openInstance();
  const runs = [await start(instance, "workers"), await start(instance, "workers")];
  await eventually(async () => expect(await statesOf()).toEqual(["taken", "waiting"]));
  expect(await bed.sql("SELECT run_id FROM orchestrator.waiting_tasks")).toHaveLength(1);
  connectWorker(instance, { slots: 2 }, (worker, { token }) => void worker.complete(token));
  for (const runId of runs) expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  await eventually(async () => expect(await slots()).toEqual([]));
});

test("when the owner of fifty waiting runs dies, the next one gives out its slots, and none is left", async () => {
  await bed.register("many", [limited({ max_concurrent: 3 })]);
  const first = await bed.openInstance({ tools: createHeld().tools });
  const runs = await startMany(first, "many", 53);
  await eventually(async () => expect((await statesOf()).filter((state) => state === "taken")).toHaveLength(3));
  await first.crash();
  const second = await bed.openInstance();
  for (const runId of runs) expect((await ended(second, runId)).phase).toBe("COMPLETED");
  // Those three were made again.
  expect(second.tools.calls).toHaveLength(53);
  await eventually(async () => expect(await slots()).toEqual([]));
});

test("a slot that was given out and never heard of is found in the rows", async () => {
  await bed.register("found", [limited({ max_concurrent: 1 })]);
  const { tools, release } = createHeld();
  const instance = await bed.openInstance({ tools });
  const first = await start(instance, "found");
  const second = await start(instance, "found");
  await eventually(async () => expect(await statesOf()).toEqual(["taken", "waiting"]));
  // Somebody else has given it out, and died before telling it.
  await bed.sql("UPDATE orchestrator.limit_slots SET state = 'granted' WHERE state = 'waiting'");
  await eventually(() => expect(tools.calls).toHaveLength(2));
  for (const runId of [first, second]) {
    release();
    expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  }
});

test("runs of two instances share limits, whichever of the two gives out the slots", async () => {
  await bed.register("shared", {
    variables: [{ name: "customer", type: "any", required: true }],
    workflow: { tasks: [limited({ max_concurrent: 1, key: "${vars.customer}" })] },
  });
  const first = await bed.openInstance({ ttlMs: 3_000 });
  const second = await bed.openInstance({ ttlMs: 3_000 });
  await eventually(() => expect(second.runtime.shards.owned).toHaveLength(SHARDS / 2));
  await eventually(() => {
    for (const instance of [first, second]) expect(instance.runtime.cluster.view().others).toHaveLength(1);
  });
  const began = performance.now();
  const runs: Promise<string>[] = [];
  // Eight keys: some have their home here, some there.
  for (let index = 0; index < 80; index += 1)
    runs.push(start(index % 2 === 0 ? first : second, "shared", { customer: index % 8 }));
  const ids = await Promise.all(runs);
  for (const [index, runId] of ids.entries())
    expect((await ended(index % 2 === 0 ? first : second, runId)).phase).toBe("COMPLETED");
  // Every slot passes from run to run, half of them across: nobody waits until he looks for himself.
  expect(performance.now() - began).toBeLessThan(10_000);
  await eventually(async () => expect(await slots()).toEqual([]));
});

test("what is not told is found: by owners of runs and of homes", async () => {
  await bed.register("untold", [limited({ max_concurrent: 1 })]);
  const first = await bed.openInstance({ ttlMs: 3_000, tellsNobody: true });
  const second = await bed.openInstance({ ttlMs: 3_000, tellsNobody: true });
  await eventually(() => expect(second.runtime.shards.owned).toHaveLength(SHARDS / 2));
  const runs = [await start(first, "untold"), await start(second, "untold"), await start(first, "untold")];
  for (const [index, runId] of runs.entries())
    expect((await ended(index === 1 ? second : first, runId)).phase).toBe("COMPLETED");
});

test("when the owner of a home dies, its heir gives out the slots", async () => {
  await bed.register("heir", {
    variables: [{ name: "customer", type: "any", required: true }],
    workflow: { tasks: [limited({ max_concurrent: 1, key: "${vars.customer}" })] },
  });
  const { tools, release } = createHeld();
  const first = await bed.openInstance({ ttlMs: 3_000, tools });
  const second = await bed.openInstance({ ttlMs: 3_000 });
  await eventually(() => expect(second.runtime.shards.owned).toHaveLength(SHARDS / 2));
  const runs = await Promise.all(
    Array.from({ length: 16 }, (_, index) => start(first, "heir", { customer: Math.floor(index / 2) })),
  );
  await eventually(async () => expect((await statesOf()).filter((state) => state === "taken")).toHaveLength(8));
  await second.crash();
  for (let left = 16; left > 0; left -= 1) {
    await eventually(() => expect(tools.calls.length).toBeGreaterThan(16 - left), { timeoutMs: 20_000 });
    release();
  }
  for (const runId of runs) expect((await ended(first, runId)).phase).toBe("COMPLETED");
  await eventually(async () => expect(await slots()).toEqual([]));
});
