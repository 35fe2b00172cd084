/** Values that are too large end the task that gave them, with an error that says so, before anything is written. */
import { expect, test } from "vitest";
import type { Json } from "../../../src/base/json/json.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

// Sharing hid the size: 20 tasks made a row of 110 MB, one more a statement that never came through, and its pipeline
// tried it forever.
test("outputs that hold the last output twice end in an error, not in the store", async () => {
  const tasks = Array.from({ length: 40 }, (_, index) => ({
    id: `t${index}`,
    type: "transform",
    ...(index === 0 ? {} : { depends_on: [`t${index - 1}`] }),
    parameters: { output: index === 0 ? ["x"] : [`\${t${index - 1}.output}`, `\${t${index - 1}.output}`] },
  }));
  await bed.register("bomb", tasks);
  const instance = await bed.openInstance();
  const { run } = await instance.engine.startRun(CALLER, startOf("bomb"), 30_000);
  expect(run.state).toMatchObject({ phase: "FAILED", error: { type: "EXPRESSION_TOO_COSTLY" } });
  const [row] = await bed.sql<{ size: number }>("SELECT max(length(records)) AS size FROM orchestrator.journal");
  expect(Number(row?.size)).toBeLessThan(30_000_000);
});

test("an output of a tool has at most 4 MB, and an error text a few thousand characters", async () => {
  await bed.register("one", [{ id: "a", type: "noop", retry_policy: { max_retries: 0 } }]);
  const instance = await bed.openInstance();
  const end = async () => {
    const { run } = await instance.engine.startRun(CALLER, startOf("one"), 0);
    return (await instance.engine.waitRun(CALLER, run.state.runId, 10_000, NEVER)).state;
  };
  const itself: Json[] = [];
  itself.push(itself);
  for (const output of ["x".repeat(4_194_304), Array.from({ length: 600_000 }, () => 1), itself]) {
    instance.tools.answer("a", () => ({ ok: true, output }));
    expect(await end()).toMatchObject({ phase: "FAILED", error: { type: "OUTPUT_TOO_LARGE", task: "a" } });
  }
  instance.tools.answer("a", () => ({
    ok: false,
    error: { type: "WORDY", message: "x".repeat(1_000_000), retryable: false },
  }));
  expect((await end()).error?.message.length).toBeLessThan(5_000);
  instance.tools.answer("a", () => ({ ok: true, output: "x".repeat(4_000_000) }));
  expect((await end()).phase).toBe("COMPLETED");
});

test("what a group collects is bounded too", async () => {
  await bed.register("many", {
    variables: [{ name: "text", type: "string" }],
    workflow: {
      tasks: [
        { id: "n", type: "transform", parameters: { output: "${[1,2,3,4,5,6,7,8,9,10]}" } },
        {
          id: "m",
          type: "map",
          depends_on: ["n"],
          parameters: { items: "${n.output}", task: { type: "transform", parameters: { output: "${text}" } } },
        },
      ],
      output: "${size(m.outputs)}",
    },
  });
  const instance = await bed.openInstance();
  const run = async (size: number) =>
    (await instance.engine.startRun(CALLER, startOf("many", { input: { text: "x".repeat(size) } }), 30_000)).run.state;
  expect(await run(1_000_000)).toMatchObject({ phase: "COMPLETED", output: 10 });
  expect(await run(2_000_000)).toMatchObject({ phase: "FAILED", error: { type: "OUTPUT_TOO_LARGE", task: "m" } });
});

test("a run whose journal grows without end is held, and goes on as far again when it is released", async () => {
  await bed.register("grow", [
    {
      id: "m",
      type: "map",
      on_error: "continue",
      parameters: {
        items: "${[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]}",
        task: { type: "noop" },
        max_concurrency: 2,
      },
    },
  ]);
  const instance = await bed.openInstance();
  const text = "x".repeat(4_000_000);
  instance.tools.answer("m", () => ({ ok: true, output: text }));
  const { run } = await instance.engine.startRun(CALLER, startOf("grow"), 0);
  const { runId } = run.state;
  await eventually(
    async () =>
      expect((await instance.engine.getRun(CALLER, runId)).state.holds).toMatchObject([
        { kind: "limit", by: "orchestrator" },
      ]),
    { timeoutMs: 30_000 },
  );
  const [row] = await bed.sql<{ state: string }>("SELECT state FROM orchestrator.runs");
  expect(row?.state).toBe("SUSPENDED");
  // Signals were taken, and the run grew without end while it was held for its size.
  const { length } = await bed.recordsOf(runId);
  await expect(instance.engine.signalRun(CALLER, runId, "more", text)).rejects.toMatchObject({ code: "RUN_TOO_LARGE" });
  expect(await bed.recordsOf(runId)).toHaveLength(length);
  await instance.engine.resumeRun(CALLER, runId, ["limit"], "it is worth it");
  const end = await instance.engine.waitRun(CALLER, runId, 30_000, NEVER);
  expect(end.state.phase).toBe("COMPLETED");
  expect(end.state.tasks.get("m")?.error?.type).toBe("OUTPUT_TOO_LARGE");
});

test("a run that grows by signals before it opens is held as well, and a repeated one is answered as the first time", async () => {
  await bed.register("later", [{ id: "a", type: "noop" }]);
  const { engine } = await bed.openInstance();
  const { run } = await engine.startRun(CALLER, startOf("later", { startDelayMs: 3_600_000 }), 0);
  const { runId } = run.state;
  const send = (id: number) =>
    engine.signalRun(CALLER, runId, "s", "x".repeat(4_000_000), { id: String(id), hash: "same" });
  for (let id = 1; id <= 17; id += 1) await send(id);
  await eventually(async () => expect((await bed.stateOf(runId)).holds).toMatchObject([{ kind: "limit" }]));
  await expect(send(18)).rejects.toMatchObject({ code: "RUN_TOO_LARGE" });
  expect((await send(17)).state.signals).toHaveLength(17);
  await engine.resumeRun(CALLER, runId, ["limit"], "");
  expect((await send(18)).state.signals).toHaveLength(18);
});

test("a page of events has a bounded size, and the pages together are the journal", async () => {
  await bed.register("list", {
    variables: [{ name: "text", type: "string" }],
    workflow: {
      tasks: [
        {
          id: "m",
          type: "map",
          parameters: {
            items: "${[0,1,2,3,4,5,6,7]}",
            task: { type: "transform", parameters: { output: "${vars.text}" } },
          },
        },
      ],
      output: "${1}",
    },
  });
  const instance = await bed.openInstance();
  const request = startOf("list", { input: { text: "x".repeat(900_000) } });
  const { run } = await instance.engine.startRun(CALLER, request, 10_000);
  const { runId, sequence } = run.state;
  const seen: number[] = [];
  const sizes: number[] = [];
  for (let more = true; more; ) {
    const page = await instance.engine.listEvents(CALLER, runId, seen.at(-1) ?? 0, 100);
    sizes.push(JSON.stringify(page.events).length);
    for (const event of page.events) seen.push(event.sequence);
    ({ more } = page);
  }
  expect(seen).toEqual(Array.from({ length: sequence }, (_, index) => index + 1));
  expect(sizes.length).toBeGreaterThan(3);
  // The record of the group holds what all children gave; it is alone on its page.
  expect(sizes.filter((size) => size > 3_000_000)).toHaveLength(1);
});
