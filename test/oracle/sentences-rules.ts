/** Section 2 of docs/semantics.md, sentence by sentence: gates, trigger rules, failures, output. */
import { describe, expect, test } from "vitest";
import type { TaskDoc } from "./document.ts";
import { ask, bad, broken, call, give, type Players, statesOf, well } from "./play.ts";

/** Checks these sentences on whatever plays flows. */
export function describeRules({ playDag }: Players): void {
  /** Tasks that end as the names say: a success, a failure, a handled failure, and one that is not taken. */
  const ends: TaskDoc[] = [
    give("good"),
    broken("bad"),
    broken("handled", { on_error: "continue" }),
    ask("choice", "true", ["good2"], ["away"]),
    give("good2"),
    give("away"),
  ];

  async function ruled(rule: TaskDoc["trigger_rule"], depends_on: string[]): Promise<string | undefined> {
    return statesOf(
      await playDag([...ends, give("last", 1, { depends_on, ...(rule === undefined ? {} : { trigger_rule: rule }) })]),
    ).last;
  }

  describe("trigger rules", () => {
    test.each([
      ["all_success", ["good", "handled"], "COMPLETED"],
      ["all_success", ["good", "bad"], "UPSTREAM_FAILED"],
      ["all_success", ["good", "away"], "NOT_TAKEN"],
      ["all_success", ["bad", "away"], "UPSTREAM_FAILED"],
      ["none_failed", ["good", "away"], "COMPLETED"],
      ["none_failed", ["away"], "NOT_TAKEN"],
      ["none_failed", ["choice", "away"], "COMPLETED"],
      ["none_failed", ["handled", "away"], "COMPLETED"],
      ["none_failed", ["bad", "good"], "UPSTREAM_FAILED"],
      ["all_done", ["bad", "away", "good"], "COMPLETED"],
      ["all_done", ["bad"], "COMPLETED"],
      ["one_success", ["bad", "good"], "COMPLETED"],
      ["one_success", ["away", "handled"], "COMPLETED"],
      ["one_success", ["bad", "away"], "UPSTREAM_FAILED"],
      ["one_success", ["away"], "NOT_TAKEN"],
      ["one_success", ["choice"], "COMPLETED"],
      ["one_success", ["choice", "away"], "COMPLETED"],
      ["one_success", ["choice", "bad"], "UPSTREAM_FAILED"],
    ] as const)("%s over %j is %s", async (rule, depends_on, expected) => {
      expect(await ruled(rule, [...depends_on])).toBe(expected);
    });

    test("all_success is the default, and UPSTREAM_FAILED goes down the chain as a failure", async () => {
      expect(await ruled(undefined, ["bad"])).toBe("UPSTREAM_FAILED");
      const outcome = await playDag([
        broken("a"),
        give("b", 1, { depends_on: ["a"] }),
        give("c", 1, { depends_on: ["b"] }),
      ]);
      expect(statesOf(outcome)).toEqual({ a: "FAILED", b: "UPSTREAM_FAILED", c: "UPSTREAM_FAILED" });
    });

    test("all_success and none_failed are skipped at once when one failed; all_done waits for the slow one", async () => {
      const startOf = async (rule: "all_success" | "none_failed" | "all_done") => {
        const tasks = [
          broken("a"),
          call("slow"),
          give("c", 1, { depends_on: ["a", "slow"], trigger_rule: rule }),
          call("d", { depends_on: ["c"], trigger_rule: "all_done" }),
        ];
        return (await playDag(tasks, { attempts: { slow: [well(5_000)] } })).tasks.d?.dispatchedAt;
      };
      expect(await startOf("all_success")).toEqual([0]);
      expect(await startOf("none_failed")).toEqual([0]);
      expect(await startOf("all_done")).toEqual([5_000]);
    });

    test("one_success starts with the first success and says which it was", async () => {
      const tasks = [call("a"), call("b"), call("c", { depends_on: ["a", "b"], trigger_rule: "one_success" })];
      const { c } = (await playDag(tasks, { attempts: { a: [well(900)], b: [well(300)] } })).tasks;
      expect([c?.first, c?.dispatchedAt]).toEqual(["b", [300]]);
    });

    test("one_success calls the first of the document first when several succeed at the same moment", async () => {
      const { last } = (
        await playDag([give("a"), give("b"), give("last", 1, { depends_on: ["b", "a"], trigger_rule: "one_success" })])
      ).tasks;
      expect(last?.first).toBe("a");
    });

    // Cause: none_failed looked for failures alone, and so ran a join whose whole branch was not taken.
    test.each([
      ["false", "false", { check_card: "NOT_TAKEN", check_cash: "NOT_TAKEN", charge: "NOT_TAKEN" }],
      ["true", "false", { check_card: "NOT_TAKEN", check_cash: "COMPLETED", charge: "COMPLETED" }],
      ["true", "true", { check_card: "COMPLETED", check_cash: "NOT_TAKEN", charge: "COMPLETED" }],
    ])(
      "none_failed joins the sides of a condition only where the condition is taken (%s, %s)",
      async (buys, card, ends) => {
        const tasks = [
          ask("buying", buys, ["by_card"], []),
          ask("by_card", card, ["check_card"], ["check_cash"]),
          give("check_card"),
          give("check_cash"),
          give("charge", 1, { depends_on: ["check_card", "check_cash"], trigger_rule: "none_failed" }),
        ];
        expect(statesOf(await playDag(tasks))).toMatchObject(ends);
      },
    );

    // Cause: a condition that names the join succeeded first, so the join never waited for the task of its side.
    test("one_success waits for the task of the side taken; the condition is no result", async () => {
      const tasks = [
        ask("big", "true", ["review"], ["pay"]),
        call("review"),
        call("pay", { depends_on: ["review"], trigger_rule: "one_success" }),
      ];
      const { pay } = (await playDag(tasks, { attempts: { review: [well(700)] } })).tasks;
      expect([pay?.first, pay?.dispatchedAt]).toEqual(["review", [700]]);
    });

    test("one_success falls back on the condition when nothing else is taken", async () => {
      const tasks = [
        ask("big", "false", ["review"], ["pay"]),
        give("review"),
        give("pay", 1, { depends_on: ["review"], trigger_rule: "one_success" }),
      ];
      const { pay } = (await playDag(tasks)).tasks;
      expect([pay?.first, pay?.state]).toEqual(["big", "COMPLETED"]);
    });

    test("one_success reads deps.first", async () => {
      const tasks = [
        give("a", 7),
        give("last", `\${deps.first.output.n + 1}`, { depends_on: ["a"], trigger_rule: "one_success" }),
      ];
      expect((await playDag(tasks)).tasks.last?.output).toEqual({ n: 8 });
    });

    test("a task starts as soon as its own dependencies are done, whatever others do", async () => {
      const tasks = [call("slow"), call("a"), call("b", { depends_on: ["a"] })];
      expect(
        (await playDag(tasks, { attempts: { slow: [well(9_000)], a: [well(10)] } })).tasks.b?.dispatchedAt,
      ).toEqual([10]);
    });
  });

  describe("gates", () => {
    test("a target of the side not taken is NOT_TAKEN, and so is what follows it", async () => {
      const outcome = await playDag([
        ask("c", "false", ["a"], ["b"]),
        give("a"),
        give("b"),
        give("d", 1, { depends_on: ["a"] }),
      ]);
      expect(statesOf(outcome)).toEqual({ c: "COMPLETED", a: "NOT_TAKEN", b: "COMPLETED", d: "NOT_TAKEN" });
    });

    test.each([
      ["true", "COMPLETED", "COMPLETED"],
      ["false", "NOT_TAKEN", "COMPLETED"],
    ])("a target that the side taken reaches runs either way (%s)", async (result, asked, paid) => {
      const tasks = [
        ask("big", result, ["ask"], ["pay"]),
        give("ask"),
        give("pay", 1, { depends_on: ["ask"], trigger_rule: "none_failed" }),
      ];
      expect(statesOf(await playDag(tasks))).toEqual({ big: "COMPLETED", ask: asked, pay: paid });
    });

    test("a closed gate comes before the trigger rule, also before all_done", async () => {
      const tasks = [
        broken("x"),
        ask("c", "true", [], ["t", "u"]),
        give("t", 1, { depends_on: ["x"] }),
        give("u", 1, { trigger_rule: "all_done" }),
      ];
      expect(statesOf(await playDag(tasks))).toMatchObject({ t: "NOT_TAKEN", u: "NOT_TAKEN" });
    });

    test("a condition that is itself NOT_TAKEN closes the gate of its targets on both sides", async () => {
      const tasks = [
        ask("outer", "false", ["inner"], []),
        ask("inner", "true", ["a"], ["b"]),
        give("a"),
        give("b", 1, { trigger_rule: "all_done" }),
      ];
      expect(statesOf(await playDag(tasks))).toMatchObject({ inner: "NOT_TAKEN", a: "NOT_TAKEN", b: "NOT_TAKEN" });
    });

    test("a failed condition does not close the gate: the rule counts a failure", async () => {
      const tasks = [ask("c", "1", ["a"], ["b"]), give("a"), give("b", 1, { trigger_rule: "all_done" })];
      const outcome = await playDag(tasks);
      expect(statesOf(outcome)).toEqual({ c: "FAILED", a: "UPSTREAM_FAILED", b: "COMPLETED" });
      expect(outcome.tasks.c?.error).toBe("EXPRESSION_FAILED");
    });

    test("a handled failure of a condition is a success for both sides", async () => {
      const tasks = [ask("c", "1", ["a"], ["b"], { on_error: "continue" }), give("a"), give("b")];
      expect(statesOf(await playDag(tasks))).toEqual({ c: "FAILED", a: "COMPLETED", b: "COMPLETED" });
    });

    test("until all conditions that name a task are terminal it stays, even when another dependency failed", async () => {
      const tasks = [
        call("late"),
        broken("x"),
        ask("c", "true", [], ["t"], { depends_on: ["late"] }),
        give("t", 1, { depends_on: ["x"] }),
      ];
      const outcome = await playDag(tasks, { attempts: { late: [well(100)] } });
      expect(statesOf(outcome).t).toBe("NOT_TAKEN");
    });

    test("one condition in the way is enough, whatever the other says", async () => {
      const tasks = [ask("c", "true", ["t"], []), ask("d", "false", ["t"], []), give("t")];
      expect(statesOf(await playDag(tasks)).t).toBe("NOT_TAKEN");
    });
  });

  describe("the end of a run", () => {
    test("a failure does not stop what can go on; the run fails with the first failure", async () => {
      const tasks = [call("a"), call("b"), call("c", { depends_on: ["b"] })];
      const outcome = await playDag(tasks, {
        attempts: { a: [bad(50, "EA", false)], b: [well(70)], c: [bad(5, "EC", false)] },
      });
      expect(outcome).toMatchObject({ phase: "FAILED", error: { type: "EA", task: "a" }, output: null });
      expect(statesOf(outcome).c).toBe("FAILED");
    });

    test("a handled failure is a success with null output and an error to read", async () => {
      const read = `\${tasks.a.output == null ? tasks.a.error.type : "none"}`;
      const outcome = await playDag([broken("a", { on_error: "continue" }), give("b", read, { depends_on: ["a"] })]);
      expect(outcome).toMatchObject({ phase: "COMPLETED", output: { b: { n: "EXPRESSION_FAILED" } } });
      expect(outcome.tasks.a).toMatchObject({ state: "FAILED", handled: true, output: null });
    });

    test("fail_fast cancels what never started at once and awaits what runs", async () => {
      const tasks = [call("a"), call("b"), call("c", { depends_on: ["b"] })];
      const outcome = await playDag(
        tasks,
        { attempts: { a: [bad(50, "EA", false)], b: [well(70)] } },
        { fail_fast: true },
      );
      expect(statesOf(outcome)).toEqual({ a: "FAILED", b: "COMPLETED", c: "CANCELED" });
      expect(outcome).toMatchObject({ phase: "FAILED", error: { type: "EA", task: "a" } });
    });

    test("without a mapping the output is that of every completed task without dependents", async () => {
      const tasks = [
        give("a"),
        give("b", 2, { depends_on: ["a"] }),
        give("c", 3),
        broken("d", { on_error: "continue" }),
        ask("e", "false", ["f"], []),
        give("f"),
      ];
      expect((await playDag(tasks)).output).toEqual({ b: { n: 2 }, c: { n: 3 } });
    });

    test("a mapping is evaluated at the end; an error in it fails the run", async () => {
      expect((await playDag([give("a", 4)], {}, { output: { sum: `\${a.output.n + 1}` } })).output).toEqual({ sum: 5 });
      const failed = await playDag([give("a", 4)], {}, { output: { sum: `\${a.output.missing}` } });
      expect(failed).toMatchObject({ phase: "FAILED", error: { type: "EXPRESSION_FAILED", task: null }, output: null });
    });

    test("a compensation task is no part of the graph", async () => {
      const outcome = await playDag([call("a", { compensate_with: "undo" }), call("undo")]);
      expect(statesOf(outcome)).toEqual({ a: "COMPLETED" });
      expect(outcome.output).toEqual({ a: { n: 1 } });
    });
  });
}
