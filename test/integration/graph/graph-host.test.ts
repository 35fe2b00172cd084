import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import type { GraphHost } from "../../../src/engine/ports/graphs.ts";
import { createCheckpointStore } from "../../../src/store/checkpoints.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { createFileFolder } from "../../support/temporary-folder.ts";
import { answersOf, MODULES, openTestHost, startGraphRun, suspensionOf } from "./graph-runs.ts";

const { database } = await createTestDatabase();
const checkpoints = createCheckpointStore(database.reads);
const folder = createFileFolder();

let host: GraphHost;
beforeAll(async () => {
  host = await openTestHost(checkpoints);
});
afterAll(() => host.close());

describe("graphs that end", () => {
  test("run to their output; another attempt of a finished one gives it again and runs nothing", async () => {
    const run = startGraphRun("plain", host, folder);
    expect(answersOf(await run.attempt())).toEqual(["first", "middle"]);
    expect(answersOf(await run.attempt())).toEqual(["first", "middle"]);
    expect(run.notes()).toEqual(["first", "middle", "last"]);
  });

  // Cause: modules were loaded at the start to look at them, and LangGraph again for the first attempt, which took 3.5
  // s.
  test("the first attempt finds the thread that loaded the modules at the start", async () => {
    const [file, module] = [join(folder, "loads.txt"), join(folder, "counted.ts")];
    const count = `import { appendFileSync } from "node:fs";\nappendFileSync(${JSON.stringify(file)}, "loaded ");\n`;
    writeFileSync(module, `${count}export { graphs } from ${JSON.stringify(MODULES[0])};\n`);
    const own = await openTestHost(checkpoints, {}, [module]);
    expect(answersOf(await startGraphRun("plain", own, folder).attempt())).toEqual(["first", "middle"]);
    expect(readFileSync(file, "utf8")).toBe("loaded ");
    await own.close();
  });

  test("sends and reducers work over the checkpointer", async () => {
    const outcome = await startGraphRun("sums", host, folder).attempt({ input: { items: [1, 2, 3, 4] } });
    expect(outcome).toMatchObject({ ok: true, output: { sum: 10 } });
  });

  test("messages survive the checkpoint as messages and leave as plain JSON", async () => {
    const run = startGraphRun("chat", host, folder);
    const question = suspensionOf(await run.attempt({ input: {} }));
    expect(question.value).toEqual({ title: "Your name?" });
    const outcome = await run.attempt({ input: {}, answer: { key: question.key, value: "Ada" } });
    expect(outcome).toMatchObject({
      ok: true,
      output: {
        messages: [
          { type: "human", id: "h1", content: "Ada" },
          { type: "ai", id: "a1", content: "Hello Ada, true" },
        ],
      },
    });
  });

  test("a module sees nothing of the service's environment, and what it prints goes to the log", async () => {
    process.env.SECRET_OF_THE_SERVICE = "1";
    expect(answersOf(await startGraphRun("sees", host, folder).attempt())).toEqual(["first", []]);
    delete process.env.SECRET_OF_THE_SERVICE;
    const info = vi.fn();
    const own = await openTestHost(checkpoints, {}, MODULES, { ...silentLog, info });
    const run = startGraphRun("talks", own, folder);
    await run.attempt();
    await eventually(() =>
      expect(info).toHaveBeenCalledWith("a graph says", expect.objectContaining({ text: "hello from the graph" })),
    );
    await own.close();
  });
});

