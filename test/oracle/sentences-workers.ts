/** "Handed-out tasks" of section 3 of docs/semantics.md, sentence by sentence. */
import { describe, expect, test } from "vitest";
import type { TaskDoc } from "./document.ts";
import { call, type Players, statesOf } from "./play.ts";
import type { AttemptScript, Command, HandOverScript } from "./world.ts";

const work = (id: string, more: Partial<TaskDoc> = {}): TaskDoc => ({
  id,
  type: "worker",
  parameters: { handler: "h", input: { n: 1 } },
  ...more,
});

/** An attempt with these hand-overs that takes 100 ms at its worker. */
const handed = (handOvers: HandOverScript[], more: Partial<AttemptScript> = {}): AttemptScript => ({
  durationMs: 100,
  end: { kind: "echo" },
  handOvers,
  ...more,
});

const good: HandOverScript = { takenAfterMs: 10, ackAfterMs: 20 };
const silent: HandOverScript = { takenAfterMs: 10, ackAfterMs: null };
const gone: HandOverScript = { takenAfterMs: 10, ackAfterMs: 20, ends: { afterMs: 50, how: "worker lost" } };
const back: HandOverScript = { takenAfterMs: 10, ackAfterMs: 20, ends: { afterMs: 50, how: "handed back" } };
const never: HandOverScript = { takenAfterMs: null, ackAfterMs: null };

