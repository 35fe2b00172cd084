/**
 * Compensation in docs/semantics.md §5: what is compensated, by which types of tasks, and what a compensation is told.
 */
import { describe, expect, test } from "vitest";
import type { TaskDoc } from "./document.ts";
import { bad, call, child, type Players, statesOf, well } from "./play.ts";
import type { AttemptScript, Command } from "./world.ts";

/** Checks these sentences on whatever plays flows. */
export function describeCompensation({ playDag, playFsm }: Players): void {
  const cancel = (at: number): Command => ({ at, kind: "cancel", compensate: true });
  const harmless = (durationMs: number): AttemptScript => ({
    durationMs,
    end: { kind: "error", type: "REFUSED", retryable: true, noEffect: true },
  });
  const retry_policy = { max_retries: 1, backoff_type: "fixed" as const, initial_delay: "1s" };

  describe("what is compensated", () => {
    const tasks = [call("a", { compensate_with: "u", retry_policy, timeout: "2s" }), call("u")];
    const late = well(9_000);

    test("a task is left alone when every call is proven to have had no effect", async () => {
      const outcome = await playDag(tasks, { attempts: { a: [harmless(10)] } });
      expect(outcome).toMatchObject({ phase: "FAILED", compensations: [], error: { type: "REFUSED" } });
    });

    test("the last call had no effect, but that of an earlier one is unknown: it is compensated", async () => {
      // Cause: whether there was an effect was read from the last error alone.
      expect((await playDag(tasks, { attempts: { a: [late, harmless(10)] } })).compensations).toEqual(["a"]);
    });

    test("an attempt that was given up by a cancel may have had an effect, whatever the one before had", async () => {
      // Cause: a dispatch left the error of the attempt before as it was.
      const given = await playDag([call("a", { compensate_with: "u", retry_policy }), call("u")], {
        attempts: { a: [harmless(10), { durationMs: 1, end: { kind: "never" } }] },
        commands: [cancel(1_500)],
      });
      expect(given).toMatchObject({ phase: "CANCELED", compensations: ["a"] });
    });

    test("a call that was deferred too long proves nothing about the attempt before it", async () => {
      // Cause: SCHEDULE_TO_START_TIMEOUT always said that there was no effect.
      const waiting = [call("a", { ...tasks[0], schedule_to_start_timeout: "3s" }), call("u")];
      const deferred = { ...well(10), deferred: { times: 9, forMs: 4_000, noEffect: true } };
      const outcome = await playDag(waiting, { attempts: { a: [late, deferred] } });
      expect(outcome.tasks.a).toMatchObject({ error: "SCHEDULE_TO_START_TIMEOUT", deadLetter: "DEFERRED_TOO_LONG" });
      expect(outcome.compensations).toEqual(["a"]);
      expect((await playDag(waiting, { attempts: { a: [deferred] } })).compensations).toEqual([]);
    });
  });

  describe("compensations that fail", () => {
    const tasks = [call("a", { compensate_with: "u" }), call("b", { depends_on: ["a"] }), call("u")];

    test.each([true, false])(
      "one that fails for good (retryable: %s) holds the run as a dead letter",
      async (again) => {
        // Cause: only errors that might be retried made a dead letter, so a run hung in COMPENSATING and nothing showed
        // why.
        const outcome = await playDag(tasks, {
          attempts: { b: [bad(1, "E1", false)], "a~compensate": [bad(1, "E2", again)] },
        });
        expect(outcome.phase).toBe("COMPENSATING");
        expect(outcome.tasks["a~compensate"]).toMatchObject({
          state: "FAILED",
          error: "E2",
          deadLetter: again ? "ATTEMPTS_EXHAUSTED" : "NOT_RETRYABLE",
        });
      },
    );

    test("one whose failure is handled counts as done", async () => {
      // Cause: `on_error: continue` was documented for compensations, and refused.
      const handled = [...tasks.slice(0, 2), call("u", { on_error: "continue" })];
      const outcome = await playDag(handled, {
        attempts: { b: [bad(1, "E1", false)], "a~compensate": [bad(1, "E2", false)] },
      });
      expect(outcome).toMatchObject({
        phase: "FAILED",
        error: { type: "E1" },
        tasks: { a: { state: "COMPENSATED" }, "a~compensate": { state: "FAILED", error: "E2", deadLetter: null } },
      });
    });

    test("so does one whose parameters cannot be evaluated", async () => {
      const broken = [...tasks.slice(0, 2), call("u", { parameters: { output: `\${1 % vars.zero}` } })];
      const outcome = await playDag(broken, { attempts: { b: [bad(1, "E1", false)] } });
      expect(outcome).toMatchObject({
        phase: "COMPENSATING",
        tasks: { "a~compensate": { deadLetter: "NOT_RETRYABLE" } },
      });
    });
  });

  describe("compensations of every type", () => {
    const failing = [call("a", { compensate_with: "u" }), call("b", { depends_on: ["a"] })];
    const attempts = { b: [bad(1, "E1", false)] };
    const play = (undo: Partial<TaskDoc>, world = {}) =>
      playDag([...failing, { id: "u", type: "noop", ...undo }], { attempts, ...world });

    test("a signal ends one that waits for it", async () => {
      // Cause: signals were given to tasks of RUNNING runs only.
      const outcome = await play(
        { type: "signal", parameters: { name: "u" } },
        { signals: [{ at: 500, name: "u", payload: 7 }] },
      );
      expect(outcome).toMatchObject({ phase: "FAILED", leftover: [], tasks: { "a~compensate": { output: 7 } } });
    });

    test("a decision ends an approval; a rejection is a dead letter", async () => {
      const decide = (approved: boolean) =>
        play({ type: "approval" }, { decisions: [{ at: 500, path: "a~compensate", approved }] });
      expect((await decide(true)).phase).toBe("FAILED");
      expect(await decide(false)).toMatchObject({
        phase: "COMPENSATING",
        tasks: { "a~compensate": { deadLetter: "NOT_RETRYABLE" } },
      });
    });

    test.each([
      ["wait", { parameters: { duration: "5s" } }],
      ["emit", { parameters: { topic: "t", payload: 1 } }],
      ["subflow", { parameters: { flow_id: "child", input: { n: 1 } } }],
      ["map", { parameters: { items: [1, 2], task: child() } }],
      ["parallel", { parameters: { tasks: [child(), child()] } }],
    ] as const)("%s", async (type, more) => {
      const outcome = await play({ type, ...(more as Partial<TaskDoc>) });
      expect(outcome).toMatchObject({ phase: "FAILED", tasks: { a: { state: "COMPENSATED" } } });
    });
  });

  describe("compensations under a hold", () => {
    const held = (hold: "budget" | "limit", until: number): Command[] => [
      { at: 10, kind: "hold", hold },
      { at: until, kind: "release", hold },
    ];
    const group: TaskDoc = { id: "u", type: "map", parameters: { items: [1, 2], task: child(), max_concurrency: 1 } };
    const playHeld = (undo: TaskDoc, commands: Command[], script: AttemptScript[]) =>
      playDag([call("a", { compensate_with: "u" }), undo], {
        attempts: { a: [well(5)], "a~compensate": script, "a~compensate.0": [well(100)] },
        commands: [cancel(1), ...commands],
      });

    test("the next child of a group waits for the release", async () => {
      // Cause: groups were looked at before the hold was.
      const outcome = await playHeld(group, held("limit", 5_000), []);
      expect(outcome.tasks["a~compensate.1"]?.dispatchedAt).toEqual([5_000]);
    });

    test("the hold of the budget stops neither children nor retries", async () => {
      // Cause: the timer of a retry rested under every hold.
      expect((await playHeld(group, held("budget", 5_000), [])).tasks["a~compensate.1"]?.dispatchedAt).toEqual([105]);
      const undo = call("u", { retry_policy });
      const outcome = await playHeld(undo, held("budget", 5_000), [bad(10), well(10)]);
      expect(outcome.tasks["a~compensate"]?.dispatchedAt).toEqual([5, 1_015]);
    });
  });

  describe("what a compensation is told", () => {
    test("of a group: what became of its children", async () => {
      // Cause: a group has no input, and no output when it failed, so its compensation knew nothing.
      const map = {
        type: "map" as const,
        compensate_with: "u",
        parameters: { items: ["x", "y"], task: child({ parameters: { output: `\${item}` } }) },
      };
      const undo = call("u", { parameters: { output: `\${compensates.children}` } });
      const attempts = { "g.1": [bad(1, "E1", false)], "g~1.1": [bad(1, "E1", false)] };
      const children = [
        { index: 0, item: "x", state: "COMPLETED", output: "x", children: null },
        { index: 1, item: "y", state: "FAILED", output: null, children: null },
      ];
      const dag = await playDag([{ id: "g", ...map }, undo], { attempts });
      expect(dag.tasks["g~compensate"]?.output).toEqual(children);
      const { compensate_with, ...task } = map;
      const states = [
        { id: "g", task, compensate_with, transitions: [{ to: "good" }] },
        { id: "good", final: "completed" as const },
      ];
      const fsm = await playFsm(states, { attempts }, { compensations: [undo] });
      expect(fsm.tasks["g~1~compensate"]?.output).toEqual(children);
      expect(statesOf(fsm)["g~1"]).toBe("COMPENSATED");
    });

    test("of a signal that was there already: the parameters all the same", async () => {
      // Cause: a task that ended as it began kept no input.
      const tasks: TaskDoc[] = [
        { id: "s", type: "signal", parameters: { name: "go" }, compensate_with: "u" },
        call("b", { depends_on: ["s"] }),
        call("u", { parameters: { output: `\${compensates.input}` } }),
      ];
      const outcome = await playDag(tasks, {
        attempts: { b: [bad(1, "E1", false)] },
        signals: [{ at: 0, name: "go", payload: 1 }],
      });
      expect(outcome.tasks["s~compensate"]?.output).toEqual({ name: "go" });
    });
  });
}