describe("graphs that ask", () => {
  test("an approval suspends the attempt; the answer goes on where it stopped", async () => {
    const run = startGraphRun("ask", host, folder);
    const { key, wait, value, timeoutMs } = suspensionOf(await run.attempt());
    expect({ wait, value, timeoutMs }).toEqual({
      wait: { kind: "approval" },
      value: { type: "approval", title: "Go on?" },
      timeoutMs: null,
    });
    const answer = { approved: false, by: "ada", comment: "no", data: null };
    expect(answersOf(await run.attempt({ answer: { key, value: answer } }))).toEqual(["first", answer]);
    expect(run.notes()).toEqual(["first", "middle", "middle", "last"]);
  });

  test.each([false, 0, "", null])("an answer may be %j", async (value) => {
    const run = startGraphRun("ask_text", host, folder);
    const { key } = suspensionOf(await run.attempt());
    expect(answersOf(await run.attempt({ answer: { key, value } }))).toEqual(["first", value]);
  });

  test("without an answer, or with one that is for something else, the question stays the same", async () => {
    const run = startGraphRun("ask_text", host, folder);
    const first = suspensionOf(await run.attempt());
    expect(suspensionOf(await run.attempt())).toEqual(first);
    expect(suspensionOf(await run.attempt({ answer: { key: `${"0".repeat(32)}:0`, value: 1 } }))).toEqual(first);
    expect(suspensionOf(await run.attempt({ answer: { key: "nonsense", value: 1 } }))).toEqual(first);
    expect(run.notes().filter((line) => line === "first")).toHaveLength(1);
  });

  test("an answer that comes again is not taken for the next question", async () => {
    const run = startGraphRun("ask_twice", host, folder);
    const one = suspensionOf(await run.attempt());
    const answer = { key: one.key, value: 1 };
    const two = suspensionOf(await run.attempt({ answer }));
    expect(two.key).not.toBe(one.key);
    expect(two.value).toEqual({ title: "two" });
    expect(suspensionOf(await run.attempt({ answer }))).toEqual(two);
    expect(answersOf(await run.attempt({ answer: { key: two.key, value: 2 } }))).toEqual(["first", 1, 2]);
    // And after the end it changes nothing either.
    expect(answersOf(await run.attempt({ answer }))).toEqual(["first", 1, 2]);
  });

  test("a signal is waited for by name, with a time limit", async () => {
    const run = startGraphRun("ask_signal", host, folder);
    const { key, wait, timeoutMs } = suspensionOf(await run.attempt());
    expect({ wait, timeoutMs }).toEqual({ wait: { kind: "signal", name: "paid" }, timeoutMs: 3_600_000 });
    expect(answersOf(await run.attempt({ answer: { key, value: { amount: 3 } } }))).toEqual(["first", { amount: 3 }]);
  });

  test("subgraphs may ask, more than once", async () => {
    const run = startGraphRun("ask_inside", host, folder);
    const one = suspensionOf(await run.attempt());
    const two = suspensionOf(await run.attempt({ answer: { key: one.key, value: "a" } }));
    expect([one.value, two.value]).toEqual([{ title: "from inside" }, { title: "again" }]);
    expect(suspensionOf(await run.attempt({ answer: { key: one.key, value: "a" } }))).toEqual(two);
    const outcome = await run.attempt({ answer: { key: two.key, value: "b" } });
    expect(answersOf(outcome)).toEqual(["a", "b"]);
    expect(run.notes().filter((line) => line === "before" || line === "inner_first")).toEqual([
      "before",
      "inner_first",
    ]);
  });

  test("questions side by side are asked one after the other", async () => {
    const run = startGraphRun("ask_side_by_side", host, folder);
    const one = suspensionOf(await run.attempt());
    const two = suspensionOf(await run.attempt({ answer: { key: one.key, value: String(one.value.title) } }));
    expect(two.key).not.toBe(one.key);
    const answers = answersOf(await run.attempt({ answer: { key: two.key, value: String(two.value.title) } }));
    expect(answers).toEqual([
      ["left", "left?"],
      ["right", "right?"],
    ]);
  });

  test("a question that cannot be put, and a breakpoint, fail with a sentence", async () => {
    expect(await startGraphRun("ask_wrongly", host, folder).attempt()).toMatchObject({
      error: { type: "GRAPH_INTERRUPT_INVALID", retryable: false },
    });
    expect(await startGraphRun("ask_unsendable", host, folder).attempt()).toMatchObject({
      error: { type: "GRAPH_INTERRUPT_INVALID", message: expect.stringMatching(/"pay ment".*no caller can send/) },
    });
    expect(await startGraphRun("breakpoint_inside", host, folder).attempt()).toMatchObject({
      error: { type: "GRAPH_BREAKPOINT", retryable: false },
    });
  });
});

describe("graphs that fail", () => {
  test("a node's error has its class as type; the next attempt begins with that node", async () => {
    const run = startGraphRun("fails", host, folder);
    const failure = { ok: false, error: { type: "OUT_OF_STOCK", message: "no more of these", retryable: true } };
    expect(await run.attempt()).toEqual(failure);
    expect(await run.attempt()).toEqual(failure);
    expect((await run.attempt()).ok).toBe(true);
    expect(run.notes()).toEqual(["first", "middle", "middle", "middle", "last"]);
  });

  test("an error may say its type and that it is final", async () => {
    expect(await startGraphRun("fails_for_good", host, folder).attempt()).toEqual({
      ok: false,
      error: { type: "NEVER", message: "never", retryable: false },
    });
  });

  test("a circle ends at the limit of steps", async () => {
    const own = await openTestHost(checkpoints, { maxSteps: 20 });
    expect(await startGraphRun("circles", own, folder).attempt()).toMatchObject({
      error: { type: "GRAPH_TOO_MANY_STEPS", retryable: false },
    });
    await own.close();
  });

  test("state that JSON cannot hold, or too much of it, is named", async () => {
    const date = await startGraphRun("holds_date", host, folder).attempt();
    expect(date).toMatchObject({ error: { type: "GRAPH_STATE_INVALID", retryable: false } });
    expect(date.ok || date.error.message).toContain("Date");
    const own = await openTestHost(checkpoints, { maxStateLength: 1_000_000 });
    const much = await startGraphRun("holds_much", own, folder).attempt();
    expect(much).toMatchObject({ error: { type: "GRAPH_STATE_INVALID" } });
    await own.close();
  });

  test("a graph that is not loaded makes the run wait, and says so", async () => {
    const outcome = await startGraphRun("nowhere", host, folder).attempt();
    expect(outcome).toMatchObject({ ok: false, error: { type: "GRAPH_NOT_LOADED", noEffect: true }, deferMs: 60_000 });
    const none = await openTestHost(checkpoints, {}, []);
    expect(none.names()).toEqual([]);
    expect(await startGraphRun("plain", none, folder).attempt()).toMatchObject({ error: { type: "GRAPH_NOT_LOADED" } });
    await none.close();
  });
});
