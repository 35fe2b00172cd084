/** Section 4 of docs/semantics.md, sentence by sentence. */
import { describe, expect, test } from "vitest";
import type { StateDoc, WorkDoc } from "./document.ts";
import { bad, never, type Players, statesOf, well } from "./play.ts";

/** Checks these sentences on whatever plays flows. */
export function describeFsm({ playFsm }: Players): void {
  const end: StateDoc[] = [
    { id: "good", final: "completed" },
    { id: "bad", final: "failed" },
  ];
  const noop: WorkDoc = { type: "noop", parameters: { output: { n: 1 } } };
  const go = (at: number, payload: number) => ({ at, name: "go", payload });

  describe("transitions", () => {
    test("the first whose when is true, or which has none, is taken", async () => {
      const transitions = [
        { when: `\${vars.x > 5}`, to: "bad" },
        { when: `\${vars.x > 2}`, to: "good" },
        { to: "bad" },
      ];
      expect(await playFsm([{ id: "s", task: noop, transitions }, ...end], { variables: { x: 4 } })).toMatchObject({
        phase: "COMPLETED",
        path: ["s", "good"],
        output: { n: 1 },
      });
      expect(await playFsm([{ id: "s", transitions }, ...end], { variables: { x: 9 } })).toMatchObject({
        phase: "FAILED",
        path: ["s", "bad"],
        error: { type: "FINAL_STATE" },
      });
    });

    test("none matches: NO_TRANSITION, unless the state has on or after to wait for", async () => {
      const transitions = [{ when: `\${false}`, to: "good" }];
      expect(await playFsm([{ id: "s", task: noop, transitions }, ...end])).toMatchObject({
        phase: "FAILED",
        error: { type: "NO_TRANSITION" },
      });
      const after = [{ delay: "5s", to: "good" }];
      expect(await playFsm([{ id: "s", task: noop, transitions, after }, ...end])).toMatchObject({
        phase: "COMPLETED",
      });
      expect(
        (await playFsm([{ id: "s", task: noop, transitions, on: [{ signal: "go", to: "good" }] }, ...end])).phase,
      ).toBe("RUNNING");
    });

    test("a loop reads the latest visit and ends at max_transitions", async () => {
      const count: WorkDoc = {
        type: "transform",
        parameters: { output: { n: `\${(b.output == null ? 0 : b.output.n) + 1}` } },
      };
      const copy: WorkDoc = { type: "transform", parameters: { output: { n: `\${a.output.n}` } } };
      const states: StateDoc[] = [
        { id: "a", task: count, transitions: [{ when: `\${a.output.n >= 3}`, to: "good" }, { to: "b" }] },
        { id: "b", task: copy, transitions: [{ to: "a" }] },
        ...end,
      ];
      expect(await playFsm(states)).toMatchObject({
        phase: "COMPLETED",
        path: ["a", "b", "a", "b", "a", "good"],
        output: { n: 3 },
      });
      expect((await playFsm(states, {}, { max_transitions: 5 })).phase).toBe("COMPLETED");
      expect(await playFsm(states, {}, { max_transitions: 4 })).toMatchObject({
        phase: "FAILED",
        error: { type: "TRANSITION_LIMIT" },
        path: ["a", "b", "a", "b", "a"],
      });
    });

    test("a guard that is no boolean fails the run", async () => {
      const states: StateDoc[] = [{ id: "s", transitions: [{ when: `\${1}`, to: "good" }] }, ...end];
      expect(await playFsm(states)).toMatchObject({ phase: "FAILED", error: { type: "EXPRESSION_FAILED" } });
    });

    test("initial names the first state; without it the first of the document is entered", async () => {
      const states: StateDoc[] = [
        { id: "a", transitions: [{ to: "good" }] },
        { id: "b", transitions: [{ to: "good" }] },
        ...end,
      ];
      expect((await playFsm(states)).path).toEqual(["a", "good"]);
      expect((await playFsm(states, {}, { initial: "b" })).path).toEqual(["b", "good"]);
    });
  });

  describe("errors of a state's task", () => {
    const failing = async (on_error: StateDoc["on_error"], task: Partial<WorkDoc> = {}) =>
      await playFsm(
        [
          {
            id: "s",
            task: { ...noop, ...task },
            transitions: [{ to: "bad" }],
            ...(on_error === undefined ? {} : { on_error }),
          },
          ...end,
        ],
        { attempts: { s: [bad(10, "E2")] } },
      );

    test("on_error is tried in order: absent, equal, in a list", async () => {
      const entries = [
        { match: "E1", to: "bad" },
        { match: ["E3", "E2"], to: "good" },
      ];
      expect((await failing(entries)).path).toEqual(["s", "good"]);
      expect((await failing([{ to: "good" }, { match: "E2", to: "bad" }])).path).toEqual(["s", "good"]);
    });

    test("none matches: the run fails with the task's error", async () => {
      expect(await failing([{ match: "E1", to: "good" }])).toMatchObject({
        phase: "FAILED",
        error: { type: "E2", task: "s~1" },
      });
      expect(await failing(undefined)).toMatchObject({ phase: "FAILED", error: { type: "E2", task: "s~1" } });
    });

    test("on_error: continue makes it a success, so transitions are tried", async () => {
      expect((await failing([{ to: "good" }], { on_error: "continue" })).path).toEqual(["s", "bad"]);
    });
  });

  describe("signals and timers", () => {
    const on = [
      { signal: "go", when: `\${signal.payload > 5}`, to: "good" },
      { signal: "go", when: `\${signal.payload > 3}`, to: "bad" },
    ];

    test("a signal that an entry admits is consumed and leaves the state; the running task is cancelled", async () => {
      const outcome = await playFsm([{ id: "s", task: noop, on, transitions: [{ to: "bad" }] }, ...end], {
        attempts: { s: [never()] },
        signals: [go(5, 1), go(9, 7)],
      });
      expect(statesOf(outcome)).toEqual({ "s~1": "CANCELED" });
      expect(outcome).toMatchObject({ phase: "COMPLETED", path: ["s", "good"], leftover: [{ payload: 1 }] });
    });

    test("entries are tried in order", async () => {
      expect((await playFsm([{ id: "s", on }, ...end], { signals: [go(5, 4)] })).path).toEqual(["s", "bad"]);
    });

    test("queued signals are looked at after entry, oldest first; the state's task is then never started", async () => {
      const outcome = await playFsm([{ id: "s", task: noop, on, transitions: [{ to: "bad" }] }, ...end], {
        signals: [go(0, 2), go(0, 8), go(0, 4)],
      });
      expect(outcome).toMatchObject({ path: ["s", "good"], tasks: {}, leftover: [{ payload: 2 }, { payload: 4 }] });
    });

    test("a signal that was not admitted is judged again when what its guard reads has changed", async () => {
      // Cause: a signal was judged once per visit, but only as long as the run stayed in memory: what was evicted
      // meanwhile ended otherwise.
      const when = `\${tasks.work.state == "COMPLETED"}`;
      const states: StateDoc[] = [
        { id: "work", task: { type: "approval" }, on: [{ signal: "go", when, to: "good" }] },
        ...end,
      ];
      const outcome = await playFsm(states, {
        signals: [go(5, 1)],
        decisions: [{ at: 900, path: "work~1", approved: true }],
      });
      expect(outcome).toMatchObject({ phase: "COMPLETED", path: ["work", "good"], leftover: [] });
    });

    // Cause: the evaluation of a guard failed the run, so that one badly made signal ended what its sender should only
    // have moved.
    test.each([
      ["lacks what the guard reads", null],
      ["gives the guard another type", "7"],
    ])("a signal that %s is not admitted; it stays queued, which is reported once", async (_what, payload) => {
      const when = `\${signal.payload.plan > 5}`;
      const states: StateDoc[] = [
        { id: "s", task: noop, on: [{ signal: "go", when, to: "bad" }], transitions: [{ to: "t" }] },
        { id: "t", on: [{ signal: "go", when, to: "good" }], after: [{ delay: "9s", to: "bad" }] },
        ...end,
      ];
      const outcome = await playFsm(states, {
        attempts: { s: [bad(100), well(100)] },
        signals: [
          { at: 5, name: "go", payload: payload === null ? null : { plan: payload } },
          { at: 900, name: "go", payload: { plan: 6 } },
        ],
      });
      expect(outcome).toMatchObject({ phase: "FAILED", error: { type: "E1" }, unfit: ["go in s"] });
      const later = await playFsm(states, {
        attempts: { s: [well(100)] },
        signals: [
          { at: 5, name: "go", payload: payload === null ? null : { plan: payload } },
          { at: 900, name: "go", payload: { plan: 6 } },
        ],
      });
      expect(later).toMatchObject({
        phase: "COMPLETED",
        path: ["s", "t", "good"],
        unfit: ["go in s", "go in t"],
        leftover: [{ name: "go" }],
      });
    });

    test("a guard that fails leaves the signal to the entries after it", async () => {
      const entries = [
        { signal: "go", when: `\${signal.payload.plan == 1}`, to: "bad" },
        { signal: "go", to: "good" },
      ];
      const outcome = await playFsm([{ id: "s", on: entries }, ...end], {
        signals: [{ at: 5, name: "go", payload: null }],
      });
      expect(outcome).toMatchObject({ phase: "COMPLETED", path: ["s", "good"], unfit: [], leftover: [] });
    });

    test("the earliest after timer is taken, of several at once the first of the document", async () => {
      const wait = async (...delays: string[]) =>
        (
          await playFsm([
            { id: "s", after: delays.map((delay, index) => ({ delay, to: index === 0 ? "good" : "bad" })) },
            ...end,
          ])
        ).path[1];
      expect([await wait("3s", "2s"), await wait("2s", "3s"), await wait("2s", "2s")]).toEqual(["bad", "good", "good"]);
    });

    test("timers are armed on entry and disarmed on exit", async () => {
      const states: StateDoc[] = [
        { id: "a", task: noop, transitions: [{ to: "b" }], after: [{ delay: "1s", to: "bad" }] },
        { id: "b", after: [{ delay: "3s", to: "good" }] },
        ...end,
      ];
      expect((await playFsm(states, { attempts: { a: [well(900)] } })).path).toEqual(["a", "b", "good"]);
      expect((await playFsm(states, { attempts: { a: [well(1_100)] } })).path).toEqual(["a", "bad"]);
    });

    test("what would be one transition too many leaves its signal in the queue and stops the running task first", async () => {
      const states: StateDoc[] = [{ id: "s", task: noop, on: [{ signal: "go", to: "s" }] }, ...end];
      const outcome = await playFsm(
        states,
        { attempts: { s: [never(), never(300)] }, signals: [go(5, 1), go(9, 2)] },
        { max_transitions: 1 },
      );
      expect(outcome).toMatchObject({
        phase: "FAILED",
        error: { type: "TRANSITION_LIMIT" },
        path: ["s", "s"],
        leftover: [{ payload: 2 }],
      });
      expect(statesOf(outcome)).toEqual({ "s~1": "CANCELED", "s~2": "CANCELED" });
    });
  });

  describe("final states", () => {
    test("a final state runs its task, then ends the run", async () => {
      const outcome = await playFsm([{ id: "s", task: noop, final: "completed" }]);
      expect(outcome).toMatchObject({ phase: "COMPLETED", output: { n: 1 }, tasks: { "s~1": { attempts: 1 } } });
      expect(await playFsm([{ id: "s", task: noop, final: "failed" }])).toMatchObject({
        phase: "FAILED",
        error: { type: "FINAL_STATE" },
        output: null,
      });
    });

    test("a failure of its task fails the run with that error", async () => {
      expect(await playFsm([{ id: "s", task: noop, final: "completed" }], { attempts: { s: [bad(1)] } })).toMatchObject(
        {
          phase: "FAILED",
          error: { type: "E1", task: "s~1" },
        },
      );
    });

    test("without a completed state task the output is null", async () => {
      expect((await playFsm([{ id: "s", transitions: [{ to: "good" }] }, ...end])).output).toBeNull();
    });
  });
}
