/**
 * `decide`: it changes nothing, gives the same answer twice, and an event that comes again, or too late, makes no
 * records.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { decide, nextStep } from "../../src/engine/machine/decide.ts";
import type { RunEvent } from "../../src/engine/machine/events.ts";
import { isTerminalPhase } from "../../src/engine/machine/state.ts";
import { drive } from "../differential/engine-adapter.ts";
import { RUNS, seeds, subjectOf } from "./cases.ts";

/**
 * Events that say the same thing when they come twice. A signal is a new one each time, and `due` goes on to the next
 * timer.
 */
const SAME_TWICE: ReadonlySet<RunEvent["type"]> = new Set([
  "hand_over",
  "started",
  "returned",
  "reported",
  "decided",
  "cancel",
  "terminate",
  "hold",
  "release",
]);

test("deciding changes nothing and gives the same records twice", async () => {
  await fc.assert(
    fc.asyncProperty(seeds, async (seed) => {
      const { plan, world } = await subjectOf(seed);
      const before = (run: Parameters<typeof decide>[0], event: RunEvent): void => {
        const state = structuredClone(run.state);
        const first = decide(run, event);
        expect(decide(run, event)).toEqual(first);
        expect(run.state).toEqual(state);
      };
      drive(plan, world, {}, { before });
    }),
    RUNS,
  );
});

test("an event that is delivered again makes no records", async () => {
  let repeated = 0;
  await fc.assert(
    fc.asyncProperty(seeds, async (seed) => {
      const { plan, world } = await subjectOf(seed);
      drive(
        plan,
        world,
        {},
        {
          after: (run, event) => {
            if (!SAME_TWICE.has(event.type)) return;
            expect(decide(run, event), `${event.type} again`).toEqual([]);
            repeated += 1;
          },
        },
      );
    }),
    RUNS,
  );
  expect(repeated).toBeGreaterThan(RUNS.numRuns);
});

test("a report of an attempt that is no longer current makes no records", async () => {
  let late = 0;
  await fc.assert(
    fc.asyncProperty(seeds, async (seed) => {
      const { plan, world } = await subjectOf(seed);
      const reports: RunEvent[] = [];
      drive(
        plan,
        world,
        {},
        {
          after: (run, event) => {
            for (const old of reports) expect(decide(run, { ...old, at: event.at }), "late report").toEqual([]);
            late += reports.length;
            if (event.type === "reported") reports.push(event);
          },
        },
      );
    }),
    RUNS,
  );
  expect(late).toBeGreaterThan(RUNS.numRuns);
});

test("an ended run answers nothing, and a settled run has no next step", async () => {
  await fc.assert(
    fc.asyncProperty(seeds, async (seed) => {
      const { plan, world } = await subjectOf(seed);
      drive(
        plan,
        world,
        {},
        {
          after: (run, event) => {
            expect(nextStep(run, event.at)).toBeNull();
            if (!isTerminalPhase(run.state.phase)) return;
            for (const type of ["cancel", "terminate", "signal", "due", "hold"] as const) {
              const any = {
                type,
                at: event.at + 1,
                by: "",
                reason: "",
                why: "",
                hold: "operator",
                compensate: true,
                name: "red",
                payload: 1,
                random: 0,
              };
              expect(decide(run, any as unknown as RunEvent), type).toEqual([]);
            }
          },
        },
      );
    }),
    RUNS,
  );
});
