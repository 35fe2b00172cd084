/**
 * Begins and ends tasks: pure functions from a run to records, shared by DAG and FSM flows, groups, and compensation.
 */

import { childRunId } from "../../../base/ids.ts";
import type { Json, JsonObject } from "../../../base/json/json.ts";
import { parseDurationMs } from "../../../base/time/duration.ts";
import { parseInstantMs, TIME_FORM } from "../../../base/time/rfc3339.ts";
import type { TaskLimits, TaskSpec } from "../../../flows/plan.ts";
import type { ChildEnd, EvaluationResult, Need, Outcome } from "../events.ts";
import type { JournalRecord, TaskError } from "../records.ts";
import { type Run, specOf } from "../run.ts";
import type { TaskState } from "../state.ts";
import { expireHandout, isDoneThen, scheduleAgain, startsBy } from "./handouts.ts";
import { lacksSlot } from "./limit-slots.ts";
import { askAgain, askFirst, expireSlot } from "./limit-waits.ts";
import { timeoutsOf, withLimits } from "./limits.ts";
import { failTask, ownError, type Step, withFirst } from "./outcomes.ts";
import { expireApproval, suspendTask } from "./questions.ts";
import { deferTask, retryOrFail } from "./retries.ts";
import { isEnded } from "./task-ends.ts";

/** Maximum number of children of a `map`. */
const MAX_MAP_ITEMS = 10_000;

/** Maximum number of unread signals of one name in a run. */
export const MAX_QUEUED_SIGNALS = 10_000;

/**
 * Begins a task whose dependencies allow it. Its parameters are evaluated first, except for `parallel`, which has none.
 */
export function beginTask(path: string, spec: TaskSpec, first: string | null, at: number): Step {
  if (spec.type === "parallel" && spec.limits.length === 0)
    return { records: [expand(spec, path, spec.children?.length ?? 0, at, first, null)] };
  return { need: { kind: "task", path, first } };
}

/** Returns the records that follow when the parameters of a task are known. */
export function decideTaskEvaluated(
  run: Run,
  need: Extract<Need, { kind: "task" }>,
  result: EvaluationResult,
  at: number,
  mayLeave = true,
): JournalRecord[] {
  const { path } = need;
  const spec = specOf(run, path);
  if (!result.ok) return [failTask(spec, path, result.error, at, { first: need.first })];
  const { value: input, limits = null } = result;
  const first = { ...withFirst(need.first), ...withLimits(limits) };
  switch (spec.type) {
    case "condition":
      return [{ type: "task.completed", at, task: path, output: { result: input }, ...withFirst(need.first) }];
    case "transform":
      return [
        {
          type: "task.completed",
          at,
          task: path,
          output: (input as JsonObject).output ?? null,
          ...withFirst(need.first),
        },
      ];
    case "parallel":
      return [expand(spec, path, spec.children?.length ?? 0, at, need.first, limits)];
    case "map":
      return expandMap(spec, path, input, at, need.first, limits);
    case "wait":
      return beginWait(spec, path, input as JsonObject, at, withFirst(need.first));
    case "signal":
      return beginSignal(run, spec, path, input as JsonObject, at, need.first, limits);
    case "approval":
      return [
        {
          type: "task.waiting",
          at,
          task: path,
          wait: { kind: "approval" },
          input,
          dueAt: dueAfter(spec, at, limits),
          ...first,
        },
      ];
    case "subflow":
      return [beginChildRun(run, spec, path, input, at, need.first, limits)];
    default:
      if (spec.limit !== undefined || result.serviceLimit !== undefined)
        return [{ ...askFirst(spec, path, result, limits, at), input, ...first }];
      if (isDoneThen(spec) && mayLeave)
        return [{ type: "task.completed", at, task: path, input, output: null, ...withFirst(need.first) }];
      if (spec.carrier !== undefined) {
        const due = startsBy(spec, limits, at, at);
        return [{ type: "task.scheduled", at, task: path, attempt: 1, input, ...due, ...first }];
      }
      return [{ type: "task.dispatched", at, task: path, attempt: 1, input, ...first }];
  }
}

