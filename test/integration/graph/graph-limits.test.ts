import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { GraphHost } from "../../../src/engine/ports/graphs.ts";
import { createCheckpointStore } from "../../../src/store/checkpoints.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { createFileFolder } from "../../support/temporary-folder.ts";
import { answersOf, openTestHost, startGraphRun, suspensionOf } from "./graph-runs.ts";

const EXAMPLE = fileURLToPath(new URL("../../../examples/graphs/review.ts", import.meta.url));

const { database } = await createTestDatabase();
const checkpoints = createCheckpointStore(database.reads);
const folder = createFileFolder();

let host: GraphHost;
beforeAll(async () => {
  host = await openTestHost(checkpoints);
});
afterAll(() => host.close());

describe("graphs that misbehave", () => {
  let strict: GraphHost;
  beforeAll(async () => {
    strict = await openTestHost(checkpoints, { timeoutMs: 3_000, maxMemoryMb: 128 });
  });
  afterAll(() => strict.close());
  const strictRun = (graph: string) => startGraphRun(graph, strict, folder);
  afterEach(async () => {
    // Whatever happened, the next run finds a worker, and the service's own loop was never held up.
    expect(answersOf(await strictRun("plain").attempt())).toEqual(["first", "middle"]);
  });

  test("an endless loop is killed, the service stays responsive, and the next attempt goes on after the finished nodes", async () => {
    const run = strictRun("loops_once");
    let longest = 0;
    let last = performance.now();
    const pulse = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 10);
    const outcome = await run.attempt();
    clearInterval(pulse);
    expect(outcome).toMatchObject({ ok: false, error: { type: "GRAPH_TIMEOUT", retryable: true } });
    expect(longest).toBeLessThan(1_000);
    expect((await run.attempt()).ok).toBe(true);
    expect(run.notes()).toEqual(["first", "middle", "middle", "last"]);
  });

  test.each(["eats_heap", "eats_buffers"])("%s: killed for its memory", async (graph) => {
    const outcome = await strictRun(graph).attempt();
    expect(outcome).toMatchObject({ ok: false, error: { type: "GRAPH_MEMORY", retryable: true } });
  });

  test("process.exit ends the worker only; the next attempt goes on", async () => {
    const run = strictRun("exits");
    expect(await run.attempt()).toMatchObject({ error: { type: "GRAPH_CRASHED", retryable: true } });
    expect((await run.attempt()).ok).toBe(true);
    expect(run.notes()).toEqual(["first", "middle", "middle", "last"]);
  });

  test("an error that nobody catches ends the worker only", async () => {
    const outcome = await strictRun("throws_apart").attempt();
    expect(outcome).toMatchObject({ error: { type: "GRAPH_CRASHED" } });
    expect(outcome.ok || outcome.error.message).toContain("nobody waits for this");
  });

  test.each(["hangs", "loops"])("%s: a cancel ends it within the bound", async (graph) => {
    const run = strictRun(graph);
    const controller = new AbortController();
    const outcome = run.attempt({ signal: controller.signal });
    await eventually(() => expect(run.notes()).toContain("middle"));
    const cancelledAt = performance.now();
    controller.abort(new Error("canceled"));
    expect(await outcome).toMatchObject({ ok: false, error: { type: "CANCELED" } });
    expect(performance.now() - cancelledAt).toBeLessThan(2_500);
  });

  test("attempts wait for a worker in order; one that is canceled meanwhile never runs", async () => {
    const blocker = strictRun("hangs");
    const stop = new AbortController();
    const blocked = blocker.attempt({ signal: stop.signal });
    await eventually(() => expect(blocker.notes()).toContain("middle"));
    const waiting = strictRun("plain");
    const second = waiting.attempt();
    const leaving = strictRun("plain");
    const leave = new AbortController();
    const third = leaving.attempt({ signal: leave.signal });
    leave.abort();
    expect(await third).toMatchObject({ error: { type: "CANCELED", noEffect: true } });
    stop.abort();
    await blocked;
    expect((await second).ok).toBe(true);
    expect(leaving.notes()).toEqual([]);
  });
});

