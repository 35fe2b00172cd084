/**
 * Sections 2 (children, signals, waits, approvals) and 3 (retries, timeouts) of docs/semantics.md, sentence by
 * sentence.
 */
import { describe, expect, test } from "vitest";
import type { Json, RetryDoc, TaskDoc } from "./document.ts";
import { bad, call, child, give, never, type Players, statesOf, well } from "./play.ts";
import type { Command } from "./world.ts";

/** Checks these sentences on whatever plays flows. */
export function describeTasks({ playDag }: Players): void {
  const group = (tasks: object[], more: object = {}, task: Partial<TaskDoc> = {}): TaskDoc =>
    ({ id: "g", type: "parallel", parameters: { tasks, ...more }, ...task }) as TaskDoc;

  describe("children", () => {
    test("at most max_concurrency are open at once, in index order, and outputs keep that order", async () => {
      const outcome = await playDag([group([child(), child(), child()], { max_concurrency: 2 })], {
        attempts: { "g.0": [well(100)], "g.1": [well(30)], "g.2": [well(20)] },
      });
      expect([0, 1, 2].map((index) => outcome.tasks[`g.${index}`]?.dispatchedAt)).toEqual([[0], [0], [30]]);
      expect(outcome.tasks.g?.output).toEqual({ outputs: [{ n: 0 }, { n: 1 }, { n: 2 }] });
    });

    test("a child that will be retried is open", async () => {
      const retry_policy = { max_retries: 1, backoff_type: "fixed" as const, initial_delay: "50ms" };
      const outcome = await playDag([group([child({ retry_policy }), child()], { max_concurrency: 1 })], {
        attempts: { "g.0": [bad(10), well(5)] },
      });
      expect(outcome.tasks["g.1"]?.dispatchedAt).toEqual([65]);
    });

    test("50 are open at once when nothing is said", async () => {
      const outcome = await playDag(
        [{ id: "g", type: "map", parameters: { items: [...Array(51).keys()], task: child() } }],
        {
          attempts: Object.fromEntries([...Array(51).keys()].map((index) => [`g.${index}`, [well(100 + index)]])),
        },
      );
      expect(outcome.tasks["g.49"]?.dispatchedAt).toEqual([0]);
      expect(outcome.tasks["g.50"]?.dispatchedAt).toEqual([100]);
    });

    test("without fail_fast all children run and a failed one fails the parent with CHILD_FAILED, not retried", async () => {
      const outcome = await playDag([group([child(), child()], { max_concurrency: 1 })], {
        attempts: { "g.0": [bad(10)] },
      });
      expect(statesOf(outcome)).toEqual({ g: "FAILED", "g.0": "FAILED", "g.1": "COMPLETED" });
      expect(outcome).toMatchObject({ phase: "FAILED", error: { type: "CHILD_FAILED", task: "g" } });
    });

    test("with fail_fast the open children are cancelled at once and the rest never start", async () => {
      const outcome = await playDag(
        [
          group([child(), child(), child()], { max_concurrency: 2, fail_fast: true }),
          call("next", { depends_on: ["g"], trigger_rule: "all_done" }),
        ],
        {
          attempts: { "g.0": [well(900)], "g.1": [bad(40)] },
        },
      );
      expect(statesOf(outcome)).toEqual({ g: "FAILED", "g.0": "CANCELED", "g.1": "FAILED", next: "COMPLETED" });
      expect(outcome.tasks.next?.dispatchedAt).toEqual([40]);
    });

    test("fail_fast cancels the children of nested groups too", async () => {
      const nested = { type: "parallel", parameters: { tasks: [child(), child()] } };
      const outcome = await playDag([group([nested, child()], { fail_fast: true })], {
        attempts: { "g.0.0": [well(10)], "g.0.1": [well(900)], "g.1": [bad(40)] },
      });
      const expected = { g: "FAILED", "g.0": "CANCELED", "g.0.0": "COMPLETED", "g.0.1": "CANCELED", "g.1": "FAILED" };
      expect(statesOf(outcome)).toEqual(expected);
    });

    test("a timeout of the group cancels what is open; the task is TIMED_OUT, not retried", async () => {
      const outcome = await playDag([group([child(), child()], {}, { timeout: "1s" })], {
        attempts: { "g.0": [well(10)], "g.1": [well(2_000)] },
      });
      expect(statesOf(outcome)).toEqual({ g: "TIMED_OUT", "g.0": "COMPLETED", "g.1": "CANCELED" });
      expect(outcome.error).toEqual({ type: "TIMEOUT", task: "g" });
    });

    test("a handled child gives null and does not fail the parent", async () => {
      const outcome = await playDag([group([child({ on_error: "continue" }), child()])], {
        attempts: { "g.0": [bad(10)] },
      });
      expect(outcome.tasks.g?.output).toEqual({ outputs: [null, { n: 1 }] });
    });

    test("map children read item and index; grandchildren see the nearest item", async () => {
      const inner = {
        type: "parallel",
        parameters: { tasks: [child({ parameters: { output: { n: `\${item * 10 + index}` } } })] },
      };
      const read = give("read", `\${m.outputs[1].outputs[0].n}`, { depends_on: ["m"] });
      const outcome = await playDag([{ id: "m", type: "map", parameters: { items: [3, 4], task: inner } }, read], {
        attempts: { "m.0.0": [well(10)], "m.1.0": [well(20)] },
      });
      expect(outcome.tasks["m.1.0"]?.output).toEqual({ n: 40 });
      expect(outcome.tasks.read?.output).toEqual({ n: 40 });
    });

    test("no children complete at once; items that are no list, or too many, fail the task", async () => {
      const map = async (x: Json) =>
        (
          await playDag([{ id: "m", type: "map", parameters: { items: `\${vars.x}`, task: child() } }], {
            variables: { x },
          })
        ).tasks.m;
      expect(await map([])).toMatchObject({ state: "COMPLETED", output: { outputs: [] } });
      expect(await map(1)).toMatchObject({ state: "FAILED", error: "MAP_ITEMS_INVALID" });
      expect(await map(Array(10_001).fill(0))).toMatchObject({ state: "FAILED", error: "MAP_TOO_LARGE" });
    });

    test("an unhandled child of a handled parent does not fail the run", async () => {
      const outcome = await playDag([group([child()], {}, { on_error: "continue" })], {
        attempts: { "g.0": [bad(10)] },
      });
      expect(outcome.phase).toBe("COMPLETED");
    });
  });

  describe("signals, waits, approvals", () => {
    const hear = (id: string, more: Partial<TaskDoc> = {}): TaskDoc => ({
      id,
      type: "signal",
      parameters: { name: "go" },
      ...more,
    });
    const approve = (more: Partial<TaskDoc> = {}): TaskDoc => ({ id: "a", type: "approval", timeout: "1s", ...more });

    test("a signal that arrived before is consumed at once, oldest first", async () => {
      const signals = [1, 2, 3].map((n) => ({ at: n, name: "go", payload: n }));
      const outcome = await playDag(
        [call("before"), hear("a", { depends_on: ["before"] }), hear("b", { depends_on: ["a"] })],
        {
          attempts: { before: [well(50)] },
          signals,
        },
      );
      expect([outcome.tasks.a?.output, outcome.tasks.b?.output]).toEqual([1, 2]);
      expect(outcome.leftover).toEqual([{ name: "go", payload: 3 }]);
    });

    test("signals that come with the start are there before the first task", async () => {
      expect((await playDag([hear("a")], { signals: [{ at: 0, name: "go", payload: 9 }] })).output).toEqual({ a: 9 });
    });

    test("the task that waits longest hears it", async () => {
      const tasks = [call("x"), hear("young", { depends_on: ["x"] }), hear("old")];
      const outcome = await playDag(tasks, {
        attempts: { x: [well(5)] },
        signals: [{ at: 10, name: "go", payload: 1 }],
      });
      expect(statesOf(outcome)).toMatchObject({ old: "COMPLETED", young: "WAITING" });
      expect(outcome.phase).toBe("RUNNING");
    });

    test("the name of a signal is the task's id when it is not given; other names are left alone", async () => {
      const outcome = await playDag([{ id: "go", type: "signal" }], {
        signals: [
          { at: 1, name: "stop", payload: 0 },
          { at: 2, name: "go", payload: 5 },
        ],
      });
      expect(outcome).toMatchObject({ output: { go: 5 }, leftover: [{ name: "stop", payload: 0 }] });
    });

    test("a signal that does not come in time is TIMED_OUT with SIGNAL_TIMEOUT, not retried", async () => {
      const outcome = await playDag([hear("a", { timeout: "2s" })]);
      expect(outcome.tasks.a).toMatchObject({ state: "TIMED_OUT", error: "SIGNAL_TIMEOUT" });
    });

    test("a wait completes at its due time with null, one of 0 at once", async () => {
      const wait = async (duration: string | number) =>
        (await playDag([{ id: "w", type: "wait", parameters: { duration } }, call("n", { depends_on: ["w"] })])).tasks;
      expect([await wait("300ms"), await wait(0), await wait(2)].map(({ n }) => n?.dispatchedAt)).toEqual([
        [300],
        [0],
        [2_000],
      ]);
      expect((await wait("300ms")).w?.output).toBeNull();
    });

    test("an approval gives who, what and data; without them empty words and null", async () => {
      const decide = async (more: object) =>
        (await playDag([approve()], { decisions: [{ at: 10, path: "a", approved: true, ...more }] })).tasks.a?.output;
      expect(await decide({ by: "ann", comment: "yes", data: { n: 1 } })).toEqual({
        approved: true,
        decision: "approved",
        by: "ann",
        comment: "yes",
        data: { n: 1 },
      });
      expect(await decide({})).toEqual({ approved: true, decision: "approved", by: "", comment: "", data: null });
    });

    test("rejected and expired fail, or complete with approved: false", async () => {
      const reject = [{ at: 10, path: "a", approved: false, by: "bob" }];
      expect((await playDag([approve()], { decisions: reject })).tasks.a).toMatchObject({
        state: "FAILED",
        error: "APPROVAL_REJECTED",
      });
      expect((await playDag([approve()])).tasks.a).toMatchObject({ state: "FAILED", error: "APPROVAL_TIMEOUT" });
      expect((await playDag([approve({ on_reject: "continue" })], { decisions: reject })).tasks.a?.output).toEqual({
        approved: false,
        decision: "rejected",
        by: "bob",
        comment: "",
        data: null,
      });
      expect((await playDag([approve({ on_reject: "continue" })])).tasks.a?.output).toEqual({
        approved: false,
        decision: "expired",
        by: "",
        comment: "",
        data: null,
      });
    });

    test("a decision on what does not wait is refused", async () => {
      const decisions = [
        { at: 5, path: "a", approved: false },
        { at: 70, path: "a", approved: true },
        { at: 80, path: "a", approved: false },
      ];
      const outcome = await playDag([call("x"), approve({ depends_on: ["x"] })], {
        attempts: { x: [well(50)] },
        decisions,
      });
      expect(outcome.tasks.a).toMatchObject({ state: "COMPLETED", output: { approved: true } });
    });
  });

  describe("retries and timeouts", () => {
    const tried = async (retry_policy: RetryDoc, more: Partial<TaskDoc> = {}, jitter: number[] = []) =>
      (await playDag([call("a", { retry_policy, ...more })], { attempts: { a: [bad(10)] }, jitter: { a: jitter } }))
        .tasks.a;

    test.each([
      [{ backoff_type: "fixed" }, [0, 110, 220, 330]],
      [{ backoff_type: "linear" }, [0, 110, 320, 630]],
      [{ backoff_type: "exponential" }, [0, 110, 320, 730]],
      [{ backoff_type: "exponential", multiplier: 3 }, [0, 110, 420, 1_330]],
      [{ backoff_type: "exponential", max_delay: "150ms" }, [0, 110, 270, 430]],
      [{ backoff_type: "linear", max_delay: "250ms" }, [0, 110, 320, 580]],
      [{ backoff_type: "full_jitter" }, [0, 60, 170, 180]],
    ] as [RetryDoc, number[]][])("delays of %j", async (policy, expected) => {
      const done = await tried({ max_retries: 3, initial_delay: "100ms", ...policy }, {}, [0.5, 0.5, 0]);
      expect(done?.dispatchedAt).toEqual(expected);
    });

    test("attempts = max_retries + 1; without a policy there is one; the error that remains is the last", async () => {
      expect(await tried({ max_retries: 2, initial_delay: "1ms" })).toMatchObject({ state: "FAILED", attempts: 3 });
      expect((await playDag([call("a")], { attempts: { a: [bad(10)] } })).tasks.a?.attempts).toBe(1);
      const outcome = await playDag([call("a", { retry_policy: { max_retries: 1, initial_delay: "1ms" } })], {
        attempts: { a: [bad(1, "E1"), bad(1, "E2")] },
      });
      expect(outcome.error).toEqual({ type: "E2", task: "a" });
    });

    test("not retried: retryable false, a non-retryable type, a next attempt after schedule-to-close", async () => {
      const retry_policy: RetryDoc = {
        max_retries: 3,
        backoff_type: "fixed",
        initial_delay: "100ms",
        non_retryable: ["E2"],
      };
      const attempts = async (script: ReturnType<typeof bad>, more: Partial<TaskDoc> = {}) =>
        (await playDag([call("a", { retry_policy, ...more })], { attempts: { a: [script] } })).tasks.a;
      expect((await attempts(bad(10, "E1", false)))?.attempts).toBe(1);
      expect((await attempts(bad(10, "E2")))?.attempts).toBe(1);
      expect(await attempts(bad(10, "E1"), { schedule_to_close_timeout: "200ms" })).toMatchObject({
        state: "FAILED",
        error: "E1",
        attempts: 2,
      });
    });

    test("next_retry_delay of the error wins over the policy and its max_delay, not over the number of attempts", async () => {
      const retry_policy: RetryDoc = {
        max_retries: 1,
        backoff_type: "fixed",
        initial_delay: "100ms",
        max_delay: "200ms",
      };
      const { a } = (await playDag([call("a", { retry_policy })], { attempts: { a: [bad(10, "E1", true, 700)] } }))
        .tasks;
      expect(a).toMatchObject({ dispatchedAt: [0, 710], state: "FAILED" });
    });

    test("timeout ends one attempt with TIMEOUT, which is retried; the task is TIMED_OUT when it was the last", async () => {
      const retry_policy: RetryDoc = { max_retries: 1, backoff_type: "fixed", initial_delay: "100ms" };
      const first = (
        await playDag([call("a", { retry_policy, timeout: "1s" })], { attempts: { a: [never(), well(10)] } })
      ).tasks.a;
      expect(first).toMatchObject({ state: "COMPLETED", dispatchedAt: [0, 1_100] });
      const both = (await playDag([call("a", { retry_policy, timeout: "1s" })], { attempts: { a: [never()] } })).tasks
        .a;
      expect(both).toMatchObject({ state: "TIMED_OUT", error: "TIMEOUT", attempts: 2 });
      const typed = (
        await playDag([call("a", { retry_policy: { ...retry_policy, non_retryable: ["TIMEOUT"] }, timeout: "1s" })], {
          attempts: { a: [never()] },
        })
      ).tasks.a;
      expect(typed).toMatchObject({ state: "TIMED_OUT", attempts: 1 });
    });

    test("schedule_to_close is final", async () => {
      const { a } = (
        await playDag(
          [call("a", { retry_policy: { max_retries: 5, initial_delay: "1ms" }, schedule_to_close_timeout: "2s" })],
          { attempts: { a: [bad(500), never()] } },
        )
      ).tasks;
      expect(a).toMatchObject({ state: "TIMED_OUT", error: "SCHEDULE_TO_CLOSE_TIMEOUT", attempts: 2 });
    });

    test("a timed-out task is treated like a failed one, and may be handled", async () => {
      const tasks = [
        call("a", { timeout: "1s", on_error: "continue" }),
        give("b", 1, { depends_on: ["a"] }),
        call("c", { timeout: "2s" }),
        give("d", 1, { depends_on: ["c"] }),
      ];
      const outcome = await playDag(tasks, { attempts: { a: [never()], c: [never()] } });
      expect(statesOf(outcome)).toEqual({ a: "TIMED_OUT", b: "COMPLETED", c: "TIMED_OUT", d: "UPSTREAM_FAILED" });
      expect(outcome).toMatchObject({ phase: "FAILED", error: { type: "TIMEOUT", task: "c" } });
    });

    test("a call that is put off is made again and uses up no attempt", async () => {
      const later = { ...well(10), deferred: { times: 2, forMs: 300 } };
      const { a } = (await playDag([call("a")], { attempts: { a: [later] } })).tasks;
      expect(a).toMatchObject({ state: "COMPLETED", attempts: 1, dispatchedAt: [0, 310, 620] });
    });

    test("a call that died with the owner of its run is made again with its number, after a hold, and not in a cancel", async () => {
      const crash = { at: 100, kind: "crash" as const };
      const calls = (...commands: Command[]) =>
        playDag([call("a")], { attempts: { a: [well(500)] }, commands: [...commands, crash] });
      expect((await calls()).tasks.a).toMatchObject({ state: "COMPLETED", attempts: 1, dispatchedAt: [0, 100] });
      const held = await calls({ at: 50, kind: "pause" }, { at: 900, kind: "resume" });
      expect(held.tasks.a).toMatchObject({ state: "COMPLETED", attempts: 1, dispatchedAt: [0, 900] });
      const canceled = await calls({ at: 50, kind: "cancel", compensate: false });
      expect(canceled).toMatchObject({ phase: "CANCELED", tasks: { a: { state: "CANCELED", dispatchedAt: [0] } } });
      const wait: TaskDoc = { id: "w", type: "wait", parameters: { duration: "1s" } };
      expect((await playDag([wait], { commands: [crash] })).phase).toBe("COMPLETED");
    });

    test("a child run gives its output; one that failed or ran out of time is retried only by a policy", async () => {
      const run = (more: Partial<TaskDoc> = {}): TaskDoc => ({
        id: "a",
        type: "subflow",
        parameters: { flow_id: "child", input: { n: 5 } },
        ...more,
      });
      const retry_policy: RetryDoc = { max_retries: 1, backoff_type: "fixed", initial_delay: "100ms" };
      expect((await playDag([run()])).output).toEqual({ a: { n: 5 } });
      const failed = await playDag([run()], { attempts: { a: [bad(10)] } });
      expect(failed.error).toEqual({ type: "CHILD_RUN_FAILED", task: "a" });
      const canceled = await playDag([run()], { attempts: { a: [bad(10, "CANCELED")] } });
      expect(canceled.error).toEqual({ type: "CHILD_RUN_CANCELED", task: "a" });
      const again = await playDag([run({ retry_policy, timeout: "1s" })], { attempts: { a: [never(), well(10)] } });
      expect(again.tasks.a).toMatchObject({ state: "COMPLETED", attempts: 2, dispatchedAt: [0, 1_100] });
    });

    test("parameters that cannot be evaluated fail the task before any attempt", async () => {
      const { a } = (
        await playDag([call("a", { parameters: { output: `\${1 % vars.zero}` }, retry_policy: { max_retries: 3 } })])
      ).tasks;
      expect(a).toMatchObject({ state: "FAILED", error: "EXPRESSION_FAILED", attempts: 0 });
    });
  });
}