/** Checks these sentences on whatever plays flows. */
export function describeWorkers({ playDag }: Players): void {
  describe("worker tasks", () => {
    test("wait for a worker, are acknowledged, and give what the worker reports", async () => {
      const { tasks } = await playDag([work("w")], { attempts: { w: [handed([good])] } });
      expect(tasks.w).toMatchObject({ state: "COMPLETED", output: { n: 1 }, attempts: 1, dispatchedAt: [10] });
    });

    test("a hand-over that is not acknowledged within 5 s is repeated with the same attempt number", async () => {
      const { tasks } = await playDag([work("w")], { attempts: { w: [handed([silent, good])] } });
      expect(tasks.w).toMatchObject({ state: "COMPLETED", attempts: 1, dispatchedAt: [10, 5_020] });
    });

    test("three losses cost nothing, the fourth uses up the attempt with WORKER_LOST", async () => {
      const lost = [gone, gone, gone, gone];
      const { tasks } = await playDag([work("w")], { attempts: { w: [handed(lost)] } });
      expect(tasks.w).toMatchObject({
        state: "FAILED",
        error: "WORKER_LOST",
        deadLetter: "ATTEMPTS_EXHAUSTED",
        attempts: 1,
        dispatchedAt: [10, 70, 130, 190],
      });
      const retry_policy = { max_retries: 1, backoff_type: "fixed" as const, initial_delay: "100ms" };
      const again = await playDag([work("w", { retry_policy })], {
        attempts: { w: [handed(lost), handed([gone, gone, gone, good])] },
      });
      expect(again.tasks.w).toMatchObject({ state: "COMPLETED", attempts: 2 });
    });

    test("a task that a worker hands back uses up nothing", async () => {
      const handOvers = [back, back, back, back, back, good];
      const { tasks } = await playDag([work("w")], { attempts: { w: [handed(handOvers)] } });
      expect(tasks.w).toMatchObject({ state: "COMPLETED", attempts: 1 });
      expect(tasks.w?.dispatchedAt).toHaveLength(6);
    });

    test("schedule-to-start runs until the acknowledgement, and anew when the task waits again", async () => {
      const task = work("w", { schedule_to_start_timeout: "200ms" });
      const nobody = await playDag([task], { attempts: { w: [handed([never])] } });
      expect(nobody.tasks.w).toMatchObject({
        state: "TIMED_OUT",
        error: "SCHEDULE_TO_START_TIMEOUT",
        deadLetter: "DEFERRED_TOO_LONG",
        dispatchedAt: [],
      });
      const unheard = await playDag([task], { attempts: { w: [handed([silent])] } });
      expect(unheard.tasks.w).toMatchObject({ state: "TIMED_OUT", error: "SCHEDULE_TO_START_TIMEOUT" });
      const slow = { takenAfterMs: 150, ackAfterMs: 20 };
      const late = await playDag([task], { attempts: { w: [handed([back, slow])] } });
      expect(late.tasks.w).toMatchObject({ state: "COMPLETED", dispatchedAt: [10, 210] });
    });

    test("start-to-close begins with the acknowledgement", async () => {
      const slow: HandOverScript = { takenAfterMs: 500, ackAfterMs: 500 };
      const { tasks } = await playDag([work("w", { timeout: "150ms" })], { attempts: { w: [handed([slow])] } });
      expect(tasks.w).toMatchObject({ state: "COMPLETED" });
      const long = handed([slow], { durationMs: 200 });
      const late = await playDag([work("w", { timeout: "150ms" })], { attempts: { w: [long] } });
      expect(late.tasks.w).toMatchObject({ state: "TIMED_OUT", error: "TIMEOUT" });
    });

    test("a worker that says nothing for the heartbeat timeout uses up the attempt", async () => {
      const quiet = handed([good], { durationMs: 5_000, quietAfterMs: 100 });
      const { tasks } = await playDag([work("w", { heartbeat_timeout: "300ms" })], { attempts: { w: [quiet] } });
      expect(tasks.w).toMatchObject({ state: "TIMED_OUT", error: "HEARTBEAT_TIMEOUT", attempts: 1 });
    });

    test("schedule-to-close spans all hand-overs and attempts", async () => {
      const task = work("w", { schedule_to_close_timeout: "1s" });
      const { tasks } = await playDag([task], { attempts: { w: [handed([silent])] } });
      expect(tasks.w).toMatchObject({ state: "TIMED_OUT", error: "SCHEDULE_TO_CLOSE_TIMEOUT" });
    });

    test("a takeover hands nothing out again", async () => {
      const commands: Command[] = [
        { at: 15, kind: "crash" },
        { at: 60, kind: "crash" },
      ];
      const { tasks } = await playDag([work("w")], { attempts: { w: [handed([good])] }, commands });
      expect(tasks.w).toMatchObject({ state: "COMPLETED", attempts: 1, dispatchedAt: [10] });
    });

    test("a hold takes back what nobody has acknowledged, and the rest may report", async () => {
      const commands: Command[] = [
        { at: 20, kind: "pause" },
        { at: 1_000, kind: "resume" },
      ];
      const unheard = { takenAfterMs: 10, ackAfterMs: 50 };
      const outcome = await playDag([work("a"), work("b"), call("c", { depends_on: ["b"] })], {
        attempts: { a: [handed([unheard, good])], b: [handed([{ takenAfterMs: 5, ackAfterMs: 5 }])] },
        commands,
      });
      expect(outcome.tasks.a).toMatchObject({ state: "COMPLETED", attempts: 1, dispatchedAt: [10, 1_000] });
      expect(outcome.tasks.b).toMatchObject({ state: "COMPLETED", dispatchedAt: [5] });
      expect(outcome.tasks.c).toMatchObject({ state: "COMPLETED", dispatchedAt: [1_000] });
    });

    test("a cancel ends what waits, and waits for the word of workers at most until the bound", async () => {
      const commands: Command[] = [{ at: 60, kind: "cancel", compensate: false }];
      const outcome = await playDag([work("waits"), work("stops"), work("ends"), work("deaf")], {
        attempts: {
          waits: [handed([never])],
          stops: [handed([good], { durationMs: 9_000, stopsAfterMs: 40 })],
          ends: [handed([good], { durationMs: 300 })],
          deaf: [handed([good], { end: { kind: "never" } })],
        },
        commands,
      });
      expect(outcome.phase).toBe("CANCELED");
      expect(statesOf(outcome)).toEqual({ waits: "CANCELED", stops: "CANCELED", ends: "COMPLETED", deaf: "CANCELED" });
    });

    test("a terminate ends everything at once", async () => {
      const commands: Command[] = [{ at: 60, kind: "terminate" }];
      const outcome = await playDag([work("a"), work("b")], {
        attempts: { a: [handed([good], { durationMs: 9_000 })], b: [handed([never])] },
        commands,
      });
      expect(outcome.phase).toBe("TERMINATED");
      expect(statesOf(outcome)).toEqual({ a: "CANCELED", b: "CANCELED" });
    });

    test("what was never handed out is not compensated", async () => {
      const commands: Command[] = [{ at: 200, kind: "cancel", compensate: true }];
      const tasks = [work("a", { compensate_with: "undo" }), work("b", { compensate_with: "undo" }), call("undo")];
      const outcome = await playDag(tasks, { attempts: { a: [handed([good])], b: [handed([never])] }, commands });
      expect(outcome.compensations).toEqual(["a"]);
    });
  });
}