function expandMap(
  spec: TaskSpec,
  path: string,
  items: Json,
  at: number,
  first: string | null,
  limits: TaskLimits | null,
): JournalRecord[] {
  if (!Array.isArray(items)) {
    const error = ownError(
      "MAP_ITEMS_INVALID",
      `items must be an array, it is ${items === null ? "null" : typeof items}`,
    );
    return [failTask(spec, path, error, at, { first })];
  }
  if (items.length > MAX_MAP_ITEMS) {
    return [
      failTask(
        spec,
        path,
        ownError("MAP_TOO_LARGE", `items has ${items.length} elements; the limit is ${MAX_MAP_ITEMS}`),
        at,
        { first },
      ),
    ];
  }
  return [{ ...expand(spec, path, items.length, at, first, limits), items: items as Json[] }];
}

function expand(
  spec: TaskSpec,
  path: string,
  count: number,
  at: number,
  first: string | null,
  limits: TaskLimits | null,
) {
  const dueAt = dueAfter(spec, at, limits);
  return {
    type: "task.expanded",
    at,
    task: path,
    count,
    ...(dueAt === null ? {} : { dueAt }),
    ...withFirst(first),
    ...withLimits(limits),
  } as const;
}

function beginWait(
  spec: TaskSpec,
  path: string,
  input: JsonObject,
  at: number,
  first: { first?: string },
): JournalRecord[] {
  let dueAt: number;
  try {
    dueAt =
      input.until !== undefined ? parseInstant(input.until) : at + parseDurationMs(input.duration as number | string);
  } catch (error) {
    return [failTask(spec, path, ownError("WAIT_INVALID", (error as Error).message), at, first)];
  }
  if (dueAt <= at) return [{ type: "task.completed", at, task: path, input, output: null, ...first }];
  return [{ type: "task.waiting", at, task: path, wait: { kind: "timer" }, input, dueAt, ...first }];
}

function parseInstant(value: Json): number {
  const at = typeof value === "string" ? parseInstantMs(value) : undefined;
  if (at === undefined) throw new Error(`until: expected ${TIME_FORM}, got ${JSON.stringify(value)}`);
  return at;
}

function beginSignal(
  run: Run,
  spec: TaskSpec,
  path: string,
  input: JsonObject,
  at: number,
  first: string | null,
  limits: TaskLimits | null,
): JournalRecord[] {
  const name = typeof input.name === "string" ? input.name : spec.id;
  const queued = run.state.signals.find((signal) => signal.name === name);
  if (queued !== undefined) {
    return [
      { type: "signal.consumed", at, id: queued.id, name: queued.name, task: path },
      { type: "task.completed", at, task: path, input, output: queued.payload, ...withFirst(first) },
    ];
  }
  return [
    {
      type: "task.waiting",
      at,
      task: path,
      wait: { kind: "signal", name },
      input,
      dueAt: dueAfter(spec, at, limits),
      ...withFirst(first),
      ...withLimits(limits),
    },
  ];
}

function beginChildRun(
  run: Run,
  spec: TaskSpec,
  path: string,
  input: Json,
  at: number,
  first: string | null,
  limits: TaskLimits | null,
): JournalRecord {
  const attempt = (run.state.tasks.get(path)?.attempt ?? 0) + 1;
  const runId = childRunId(run.state.runId, path, attempt);
  return {
    type: "task.waiting",
    at,
    task: path,
    wait: { kind: "run", runId },
    input,
    dueAt: dueAfter(spec, at, limits),
    ...withFirst(first),
    ...withLimits(limits),
  };
}

function dueAfter(spec: TaskSpec, at: number, limits: TaskLimits | null): number | null {
  const { startToCloseMs, scheduleToCloseMs } = timeoutsOf(spec, limits);
  const ends = [startToCloseMs, scheduleToCloseMs].filter((ms) => ms !== null);
  return ends.length === 0 ? null : at + Math.min(...ends);
}

