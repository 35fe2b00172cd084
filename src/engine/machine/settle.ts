/**
 * Advances a run as far as possible without outside input: the loop around the machine that evaluates needs and absorbs
 * records.
 */

import type { JsonObject } from "../../base/json/json.ts";
import { setCurrentRun } from "../../base/process/current-run.ts";
import { failPoint } from "../../base/process/fail-points.ts";
import { spentSteps } from "../../flows/expressions/values/meter.ts";
import { isSilent } from "../../tasks/addresses.ts";
import type { Carrier, TaskType } from "../../tasks/define.ts";
import { TASK_TYPES } from "../../tasks/index.ts";
import { decide, nextStep } from "./decide.ts";
import { evaluateNeed, judgeSent } from "./evaluate.ts";
import type { EvaluationResult, Need, RunEvent } from "./events.ts";
import { attemptOf, type JournalRecord } from "./records.ts";
import { absorb, type Run, specOf } from "./run.ts";
import type { TaskGate } from "./tasks/task-gate.ts";

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

/** Gives what a run needs to know; see {@link evaluateNeed}. */
export type AnswerNeed = (run: Run, need: Need) => EvaluationResult;

/** What a run cannot know of its surroundings. */
export interface Surroundings {
  /** Whether a carrier takes nothing for a place for now; null: all take everything. */
  readonly closed?: ((carrier: Carrier, place: string) => boolean) | null;
  /** Name of the limit under which a service is called; null: none. Absent: no service has one. */
  readonly serviceLimit?: (tenantId: string, service: string) => string | null;
  /** Evaluates; absent: the templates of the flow do. */
  readonly answer?: AnswerNeed;
  /** Judges what tasks send; absent: nobody does. */
  readonly gate?: TaskGate;
}

const NOTHING: Surroundings = {};

/**
 * Feeds `event` to the run and settles it, as far as the time slice allows. If `run.unsettled` is set afterwards, a
 * `continue` event resumes the work. Returns all resulting records, in order; the run has absorbed them. Synchronous,
 * no I/O.
 */
export function advance(run: Run, event: RunEvent, slice: TimeSlice = ENDLESS, around = NOTHING): JournalRecord[] {
  const { runId } = run.state;
  const before = setCurrentRun(runId);
  try {
    failPoint("run.decide", runId);
    const records: JournalRecord[] = [];
    run.now = event.at;
    take(run, decide(run, event), records, event.type === "reported" ? event.task : null);
    // A run that waits for its time slice does not get one because more events arrive.
    if (!run.unsettled || event.type === "continue") settle(run, event.at, records, slice, around);
    return records;
  } finally {
    setCurrentRun(before);
  }
}

/** Takes the steps that follow from the state alone, until there are none left or the time slice is used up. */
function settle(run: Run, at: number, records: JournalRecord[], slice: TimeSlice, around: Surroundings): void {
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
      const result = withServiceLimit(run, step.need, answerNeed(run, step.need, around), around);
      const mayLeave = !isClosed(run, step.need, result, around);
      take(run, decide(run, { type: "evaluated", at, need: step.need, result, mayLeave }), records);
    }
    work += 1 + records.length - made;
  }
  slice.work -= work;
  slice.steps -= spentSteps() - before;
}

function answerNeed(run: Run, need: Need, { answer, gate }: Surroundings): EvaluationResult {
  const result = answer === undefined ? evaluateNeed(run, need, gate) : answer(run, need);
  return gate === undefined ? result : judgeSent(run, need, result, gate);
}

/** A task has one limit, so that its own comes first. */
function withServiceLimit(run: Run, need: Need, result: EvaluationResult, { serviceLimit }: Surroundings) {
  if (serviceLimit === undefined || need.kind !== "task" || !result.ok) return result;
  const { type, limit } = specOf(run, need.path);
  if (type !== "http" || limit !== undefined) return result;
  const { service } = result.value as JsonObject;
  const name = typeof service === "string" ? serviceLimit(run.state.tenantId, service) : null;
  return name === null ? result : { ...result, serviceLimit: name };
}

function isClosed(run: Run, need: Need, result: EvaluationResult, { closed = null }: Surroundings): boolean {
  if (closed === null || need.kind !== "task" || !result.ok) return false;
  const { type, carrier } = specOf(run, need.path);
  const { leaving }: TaskType = TASK_TYPES[type];
  if (carrier === undefined || leaving === undefined) return false;
  return closed(carrier, leaving.toWork(result.value as JsonObject).destination);
}

/** `reported`: the task whose holder said what is made of it; null: nobody did. */
function take(
  run: Run,
  made: readonly JournalRecord[],
  records: JournalRecord[],
  reported: string | null = null,
): void {
  for (const plain of made) {
    const record = withRecalled(run, withAttempt(run, plain), reported);
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

/** Returns the record with what it takes back from a place where nobody would notice. */
function withRecalled({ state }: Run, record: JournalRecord, reported: string | null): JournalRecord {
  switch (record.type) {
    case "task.completed":
    case "task.retrying":
    case "task.failed":
    case "task.canceled": {
      const { handedTo: from = null, token = 0 } = state.tasks.get(record.task) ?? {};
      if (from === null || !isSilent(from) || record.task === reported) return record;
      return { ...record, recalled: { from, token } };
    }
    default:
      return record;
  }
}
