/**
 * Questions of the gate in random flows: each is one open approval of a task that waits, uses up no attempt, and ends
 * with the attempt made again, or with a task that failed because of it, whatever interrupts the run.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { foldJournal } from "../../src/engine/machine/apply.ts";
import type { RunEvent } from "../../src/engine/machine/events.ts";
import { isCompensation } from "../../src/engine/machine/paths.ts";
import type { JournalRecord } from "../../src/engine/machine/records.ts";
import { type Run, specOf } from "../../src/engine/machine/run.ts";
import { isTerminalPhase } from "../../src/engine/machine/state.ts";
import { drive, storedAs } from "../differential/engine-adapter.ts";
import { createRandom } from "../oracle/random.ts";
import { RUNS, seeds, subjectOf } from "./cases.ts";

/** How long people have, milliseconds: sometimes shorter than what else the flow waits for. */
const TIMES_MS = [1, 500, 60_000];

const ERROR = { type: "GATE_ASKED", message: "the gate asks", retryable: true, noEffect: true } as const;

/** Turns ends of attempts into questions, and the end of their time into decisions, at random. */
function askAtRandom(seed: number): { event(event: RunEvent): RunEvent; look(run: Run): void } {
  const random = createRandom(seed);
  let run: Run | null = null;
  const event = (given: RunEvent): RunEvent => {
    if (run === null) return given;
    const { state } = run;
    if (given.type === "reported") {
      const task = state.tasks.get(given.task);
      const isHere = task?.state === "RUNNING" && task.handedTo === null;
      if (!isHere || specOf(run, given.task).effect !== "effectful" || random.next() < 0.5) return given;
      const timeoutMs = TIMES_MS[Math.floor(random.next() * TIMES_MS.length)] ?? null;
      const suspended = { key: `k${state.sequence}`, gate: true, wait: { kind: "approval" }, value: {} } as const;
      return { ...given, outcome: { ok: false, error: ERROR, suspended: { ...suspended, timeoutMs } } };
    }
    if (given.type === "due" && random.next() < 0.7) {
      const late = [...state.tasks.values()].find(
        ({ state: is, suspension, dueAt }) => is === "WAITING" && suspension?.gate === true && (dueAt ?? 0) <= given.at,
      );
      if (late === undefined) return given;
      const said = { by: "ada", comment: "", data: null };
      return { type: "decided", at: given.at, approval: late.token, approved: random.next() < 0.8, ...said };
    }
    return given;
  };
  return { event, look: (now) => (run = now) };
}

function expectAsked({ state }: Run): void {
  const asking = [...state.tasks.values()].filter((task) => task.state === "WAITING" && task.suspension?.gate === true);
  for (const { token, path } of asking)
    expect(state.approvals.get(token), path).toMatchObject({ state: "PENDING", task: path });
  for (const { id, task, state: is } of state.approvals.values())
    if (is === "PENDING") expect(state.tasks.get(task), task).toMatchObject({ state: "WAITING", token: id });
}

/** Returns how the questions of a journal ended, after checks of what followed each. */
function endsOf(journal: readonly JournalRecord[]): readonly string[] {
  return journal.flatMap((asked, index) => {
    if (asked.type !== "task.suspended" || asked.gate !== true) return [];
    const rest = journal.slice(index + 1);
    const isOfTask = (record: JournalRecord): boolean => "task" in record && record.task === asked.task;
    const [first, second] = rest.filter(isOfTask);
    if (first?.type !== "approval.ended") {
      if (first !== undefined) expect(first.type).toBe("task.canceled");
      return ["taken back"];
    }
    if (first.state === "APPROVED") {
      const again = rest.filter(isOfTask).find(({ type }) => type === "task.dispatched");
      if (again?.type === "task.dispatched") expect(again.attempt).toBe(asked.attempt ?? 1);
      return ["APPROVED"];
    }
    expect(second).toMatchObject({ type: "task.failed", error: { type: "GATE_DENIED" } });
    const isHandled = second?.type === "task.failed" && second.handled === true;
    if (!isHandled) expect("deadLetter" in (second ?? {})).toBe(isCompensation(asked.task));
    return [first.state];
  });
}

test("questions end as they are answered, and leave nothing open", async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(seeds, async (seed) => {
      const { plan, world } = await subjectOf(seed);
      const asking = askAtRandom(seed);
      const interrupts = createRandom(seed + 1);
      const { run, journal } = drive(
        plan,
        world,
        { event: asking.event },
        {
          interrupt: () => {
            const roll = interrupts.next();
            return roll < 0.05 ? "reopen" : roll < 0.1 ? "recover" : null;
          },
          before: asking.look,
          after: (now) => {
            asking.look(now);
            expectAsked(now);
          },
        },
      );
      expect(foldJournal("run", storedAs(journal))).toEqual(run.state);
      for (const end of endsOf(journal)) seen.set(end, (seen.get(end) ?? 0) + 1);
      if (isTerminalPhase(run.state.phase))
        expect([...run.state.approvals.values()].filter(({ state }) => state === "PENDING")).toEqual([]);
    }),
    RUNS,
  );
  expect([...seen.keys()].sort()).toEqual(["APPROVED", "EXPIRED", "REJECTED", "taken back"]);
});
