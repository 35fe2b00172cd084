/**
 * Advances a run as far as possible without outside input: the loop around the machine that evaluates needs and absorbs
 * records.
 */

import { setCurrentRun } from "../../base/process/current-run.ts";
import { failPoint } from "../../base/process/fail-points.ts";
import { spentSteps } from "../../flows/expressions/values/meter.ts";
import type { Carrier } from "../../tasks/define.ts";
import { decide, nextStep } from "./decide.ts";
import { evaluateNeed } from "./evaluate.ts";
import type { Need, RunEvent } from "./events.ts";
import { attemptOf, type JournalRecord } from "./records.ts";
import { absorb, type Run, specOf } from "./run.ts";

/** How much work may be done before another run gets its time slice. Counted down as it is used. */
export interface TimeSlice {
  /** Steps of the machine and the records that they produce. */
  work: number;
  /** Maximum `work` for one run. */
  readonly most: number;
  /** Steps of expressions; a single value may push it below zero. */
  steps: number;
}

const ENDLESS: TimeSlice = {
  work: Number.POSITIVE_INFINITY,
  most: Number.POSITIVE_INFINITY,
  steps: Number.POSITIVE_INFINITY,
};

type Closed = ReadonlySet<Carrier>;
const NONE: Closed = new Set();

/**
 * Feeds `event` to the run and settles it, as far as the time slice allows. If `run.unsettled` is set afterwards, a
 * `continue` event resumes the work. Returns all resulting records, in order; the run has absorbed them. `closed`:
 * carriers that take nothing for now. Synchronous, no I/O.
 */
export function advance(run: Run, event: RunEvent, slice: TimeSlice = ENDLESS, closed = NONE): JournalRecord[] {
  const { runId } = run.state;
  const before = setCurrentRun(runId);
  try {
    failPoint("run.decide", runId);
    const records: JournalRecord[] = [];
    run.now = event.at;
    take(run, decide(run, event), records);
    // A run that waits for its time slice does not get one because more events arrive.
    if (!run.unsettled || event.type === "continue") settle(run, event.at, records, slice, closed);
    return records;
  } finally {
    setCurrentRun(before);
  }
}

/** Takes the steps that follow from the state alone, until there are none left or the time slice is used up. */
function settle(run: Run, at: number, records: JournalRecord[], slice: TimeSlice, closed: Closed): void {
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
      const mayLeave = closed.size === 0 || !isClosed(run, step.need, closed);
      take(run, decide(run, { type: "evaluated", at, need: step.need, result, mayLeave }), records);
    }
    work += 1 + records.length - made;
  }
  slice.work -= work;
  slice.steps -= spentSteps() - before;
}

function isClosed(run: Run, need: Need, closed: Closed): boolean {
  const carrier = need.kind === "task" ? specOf(run, need.path).carrier : undefined;
  return carrier !== undefined && closed.has(carrier);
}

function take(run: Run, made: readonly JournalRecord[], records: JournalRecord[]): void {
  for (const plain of made) {
    const record = withAttempt(run, plain);
    absorb(run, record);
    records.push(record);
  }
}

/** Returns the record with its attempt set, if the default would be wrong. */
function withAttempt({ state }: Run, record: JournalRecord): JournalRecord {
  switch (record.type) {
    case "task.started":
    case "task.returned":
    case "task.checkpointed":
    case "task.detached":
    case "task.waiting":
    case "task.completed":
    case "task.retrying":
    case "task.suspended":
    case "task.failed":
    case "task.canceled": {
      const before = state.tasks.get(record.task)?.attempt ?? 0;
      // A wait counts as an attempt.
      const attempt = record.type === "task.waiting" ? before + 1 : before;
      return attempt === attemptOf(record) ? record : { ...record, attempt };
    }
    default:
      return record;
  }
}
