/** Section 5 of docs/semantics.md, sentence by sentence: cancel, timeout, terminate, compensation, holds. */
import { describe, expect, test } from "vitest";
import type { TaskDoc } from "./document.ts";
import { ask, bad, call, child, give, never, type Players, statesOf, well } from "./play.ts";
import type { Command } from "./world.ts";

/** Checks these sentences on whatever plays flows. */
export function describeEndings({ playDag, playFsm }: Players): void {
  const cancel = (at: number, compensate = false): Command => ({ at, kind: "cancel", compensate });
  const undo = (...ids: string[]): TaskDoc[] =>
    ids.map((id) =>
      call(id, {
        parameters: {
          output: { n: `\${compensates.outcome}`, of: `\${compensates.task}`, was: `\${compensates.output}` },
        },
      }),
    );

  describe("cancel, timeout, terminate", () => {
    const tasks = [
      call("a"),
      call("b"),
      call("c", { depends_on: ["a"] }),
      { id: "w", type: "wait", parameters: { duration: "9s" } } as TaskDoc,
    ];

    test("what has not started or only waits is CANCELED; running attempts may still report", async () => {
      const outcome = await playDag(tasks, { attempts: { a: [well(500)], b: [never(200)] }, commands: [cancel(100)] });
      expect(outcome).toMatchObject({ phase: "CANCELED", error: null, output: null });
      expect(statesOf(outcome)).toEqual({ a: "COMPLETED", b: "CANCELED", c: "CANCELED", w: "CANCELED" });
    });

    test("what has not reported after 30 s is CANCELED", async () => {
      const late = await playDag([call("a")], { attempts: { a: [well(30_101)] }, commands: [cancel(100)] });
      expect(statesOf(late)).toEqual({ a: "CANCELED" });
      expect(
        statesOf(await playDag([call("a")], { attempts: { a: [well(30_099)] }, commands: [cancel(100)] })),
      ).toEqual({
        a: "COMPLETED",
      });
    });

    test("a failure while the run is cancelled: final ones stay FAILED, others are CANCELED; nothing is retried", async () => {
      const retry_policy = { max_retries: 2, initial_delay: "1ms" };
      const outcome = await playDag([call("a", { retry_policy }), call("b", { retry_policy })], {
        attempts: { a: [bad(500)], b: [bad(600, "E1", false)] },
        commands: [cancel(100)],
      });
      expect(statesOf(outcome)).toEqual({ a: "CANCELED", b: "FAILED" });
      expect(outcome.tasks.a?.attempts).toBe(1);
    });

    test("a retry that was due is CANCELED", async () => {
      const outcome = await playDag([call("a", { retry_policy: { max_retries: 2, initial_delay: "5s" } })], {
        attempts: { a: [bad(10)] },
        commands: [cancel(100)],
      });
      expect(statesOf(outcome)).toEqual({ a: "CANCELED" });
    });

    test("the parent of a group is CANCELED whatever its children did", async () => {
      const group: TaskDoc = {
        id: "g",
        type: "parallel",
        parameters: { tasks: [child(), child()], max_concurrency: 1 },
      };
      const outcome = await playDag([group], { attempts: { "g.0": [well(500)] }, commands: [cancel(100)] });
      expect(statesOf(outcome)).toEqual({ g: "CANCELED", "g.0": "COMPLETED" });
    });

    test("a run timeout is the same with the end TIMED_OUT, and compensates", async () => {
      const outcome = await playDag(
        [call("a", { compensate_with: "u" }), ...undo("u")],
        { attempts: { a: [never(10)] } },
        { timeout: "3s" },
      );
      expect(outcome).toMatchObject({ phase: "TIMED_OUT", error: { type: "RUN_TIMEOUT" }, compensations: ["a"] });
      expect(outcome.tasks["a~compensate"]?.dispatchedAt).toEqual([3_010]);
    });

    test("terminate ends at once and compensates nothing", async () => {
      const outcome = await playDag(
        [call("a", { compensate_with: "u" }), give("b", 1, { depends_on: ["a"] }), ...undo("u")],
        {
          attempts: { a: [well(500)] },
          commands: [{ at: 100, kind: "terminate" }],
        },
      );
      expect(outcome).toMatchObject({ phase: "TERMINATED", compensations: [] });
      expect(statesOf(outcome)).toEqual({ a: "CANCELED", b: "CANCELED" });
    });

    test("a second cancel changes nothing; terminate cuts a cancel short", async () => {
      const world = { attempts: { a: [never()] }, commands: [cancel(100), cancel(200, true)] };
      expect(await playDag([call("a", { compensate_with: "u" }), ...undo("u")], world)).toMatchObject({
        phase: "CANCELED",
        compensations: [],
      });
      expect(
        (await playDag([call("a")], { ...world, commands: [cancel(100), { at: 200, kind: "terminate" }] })).phase,
      ).toBe("TERMINATED");
    });
  });

  describe("compensation", () => {
    const chain = [
      call("a", { compensate_with: "ua" }),
      call("b", { depends_on: ["a"], compensate_with: "ub" }),
      call("c", { depends_on: ["b"], compensate_with: "uc" }),
      call("d", { depends_on: ["c"], compensate_with: "ud" }),
      ...undo("ua", "ub", "uc", "ud"),
    ];

    test("dispatched tasks are compensated, last dispatch first, one at a time, told completed or unknown", async () => {
      const outcome = await playDag(chain, {
        attempts: {
          c: [bad(10, "E1", false)],
          "c~compensate": [well(40)],
          "b~compensate": [well(30)],
          "a~compensate": [well(20)],
        },
      });
      expect(outcome.compensations).toEqual(["c", "b", "a"]);
      expect(outcome.tasks["c~compensate"]).toMatchObject({
        output: { n: "unknown", of: "c", was: null },
        dispatchedAt: [12],
      });
      expect(outcome.tasks["b~compensate"]).toMatchObject({
        output: { n: "completed", was: { n: 1 } },
        dispatchedAt: [52],
      });
      expect(statesOf(outcome)).toMatchObject({
        a: "COMPENSATED",
        b: "COMPENSATED",
        c: "COMPENSATED",
        d: "UPSTREAM_FAILED",
      });
      expect(outcome).toMatchObject({ phase: "FAILED", error: { type: "E1", task: "c" } });
    });

    test("a completed run, and a cancel without compensation, compensate nothing", async () => {
      expect((await playDag(chain)).compensations).toEqual([]);
      expect((await playDag(chain, { attempts: { b: [well(500)] }, commands: [cancel(100)] })).compensations).toEqual(
        [],
      );
    });

    test("a cancel with compensation waits for the running attempts first", async () => {
      const outcome = await playDag(chain, { attempts: { b: [well(500)] }, commands: [cancel(100, true)] });
      expect(outcome).toMatchObject({ phase: "CANCELED", compensations: ["b", "a"] });
      expect(outcome.tasks["b~compensate"]).toMatchObject({ output: { n: "completed" }, dispatchedAt: [501] });
    });

    test("a compensation that uses up its attempts holds the run in COMPENSATING", async () => {
      const outcome = await playDag(chain, { attempts: { c: [bad(10, "E1", false)], "b~compensate": [bad(5)] } });
      expect(outcome).toMatchObject({ phase: "COMPENSATING", compensations: ["c", "b"] });
      expect(statesOf(outcome)).toMatchObject({
        a: "COMPLETED",
        b: "COMPLETED",
        c: "COMPENSATED",
        "b~compensate": "FAILED",
      });
    });

    test("a task that was never dispatched is not compensated", async () => {
      const outcome = await playDag([
        call("a", { compensate_with: "ua", parameters: { output: `\${1 % vars.zero}` } }),
        ...undo("ua"),
      ]);
      expect(outcome).toMatchObject({ phase: "FAILED", compensations: [] });
    });

    test("the first dispatch of a retried task decides its place", async () => {
      const tasks = [
        call("a", { retry_policy: { max_retries: 1, initial_delay: "1s" }, compensate_with: "ua" }),
        call("x"),
        call("b", { depends_on: ["x"], compensate_with: "ub" }),
        ...undo("ua", "ub"),
      ];
      const outcome = await playDag(tasks, { attempts: { a: [bad(10), bad(10, "E1", false)], x: [well(50)] } });
      expect(outcome.compensations).toEqual(["b", "a"]);
    });

    test("every visit of a state is compensated", async () => {
      const states = [{ id: "s", task: { type: "noop" as const }, compensate_with: "u", transitions: [{ to: "s" }] }];
      const outcome = await playFsm(states, {}, { max_transitions: 2, compensations: undo("u") });
      expect(outcome).toMatchObject({ phase: "FAILED", compensations: ["s~3", "s~2", "s~1"] });
    });

    test("an error in the output mapping compensates too", async () => {
      const outcome = await playDag(
        [call("a", { compensate_with: "u" }), ...undo("u")],
        {},
        { output: { n: `\${a.output.no}` } },
      );
      expect(outcome).toMatchObject({ phase: "FAILED", error: { type: "EXPRESSION_FAILED" }, compensations: ["a"] });
    });
  });

  describe("holds", () => {
    const held = (from: number, to: number): Command[] => [
      { at: from, kind: "pause" },
      { at: to, kind: "resume" },
    ];

    test("a result is recorded at once, what follows starts on release", async () => {
      const outcome = await playDag([call("a"), call("b", { depends_on: ["a"] })], {
        attempts: { a: [well(50)] },
        commands: held(10, 500),
      });
      expect(outcome.tasks.b?.dispatchedAt).toEqual([500]);
    });

    test("under a hold that is not released nothing starts, not even what is pure, and the run does not end", async () => {
      const outcome = await playDag([call("a"), ask("c", "true", ["p"], []), give("p", 1, { depends_on: ["a"] })], {
        attempts: { a: [well(50)] },
        commands: [{ at: 10, kind: "pause" }],
      });
      expect(statesOf(outcome)).toEqual({ a: "COMPLETED", c: "COMPLETED" });
      expect(outcome.phase).toBe("RUNNING");
      expect(
        await playDag([call("a")], { attempts: { a: [well(50)] }, commands: [{ at: 10, kind: "pause" }] }),
      ).toMatchObject({
        phase: "RUNNING",
        tasks: { a: { state: "COMPLETED" } },
      });
    });

    test("a retry starts on release when it was due before, else when it is due", async () => {
      const tasks = [call("a", { retry_policy: { max_retries: 1, backoff_type: "fixed", initial_delay: "1s" } })];
      const world = { attempts: { a: [bad(50), well(5)] } };
      expect((await playDag(tasks, { ...world, commands: held(10, 5_000) })).tasks.a?.dispatchedAt).toEqual([0, 5_000]);
      expect((await playDag(tasks, { ...world, commands: held(10, 300) })).tasks.a?.dispatchedAt).toEqual([0, 1_050]);
    });

    test("deadlines keep running: attempt timeouts, schedule-to-close of a retry, waits, signals, approvals", async () => {
      const tasks: TaskDoc[] = [
        call("a", { timeout: "1s" }),
        call("r", {
          retry_policy: { max_retries: 1, backoff_type: "fixed", initial_delay: "1s" },
          schedule_to_close_timeout: "2s",
        }),
        { id: "s", type: "signal", timeout: "3s" },
        { id: "p", type: "approval", timeout: "4s" },
        { id: "w", type: "wait", parameters: { duration: "1500ms" } },
      ];
      const outcome = await playDag(tasks, {
        attempts: { a: [never()], r: [bad(50)] },
        commands: [{ at: 10, kind: "pause" }],
      });
      expect(statesOf(outcome)).toEqual({
        a: "TIMED_OUT",
        r: "TIMED_OUT",
        s: "TIMED_OUT",
        p: "FAILED",
        w: "COMPLETED",
      });
      expect(outcome.tasks.r).toMatchObject({ error: "SCHEDULE_TO_CLOSE_TIMEOUT", attempts: 1 });
    });

    test("signals and decisions are recorded while it stands", async () => {
      const tasks: TaskDoc[] = [
        { id: "s", type: "signal", timeout: "3s" },
        { id: "p", type: "approval", timeout: "4s" },
      ];
      const outcome = await playDag(tasks, {
        signals: [{ at: 100, name: "s", payload: 1 }],
        decisions: [{ at: 200, path: "p", approved: true }],
        commands: held(10, 9_000),
      });
      expect(outcome).toMatchObject({ phase: "COMPLETED", output: { s: 1, p: { approved: true } } });
    });

    test("cancel and the run timeout pass through; compensation waits for the release", async () => {
      const tasks = [call("a", { compensate_with: "u" }), ...undo("u")];
      const through = await playDag(tasks, {
        attempts: { a: [well(150)] },
        commands: [...held(100, 900), cancel(200, true)],
      });
      expect(through.phase).toBe("CANCELED");
      expect(through.tasks["a~compensate"]?.dispatchedAt).toEqual([900]);
      const world = { attempts: { a: [well(50)] }, commands: [{ at: 10, kind: "pause" as const }] };
      expect((await playDag(tasks, world, { timeout: "1s" })).phase).toBe("COMPENSATING");
    });

    test("on and after of a state act on release: signals, then the task's end, then timers", async () => {
      const state = {
        id: "s",
        task: { type: "noop" as const },
        transitions: [{ to: "by_task" }],
        after: [{ delay: "1s", to: "by_timer" }],
        on: [{ signal: "go", to: "by_signal" }],
      };
      const ends = ["by_task", "by_timer", "by_signal"].map((id) => ({ id, final: "completed" as const }));
      const world = { attempts: { s: [well(2_000)] }, commands: held(10, 5_000) };
      expect((await playFsm([state, ...ends], world)).path).toEqual(["s", "by_task"]);
      expect(
        (await playFsm([state, ...ends], { ...world, signals: [{ at: 3_000, name: "go", payload: 1 }] })).path,
      ).toEqual(["s", "by_signal"]);
      const running = { attempts: { s: [never()] }, commands: held(10, 5_000) };
      expect(await playFsm([state, ...ends], running)).toMatchObject({
        path: ["s", "by_timer"],
        tasks: { "s~1": { state: "CANCELED" } },
      });
    });
  });
}
