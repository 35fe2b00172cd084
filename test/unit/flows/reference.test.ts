import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../../src/base/json/json.ts";
import { compileFlow } from "../../../src/flows/compile.ts";
import { type ReferenceResult, runOnLangGraph, whyNotNative } from "../../support/reference-run.ts";

const run = (workflow: JsonObject, variables: JsonObject = {}): Promise<ReferenceResult> =>
  runOnLangGraph(
    { document: { id: "f", variables: Object.keys(variables).map((name) => ({ name })), workflow } },
    { variables, execute: (_id, input) => (input as { output?: Json }).output ?? null },
  );

const set = (id: string, output: Json, more: JsonObject = {}): JsonObject => ({
  id,
  type: "transform",
  parameters: { output },
  ...more,
});

describe("a reference run on LangGraph", () => {
  it("takes one side of a condition, and skips what needs the other", async () => {
    const result = await run(
      {
        tasks: [
          { id: "a", type: "noop", parameters: { output: "${n}" } },
          {
            id: "c",
            type: "condition",
            depends_on: ["a"],
            condition: "${a.output > 1}",
            on_success: ["t", "t2"],
            on_failure: ["f"],
          },
          set("t", "${a.output * 1.5}"),
          set("t2", "${a.output + 1}"),
          set("f", 1),
          set("joined", "${t.output + t2.output}", { depends_on: ["t", "t2"] }),
          set("over", 1, { depends_on: ["a", "f"] }),
          set("after", 1, { depends_on: ["over"] }),
        ],
      },
      { n: 2 },
    );
    expect(result.outputs).toEqual({ a: 2, c: { result: true }, t: 3, t2: 3, joined: 6 });
    expect(result.skipped).toEqual(["f", "over", "after"]);
    expect(result.runOutput).toEqual({ joined: 6 });
  });

  it("joins a side of a condition with other dependencies, and runs the children of groups in their node", async () => {
    const result = await run(
      {
        tasks: [
          set("x", 2),
          { id: "c", type: "condition", condition: "${n > 1}", on_success: ["t"], on_failure: ["f"] },
          set("t", "${x.output + n}", { depends_on: ["x"] }),
          set("f", 1, { depends_on: ["x"] }),
          {
            id: "m",
            type: "map",
            depends_on: ["t"],
            parameters: {
              items: "${[1, 2]}",
              task: { type: "transform", parameters: { output: "${item * t.output + index}" } },
            },
          },
          set("sum", "${m.outputs[0] + m.outputs[1]}", { depends_on: ["m"] }),
        ],
      },
      { n: 3 },
    );
    expect(result.outputs).toEqual({ x: 2, c: { result: true }, t: 5, m: { outputs: [5, 11] }, sum: 16 });
    expect(result.skipped).toEqual(["f"]);
  });

  it("walks a loop of states to its end, or to its limit", async () => {
    const states = [
      {
        id: "add",
        task: { type: "transform", parameters: { output: "${(add.output == null ? 0 : add.output) + n}" } },
        transitions: [{ when: "${add.output >= 10}", to: "done" }, { to: "again" }],
      },
      { id: "again", task: { type: "noop", parameters: { output: "${add.output}" } }, transitions: [{ to: "add" }] },
      { id: "done", final: "completed" },
    ];
    const result = await run({ states }, { n: 4 });
    expect([result.path, result.runOutput, result.errorType]).toEqual([
      ["add", "again", "add", "again", "add", "done"],
      12,
      null,
    ]);
    expect((await run({ states, max_transitions: 4 }, { n: 4 })).errorType).toBe("TRANSITION_LIMIT");
    expect((await run({ states, max_transitions: 5 }, { n: 4 })).errorType).toBeNull();
    expect((await run({ states: [{ id: "a", transitions: [{ when: "${false}", to: "a" }] }] })).errorType).toBe(
      "NO_TRANSITION",
    );
    expect((await run({ states: [{ id: "a", final: "failed" }] })).errorType).toBe("FINAL_STATE");
  });

  it("is refused for what LangGraph cannot say", async () => {
    const reason = async (workflow: JsonObject): Promise<string | undefined> =>
      whyNotNative((await compileFlow({ document: { id: "f", workflow } })).plan);
    expect(
      await reason({ tasks: [set("a", 1), set("b", 1, { depends_on: ["a"], trigger_rule: "all_done" })] }),
    ).toMatch(/trigger rule/);
    expect(
      await reason({
        tasks: [
          { id: "c", type: "condition", condition: "${true}", on_success: ["a"], on_failure: ["t"] },
          set("a", 1),
          set("t", 1, { depends_on: ["a"] }),
        ],
      }),
    ).toMatch(/reached from both sides of a condition/);
    expect(await reason({ tasks: [{ id: "w", type: "wait", parameters: { duration: 1 } }] })).toMatch(/type wait/);
    expect(await reason({ states: [{ id: "a", on: [{ signal: "s", to: "a" }] }] })).toMatch(/on, after or on_error/);
    await expect(run({ tasks: [{ id: "w", type: "wait", parameters: { duration: 1 } }] })).rejects.toThrow(
      /LangGraph cannot run this flow/,
    );
  });
});
