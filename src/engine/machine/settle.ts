/** Moves a run as far as it goes by itself: the loop around the machine that evaluates needs and absorbs records. */

import { failPoint } from "../../base/process/fail-points.ts";
import { takeInHand } from "../../base/process/in-hand.ts";
import { spentSteps } from "../../flows/expressions/values/meter.ts";
import { decide, nextStep } from "./decide.ts";
import { evaluateNeed } from "./evaluate.ts";
import type { RunEvent } from "./events.ts";
import { attemptOf, type JournalRecord } from "./records.ts";
import { absorb, type Run } from "./run.ts";

/** What may be done before another run goes on. Counted down as it is used. */
export interface TimeSlice {
  /** Steps of the machine and records that they make. */
  work: number;
  /** The most of `work` for one run. */
  readonly most: number;
  /** Steps of expressions; one value may go below zero. */
  steps: number;
}

const ENDLESS: TimeSlice = {
  work: Number.POSITIVE_INFINITY,
  most: Number.POSITIVE_INFINITY,
  steps: Number.POSITIVE_INFINITY,
};

/**
 * Feeds `event` to the run and settles it, as far as the slice goes; `run.unsettled` says that more is to come, by a `continue` event. Returns all records that
 * came of it, in order; the run has absorbed them. Synchronous, no I/O.
 */
export function advance(run: Run, event: RunEvent, slice: TimeSlice = ENDLESS): JournalRecord[] {
  const { runId } = run.state;
  const before = takeInHand(runId);
  try {
    failPoint("run.decide", runId);
    const records: JournalRecord[] = [];
    run.now = event.at;
    take(run, decide(run, event), records);
    // A run that waits for its slice gets none by having more happen to it.
    if (!run.unsettled || event.type === "continue") settle(run, event.at, records, slice);
    return records;
  } finally {
    takeInHand(before);
  }
}

/** Takes the steps that follow from the state alone, until there are no more or the slice is used up. */
function settle(run: Run, at: number, records: JournalRecord[], slice: TimeSlice): void {
  const most = Math.min(slice.work, slice.most);
  const before = spentSteps();
  let work = 0;
  for (;;) {
    run.unsettled = work >= most || spentSteps() - before >= slice.steps;
    if (run.unsettled) break;
    const step = nextStep(run, at);
    if (step === null) break;
    const made = records.length;
    if ("records" in step) {
      take(run, step.records, records);
    } else {
      const result = evaluateNeed(run, step.need);
      take(run, decide(run, { type: "evaluated", at, need: step.need, result }), records);
    }
    work += 1 + records.length - made;
  }
  slice.work -= work;
  slice.steps -= spentSteps() - before;
}

function take(run: Run, made: readonly JournalRecord[], records: JournalRecord[]): void {
  for (const plain of made) {
    const record = withAttempt(run, plain);
    absorb(run, record);
    records.push(record);
  }
}

/** The record with the attempt that it concerns, if it would say another. */
function withAttempt({ state }: Run, record: JournalRecord): JournalRecord {
  switch (record.type) {
    case "task.waiting":
    case "task.completed":
    case "task.retrying":
    case "task.suspended":
    case "task.failed":
    case "task.canceled": {
      const before = state.tasks.get(record.task)?.attempt ?? 0;
      // A wait is an attempt of its own.
      const attempt = record.type === "task.waiting" ? before + 1 : before;
      return attempt === attemptOf(record) ? record : { ...record, attempt };
    }
    default:
      return record;
  }
}
