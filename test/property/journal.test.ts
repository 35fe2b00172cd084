/**
 * The journal: every move in it is legal, it folds to the state that the live run has, and a run can be put together
 * from it at any time.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { applyRecord, foldJournal } from "../../src/engine/machine/apply.ts";
import type { JournalRecord } from "../../src/engine/machine/records.ts";
import { openRun } from "../../src/engine/machine/run.ts";
import { advance } from "../../src/engine/machine/settle.ts";
import {
  createState,
  isTerminalPhase,
  isTerminalTask,
  PHASE_TRANSITIONS,
  TASK_TRANSITIONS,
} from "../../src/engine/machine/state.ts";
import { drive, storedAs } from "../differential/engine-adapter.ts";
import { createRandom } from "../oracle/random.ts";
import { RUNS, seeds, subjectOf } from "./cases.ts";

/** Moves that the flows must have shown, so that the property says something. */
const MOVES_TO_SEE = [
  ...["SCHEDULED", "RUNNING", "WAITING", "COMPLETED", "FAILED", "SKIPPED", "CANCELED"].map(
    (to) => `task PENDING ${to}`,
  ),
  ...["RUNNING", "RETRYING", "TIMED_OUT", "CANCELED"].map((to) => `task SCHEDULED ${to}`),
  ...["SCHEDULED", "RETRYING", "COMPLETED", "FAILED", "TIMED_OUT", "CANCELED"].map((to) => `task RUNNING ${to}`),
  ...["SCHEDULED", "RUNNING", "CANCELED"].map((to) => `task RETRYING ${to}`),
  ...["COMPLETED", "FAILED", "TIMED_OUT", "CANCELED"].map((to) => `task WAITING ${to}`),
  ...["COMPLETED", "FAILED", "TIMED_OUT", "CANCELED"].map((from) => `task ${from} COMPENSATED`),
  ...["CANCELING", "COMPENSATING", "COMPLETED", "FAILED", "TERMINATED"].map((to) => `run RUNNING ${to}`),
  ...["COMPENSATING", "FAILED", "CANCELED", "TIMED_OUT"].map((to) => `run CANCELING ${to}`),
  ...["FAILED", "CANCELED", "TIMED_OUT"].map((to) => `run COMPENSATING ${to}`),
];

test("nothing happens but legal moves, and an ended run never moves again", async () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 1_000; seed++) {
    const { plan, world } = await subjectOf(seed);
    for (const move of movesOf(drive(plan, world).journal)) seen.add(move);
  }
  for (const move of seen) expectLegal(move);
  expect(MOVES_TO_SEE.filter((move) => !seen.has(move))).toEqual([]);
});

test("the tables say what the semantics say: what has ended stays as it is, but for compensation", () => {
  for (const [from, to] of Object.entries(TASK_TRANSITIONS)) {
    if (isTerminalTask(from as keyof typeof TASK_TRANSITIONS)) expect(["", "COMPENSATED"], from).toContain(to.join());
    else expect(to, from).not.toContain("COMPENSATED");
  }
  expect(TASK_TRANSITIONS.SKIPPED).toEqual([]);
  for (const phase of ["COMPLETED", "FAILED", "CANCELED", "TERMINATED", "TIMED_OUT"] as const)
    expect(isTerminalPhase(phase)).toBe(true);
  for (const phase of ["QUEUED", "RUNNING", "CANCELING", "COMPENSATING"] as const)
    expect(PHASE_TRANSITIONS[phase]).toContain("TERMINATED");
});

test("every record leaves the live run with the state that folding the stored journal gives", async () => {
  await fc.assert(
    fc.asyncProperty(seeds, async (seed) => {
      const { plan, world } = await subjectOf(seed);
      drive(
        plan,
        world,
        {},
        { after: (run, _event, journal) => expect(foldJournal("run", storedAs(journal))).toEqual(run.state) },
      );
    }),
    RUNS,
  );
});

test("a run that is put together from its journal again and again makes the same records as one that never was", async () => {
  await fc.assert(
    fc.asyncProperty(seeds, async (seed) => {
      const { plan, world } = await subjectOf(seed);
      const random = createRandom(seed);
      const straight = drive(plan, world);
      const reopened = drive(plan, world, {}, { interrupt: () => (random.chance(0.4) ? "reopen" : null) });
      expect(reopened.journal).toEqual(straight.journal);
    }),
    RUNS,
  );
});