/** Returns the records that follow the end of an attempt: completed, retried later, or failed for good. */
export function decideReported(run: Run, path: string, outcome: Outcome, at: number, random: number): JournalRecord[] {
  const task = run.state.tasks.get(path);
  if (task === undefined || isEnded(task)) return [];
  const took = outcome.tookMs === undefined ? {} : { tookMs: outcome.tookMs };
  if (outcome.ok) return [{ type: "task.completed", at, task: path, output: outcome.output, ...took }];
  const spec = specOf(run, path);
  if (outcome.suspended !== undefined) {
    if (run.state.phase === "CANCELING") return [cancelTask(path, outcome.error, at)];
    return suspendTask(run, task, outcome.suspended, at);
  }
  if (outcome.deferMs !== undefined) {
    if (run.state.phase === "CANCELING") return [cancelTask(path, outcome.error, at)];
    return [deferTask(spec, task, outcome.error, at + outcome.deferMs, at)];
  }
  const end = { ...retryOrFail(spec, task, outcome.error, at, random), ...took };
  const givenUp = outcome.error.type === "CANCELED" || end.type === "task.retrying";
  return [run.state.phase === "CANCELING" && givenUp ? cancelTask(path, outcome.error, at) : end];
}

/** Returns the end of a task whose attempt reported `error` after the run began to end. */
function cancelTask(path: string, error: TaskError, at: number): JournalRecord {
  return { type: "task.canceled", at, task: path, ...(error.noEffect === true ? { noEffect: true } : {}) };
}

/** Returns the records that follow the end of a child run. */
export function decideChild(
  run: Run,
  path: string,
  runId: string,
  end: ChildEnd,
  at: number,
  random: number,
): JournalRecord[] {
  const task = run.state.tasks.get(path);
  if (task?.wait?.kind !== "run" || task.wait.runId !== runId || task.state !== "WAITING") return [];
  if (end.phase === "COMPLETED") return [{ type: "task.completed", at, task: path, output: end.output }];
  if (run.state.phase === "CANCELING") return [{ type: "task.canceled", at, task: path }];
  const spec = specOf(run, path);
  const type = end.phase === "CANCELED" || end.phase === "TERMINATED" ? "CHILD_RUN_CANCELED" : "CHILD_RUN_FAILED";
  const detail = end.error === null ? end.phase.toLowerCase() : `${end.error.type}: ${end.error.message}`;
  const error: TaskError = { type, message: `run ${runId} ended ${end.phase}: ${detail}`, retryable: true };
  return [retryOrFail(spec, task, error, at, random)];
}

/** Returns the records that follow when the wait or the retry delay of a task is over. */
export function decideTaskDue(run: Run, task: TaskState, at: number, random: number): JournalRecord[] {
  const spec = specOf(run, task.path);
  const { path } = task;
  if (task.state === "RETRYING") {
    if (spec.type === "subflow") return [beginChildRun(run, spec, path, task.input ?? null, at, null, task.limits)];
    if (spec.limit !== undefined || task.limitSlot !== null) return [askAgain(run, task, task.attempt + 1, at)];
    if (spec.effect === "remote") return [scheduleAgain(run, task, at)];
    return [{ type: "task.dispatched", at, task: path, attempt: task.attempt + 1 }];
  }
  if (lacksSlot(task)) return [expireSlot(spec, task, at)];
  if (task.state === "SCHEDULED" || task.handedTo !== null) {
    const end = expireHandout(spec, task, at, random);
    return [run.state.phase === "CANCELING" && end.type === "task.retrying" ? cancelTask(path, end.error, at) : end];
  }
  switch (task.wait?.kind) {
    case "timer":
      return [{ type: "task.completed", at, task: path, output: null }];
    case "signal":
      return [
        failTask(spec, path, ownError("SIGNAL_TIMEOUT", `no signal ${task.wait.name} arrived in time`), at, {
          timedOut: true,
        }),
      ];
    case "approval":
      return expireApproval(run, task, at);
    case "run": {
      const message = `run ${task.wait.runId} did not end in time`;
      const end = retryOrFail(spec, task, { type: "TIMEOUT", message, retryable: true }, at, random);
      if (run.state.phase === "CANCELING" && end.type === "task.retrying")
        return [{ type: "task.canceled", at, task: path }];
      return [end];
    }
    default:
      return [];
  }
}
