/**
 * What runs around the engine: attempts of tools, workers and child runs, with the time and the event of what comes
 * next of each.
 */
import type { Outcome as AttemptOutcome } from "../../src/engine/machine/events.ts";
import type { JournalRecord } from "../../src/engine/machine/records.ts";
import { mayBegin, type Run, specOf } from "../../src/engine/machine/run.ts";
import type { TaskState } from "../../src/engine/machine/state.ts";
import { timeoutsOf } from "../../src/engine/machine/tasks/limits.ts";
import type { Json, JsonMap } from "../oracle/document.ts";
import { scriptOf, type World } from "../oracle/world.ts";
import { type Attempt, type AttemptEvent, earliest, failure, outcomeOf } from "./engine-attempt.ts";
import { followWorker, stopWorker } from "./engine-workers.ts";

/**
 * Does what the runtime does when the last record of `journal` is durable: begins attempts, tells them to stop, forgets
 * them.
 */
export function followRecord(
  run: Run,
  world: World,
  attempts: Map<string, Attempt>,
  journal: readonly JournalRecord[],
  now: number,
): void {
  const record = journal.at(-1);
  if (record !== undefined && followWorker(run, world, attempts, record, journal, now)) return;
  switch (record?.type) {
    case "task.dispatched": {
      const task = run.state.tasks.get(record.task);
      if (task === undefined || task.token !== journal.length || task.state !== "RUNNING") return;
      const calls = journal.filter(
        (other) => other.type === "task.dispatched" && other.task === record.task && other.attempt === record.attempt,
      );
      attempts.set(record.task, beginAttempt(run, world, task, calls.length, now));
      return;
    }
    case "task.waiting": {
      const task = run.state.tasks.get(record.task);
      if (record.wait.kind === "run" && task?.state === "WAITING")
        attempts.set(record.task, beginChild(world, task, record.wait.runId, now));
      return;
    }
    case "task.canceled":
    case "task.completed":
    case "task.retrying":
    case "task.failed":
      attempts.delete(record.task);
      return;
    case "run.ending":
      for (const [path, attempt] of attempts) tellToStop(run, world, path, attempt, journal, now);
      return;
    case "run.terminated":
      attempts.clear();
      return;
    default:
  }
}

/** The attempt of which something comes first. Under a hold nothing is handed over. */
export function nextAttempt(run: Run, attempts: ReadonlyMap<string, Attempt>): [string, Attempt] | [string, undefined] {
  const held = !mayBegin(run);
  let best: [string, Attempt] | [string, undefined] = ["", undefined];
  for (const [path, attempt] of attempts) {
    if (held && attempt.end.type === "hand_over") continue;
    if (attempt.at !== null && attempt.at < (best[1]?.at ?? Number.POSITIVE_INFINITY)) best = [path, attempt];
  }
  return best;
}

/** An attempt that begins now, for the `calls`-th time. */
function beginAttempt(run: Run, world: World, task: TaskState, calls: number, now: number): Attempt {
  const script = scriptOf(world, task.path, task.attempt);
  const deferred = script.deferred !== undefined && calls <= script.deferred.times;
  const reportsAt = script.end.kind === "never" && !deferred ? null : now + script.durationMs;
  const { startToCloseMs, scheduleToCloseMs, heartbeatMs } = timeoutsOf(specOf(run, task.path), task.limits);
  const startToClose = startToCloseMs === null ? null : now + startToCloseMs;
  const scheduleToClose = scheduleToCloseMs === null ? null : Math.max(now, task.scheduledAt + scheduleToCloseMs);
  const quietAfterMs = script.quietAfterMs ?? (reportsAt === null ? 0 : null);
  const silentAt = heartbeatMs === null || quietAfterMs === null ? null : now + quietAfterMs + heartbeatMs;
  const closesAt = earliest(silentAt, earliest(startToClose, scheduleToClose));
  if (closesAt !== null && (reportsAt === null || closesAt < reportsAt)) {
    const total = closesAt === scheduleToClose;
    if (closesAt === silentAt) return { at: closesAt, end: reported(task, failure("HEARTBEAT_TIMEOUT", true)) };
    return { at: closesAt, end: reported(task, failure(total ? "SCHEDULE_TO_CLOSE_TIMEOUT" : "TIMEOUT", !total)) };
  }
  const outcome = deferred
    ? { ...failure("BUSY", true, {}, script.deferred?.noEffect), deferMs: script.deferred?.forMs ?? 0 }
    : outcomeOf(script, (task.input as JsonMap | undefined)?.output ?? null);
  return { at: reportsAt, end: reported(task, outcome) };
}

function reported(task: TaskState, outcome: AttemptOutcome): AttemptEvent {
  return { type: "reported", task: task.path, token: task.token, outcome };
}

function beginChild(world: World, task: TaskState, runId: string, now: number): Attempt {
  const { end, durationMs } = scriptOf(world, task.path, task.attempt);
  const output: Json = end.kind === "output" ? end.output : ((task.input as JsonMap | undefined)?.input ?? null);
  if (end.kind !== "error") {
    const at = end.kind === "never" ? null : now + durationMs;
    return { at, end: { type: "child", task: task.path, runId, end: { phase: "COMPLETED", output, error: null } } };
  }
  const phase = end.type === "CANCELED" ? "CANCELED" : "FAILED";
  return {
    at: now + durationMs,
    end: { type: "child", task: task.path, runId, end: { phase, output: null, error: null } },
  };
}

function tellToStop(
  run: Run,
  world: World,
  path: string,
  attempt: Attempt,
  journal: readonly JournalRecord[],
  now: number,
): void {
  if (attempt.handedAt !== undefined) {
    stopWorker(run, world, path, attempt, journal, now);
    return;
  }
  const { stopsAfterMs } = scriptOf(world, path, run.state.tasks.get(path)?.attempt ?? 1);
  if (stopsAfterMs === undefined || (attempt.at !== null && attempt.at <= now + stopsAfterMs)) return;
  attempt.at = now + stopsAfterMs;
  if (attempt.end.type === "reported") attempt.end = { ...attempt.end, outcome: failure("CANCELED", false) };
  else if (attempt.end.type === "child")
    attempt.end = { ...attempt.end, end: { phase: "CANCELED", output: null, error: null } };
}
