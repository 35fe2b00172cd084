/** Holds of a run and their ends. */
import type { RunEvent } from "../events.ts";
import type { JournalRecord } from "../records.ts";
import { mayBegin, type Run } from "../run.ts";
import { askForSlots, withdrawSlots } from "../tasks/limit-waits.ts";

/** Returns the records of a hold; tasks leave the lines of their limits unless the run may go on. */
export function decideHold(run: Run, { at, hold, by, why }: Extract<RunEvent, { type: "hold" }>): JournalRecord[] {
  const held: JournalRecord = { type: "run.held", at, hold, by, why };
  const holds = [...run.state.holds, { kind: hold, by, why, since: at }];
  return mayBegin(run, holds) ? [held] : [held, ...withdrawSlots(run, at)];
}

/** Returns the records of the end of a hold; tasks are in line again if it was the last one. */
export function decideRelease(
  run: Run,
  { at, hold, by, why }: Extract<RunEvent, { type: "release" }>,
): JournalRecord[] {
  const released: JournalRecord = { type: "run.released", at, hold, by, why };
  const rest = run.state.holds.filter(({ kind }) => kind !== hold);
  return mayBegin(run, rest) ? [released, ...askForSlots(run, at)] : [released];
}
