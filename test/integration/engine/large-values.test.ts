/** Values that are too large end the task that gave them, with an error that says so, before anything is written. */
import { expect, test } from "vitest";
import type { Json } from "../../../src/base/json.ts";
import { CALLER, createBed, startOf } from "./bed.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

// Sharing hid the size: 20 tasks made a row of 110 MB, one more a statement that never came through, and its lane tried it for ever.
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
  expect((await end()).error?.message.length).toBeLessThan(20_000);
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
