/** Moves a run as far as it goes by itself: the loop around the machine that evaluates needs and absorbs records. */

import { decide, nextStep } from "./decide.ts";
import { evaluateNeed } from "./evaluate.ts";
import type { RunEvent } from "./events.ts";
import type { JournalRecord } from "./records.ts";
import { absorb, type Run } from "./run.ts";

/** Feeds `event` to the run and settles it. Returns all records that came of it, in order; the run has absorbed them. Synchronous, no I/O. */
export function advance(run: Run, event: RunEvent): JournalRecord[] {
  const records: JournalRecord[] = [];
  take(run, decide(run, event), records);
  settle(run, event.at, records);
  return records;
}

/** Takes every step that follows from the state alone. */
export function settle(run: Run, at: number, records: JournalRecord[]): void {
  for (let step = nextStep(run, at); step !== null; step = nextStep(run, at)) {
    if ("records" in step) {
      take(run, step.records, records);
    } else {
      const result = evaluateNeed(run, step.need);
      take(run, decide(run, { type: "evaluated", at, need: step.need, result }), records);
    }
  }
}

function take(run: Run, made: readonly JournalRecord[], records: JournalRecord[]): void {
  for (const record of made) {
    absorb(run, record);
    records.push(record);
  }
}