describe("the checkpoints of an attempt", () => {
  test("a late attempt cannot write over a newer one", async () => {
    const first = await openTestHost(checkpoints);
    const run = startGraphRun("ask_text", first, folder);
    const { key } = suspensionOf(await run.attempt({ token: 10 }));
    await checkpoints.claim({
      tenantId: "default",
      threadId: run.threadId,
      runId: run.runId,
      fencingToken: 20,
    });
    const outcome = await run.attempt({ token: 11, answer: { key, value: 1 } });
    expect(outcome).toMatchObject({ ok: false, error: { type: "GRAPH_ATTEMPT_STALE", retryable: false } });
    await first.close();
  });

  test("an attempt that loses its claim in the middle ends at its next write, and goes no further", async () => {
    const run = startGraphRun("waits", host, folder);
    const outcome = run.attempt({ token: 5 });
    await eventually(() => expect(run.notes()).toContain("middle"));
    await checkpoints.claim({
      tenantId: "default",
      threadId: run.threadId,
      runId: run.runId,
      fencingToken: 6,
    });
    run.note("go");
    expect(await outcome).toMatchObject({ ok: false, error: { type: "GRAPH_ATTEMPT_STALE", retryable: false } });
    expect(run.notes()).not.toContain("last");
  });

  test.each([
    ["a class of LangChain", `{"lc":1,"type":"constructor","id":["langchain","x"],"kwargs":{}}`, "OK"],
    ["an unknown kind", `{"$":"constructor","id":["Map"]}`, "GRAPH_STATE_INVALID"],
    ["a prototype", `{"__proto__":{"polluted":true}}`, "GRAPH_STATE_INVALID"],
    ["no JSON", `{`, "GRAPH_STATE_INVALID"],
    ["a message of no type", `{"$":"message","type":"evil","data":{}}`, "GRAPH_STATE_INVALID"],
  ])("a planted value is data or refused: %s", async (_, value, expected) => {
    const run = startGraphRun("ask_text", host, folder);
    const { key } = suspensionOf(await run.attempt());
    await database.reads.query(
      "UPDATE orchestrator.graph_channels SET value = $1 WHERE thread_id = $2 AND channel = 'file'",
      [value, run.threadId],
    );
    const outcome = await run.attempt({ answer: { key, value: 1 } });
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    if (expected !== "OK") expect(outcome).toMatchObject({ ok: false, error: { type: expected, retryable: false } });
    // Plain data in the place of a path: the node complains, nothing was made of it.
    else expect(outcome).toMatchObject({ ok: false, error: { type: "ERR_INVALID_ARG_TYPE" } });
  });

  test.each(["checkpoint = '{}'", "checkpoint = '[1]'", "metadata = '3'"])(
    "a planted row with %s is refused",
    async (change) => {
      const run = startGraphRun("ask_text", host, folder);
      const { key } = suspensionOf(await run.attempt());
      await database.reads.query(`UPDATE orchestrator.graph_checkpoints SET ${change} WHERE thread_id = $1`, [
        run.threadId,
      ]);
      const outcome = await run.attempt({ answer: { key, value: 1 } });
      expect(outcome).toMatchObject({ ok: false, error: { type: "GRAPH_STATE_INVALID", retryable: false } });
    },
  );
});

describe("modules", () => {
  test.each([
    ["is missing", "nowhere.ts", "", "Cannot find module"],
    ["exports no graph", "none.ts", "export const a = 1;", "exports no compiled LangGraph graph"],
    ["lists what is no graph", "wrong.ts", "export const graphs = {a: 1};", "graphs.a is no compiled"],
    // Cause: the name is the path of the task; what divides paths in it put the run into quarantine.
    [
      "names a graph like a path",
      "dotted.ts",
      `import { review_graph } from ${JSON.stringify(EXAMPLE)}; export const graphs = {"a.b": review_graph};`,
      "a name is a letter",
    ],
    ["does not parse", "broken.ts", "export const = ;", "expected"],
    ["throws", "throws.ts", "throw new Error('not today');", "not today"],
    ["never ends loading by leaving", "leaves.ts", "process.exit(2);", "exit code 2"],
  ])("a module that %s is refused at start with its name", async (_, name, source, problem) => {
    const path = join(folder, name);
    if (source !== "") writeFileSync(path, source);
    const error = await openTestHost(checkpoints, {}, [path]).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error).toMatchObject({ code: "GRAPH_MODULE_INVALID" });
    expect(error?.message).toContain(name);
    expect(error?.message.toLowerCase()).toContain(problem.toLowerCase());
  });

  test("the example runs through rejection and approval", async () => {
    const own = await openTestHost(checkpoints, {}, [EXAMPLE]);
    expect(own.names()).toEqual(expect.arrayContaining(["review", "review_graph"]));
    const run = startGraphRun("review", own, folder);
    const input = { text: "Cats sleep. Dogs bark. Birds sing." };
    const one = suspensionOf(await run.attempt({ input }));
    expect(one.value).toMatchObject({ type: "approval", description: "Cats sleep. (6 words)" });
    const no = { approved: false, by: "ada", comment: "longer", data: null };
    const two = suspensionOf(await run.attempt({ input, answer: { key: one.key, value: no } }));
    expect(two.value).toMatchObject({ description: "Cats sleep. Dogs bark. (6 words)" });
    const yes = { approved: true, by: "ada", comment: "good", data: null };
    expect(await run.attempt({ input, answer: { key: two.key, value: yes } })).toMatchObject({
      ok: true,
      output: { published: true, drafts: 2, remark: "ada: good" },
    });
    await own.close();
  });
});