test("a run that is cut into turns of any size writes the same journal", async () => {
  let cuts = 0;
  await fc.assert(
    fc.asyncProperty(seeds, async (seed) => {
      const { plan, world } = await subjectOf(seed);
      const random = createRandom(seed);
      const straight = drive(plan, world);
      const turn = () => ({ work: random.int(1, 6), most: 5, steps: random.int(1, 1_000) });
      const cut = () => {
        cuts += 1;
        return null;
      };
      expect(drive(plan, world, {}, { turn, cut }).journal).toEqual(straight.journal);
      // One that is put together again in between may take what became free at one moment in another order.
      const reopened = drive(plan, world, {}, { turn, cut: () => (random.chance(0.3) ? "reopen" : null) });
      expect(reopened.run.state.phase).toBe(straight.run.state.phase);
      expect([...reopened.run.state.tasks.keys()].sort()).toEqual([...straight.run.state.tasks.keys()].sort());
    }),
    RUNS,
  );
  expect(cuts).toBeGreaterThan(300);
});

test("events that come while a run waits for its turn make legal moves and leave nothing undone", async () => {
  await fc.assert(
    fc.asyncProperty(seeds, async (seed) => {
      const { plan, world } = await subjectOf(seed);
      const random = createRandom(seed);
      const turn = () => ({ work: 1, most: 1, steps: 1_000_000 });
      const { journal, run } = drive(plan, world, {}, { turn, cut: () => (random.chance(0.3) ? "event" : null) });
      for (const move of movesOf(journal)) expectLegal(move);
      expect(foldJournal("run", storedAs(journal))).toEqual(run.state);
      // Put together anew it finds nothing that was left undone.
      const anew = openRun(foldJournal("run", storedAs(journal)), plan);
      expect(advance(anew, { type: "continue", at: run.state.updatedAt })).toEqual([]);
    }),
    RUNS,
  );
});

test("after crashes every result is still recorded once, and the journal folds", async () => {
  await fc.assert(
    fc.asyncProperty(seeds, async (seed) => {
      const { plan, world } = await subjectOf(seed);
      const random = createRandom(seed);
      let crashes = 0;
      const interrupt = (): "recover" | null => (crashes < 5 && random.chance(0.15) ? "recover" : null);
      const { journal, run } = drive(
        plan,
        world,
        {},
        { interrupt, after: (_run, event) => void (crashes += event.type === "recover" ? 1 : 0) },
      );
      const ends = journal.flatMap((record) =>
        ["task.completed", "task.failed", "task.skipped", "task.canceled"].includes(record.type) && "task" in record
          ? [record.task]
          : [],
      );
      expect(new Set(ends).size).toBe(ends.length);
      expect(foldJournal("run", storedAs(journal))).toEqual(run.state);
      const terminal = journal.filter((record) =>
        ["run.completed", "run.failed", "run.canceled", "run.terminated", "run.timed_out"].includes(record.type),
      );
      expect(terminal.length).toBeLessThanOrEqual(1);
      if (terminal.length === 1) expect(journal.at(-1)).toBe(terminal[0]);
      for (const move of movesOf(journal)) expectLegal(move);
    }),
    RUNS,
  );
});

test("a journal with a record lost, doubled or out of place is refused or makes legal moves only", async () => {
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(seeds, fc.constantFrom("lose", "double", "swap"), async (seed, how) => {
      const { plan, world } = await subjectOf(seed);
      const random = createRandom(seed);
      const journal = [...drive(plan, world).journal];
      const place = random.int(0, journal.length - 1);
      const [record, next] = journal.slice(place, place + 2);
      if (record === undefined) return;
      if (how === "lose") journal.splice(place, 1);
      else if (how === "double") journal.splice(place, 0, record);
      else if (next !== undefined) journal.splice(place, 2, next, record);
      try {
        for (const move of movesOf(journal)) expectLegal(move);
      } catch (cause) {
        if (!String(cause).includes("invariant")) throw cause;
        refused += 1;
      }
    }),
    RUNS,
  );
  expect(refused).toBeGreaterThan(RUNS.numRuns / 10);
});

/** Moves that a journal makes, as `task FROM TO` and `run FROM TO`. Throws when the machine refuses a record. */
function movesOf(journal: readonly JournalRecord[]): Set<string> {
  const moves = new Set<string>();
  const state = createState("run");
  for (const record of journal) {
    const phase = state.phase;
    const before = "task" in record ? (state.tasks.get(record.task)?.state ?? "PENDING") : null;
    applyRecord(state, record);
    if (state.phase !== phase) moves.add(`run ${phase} ${state.phase}`);
    const after = "task" in record ? (state.tasks.get(record.task)?.state ?? "PENDING") : null;
    if (before !== after) moves.add(`task ${before} ${after}`);
  }
  return moves;
}

function expectLegal(move: string): void {
  const [what, from = "", to = ""] = move.split(" ");
  const table: Record<string, readonly string[]> = what === "task" ? TASK_TRANSITIONS : PHASE_TRANSITIONS;
  expect(table[from], move).toContain(to);
}
