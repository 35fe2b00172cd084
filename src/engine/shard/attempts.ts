/**
 * Attempts: calls of tools that this instance makes for runs in memory.
 *
 *   dispatched (durable) → running ──outcome──→ reported
 *                             ├── start-to-close, schedule-to-close or heartbeat passed → reported as a timeout, told to stop
 *                             └── task ended otherwise, run ending, shard lost → told to stop; its outcome counts only while the run is being cancelled
 */
import { toError } from "../../base/errors.ts";
import { failPoint } from "../../base/process/fail-points.ts";
import { startLongTimer } from "../../base/time/long-timer.ts";
import type { Outcome, RunEvent } from "../machine/events.ts";
import { closesAt, timeoutsOf } from "../machine/tasks/limits.ts";
import { idempotencyKeyOf } from "../machine/paths.ts";
import { specOf } from "../machine/run.ts";
import { limitOutcome } from "../machine/sizes.ts";
import type { ToolCaller } from "../ports/tools.ts";
import type { Attempt, Cell } from "./cell.ts";

/** What attempts need of the runtime. */
export interface AttemptHost {
  readonly parts: { readonly tools: ToolCaller; readonly defaultTaskTimeoutMs?: number | null };
  now(): number;
  /** Milliseconds until the database's clock certainly shows `at`. */
  until(at: number): number;
  post(cell: Cell, event: RunEvent): void;
}

/** Makes the attempt that the record with sequence `token` dispatched, unless memory has gone on since and it is no longer wanted. */
export function beginAttempt(host: AttemptHost, cell: Cell, path: string, token: number): void {
  const { run } = cell;
  const task = run.state.tasks.get(path);
  if (task === undefined || task.token !== token || task.state !== "RUNNING") return;
  const spec = specOf(run, path);
  const timeouts = timeoutsOf(spec, task.limits);
  const { heartbeatMs } = timeouts;
  // Graphs have a limit of their own, that of their workers.
  const defaultMs = spec.type === "graph" ? null : host.parts.defaultTaskTimeoutMs;
  const startToCloseMs = timeouts.startToCloseMs ?? defaultMs ?? null;
  const closeAt = closesAt(spec, task);
  const closesInMs = closeAt === null ? null : Math.max(0, host.until(closeAt));
  const closes = closesInMs !== null && (startToCloseMs === null || closesInMs < startToCloseMs);
  const timeoutMs = closes ? closesInMs : startToCloseMs;
  const attempt: Attempt = { token, abort: new AbortController(), timer: null, heartbeatTimer: null };
  const report = (outcome: Outcome): void => {
    if (cell.attempts.get(path) !== attempt) return;
    cell.attempts.delete(path);
    stopTimers(attempt);
    failPoint("attempt.after", cell.runId);
    host.post(cell, {
      type: "reported",
      at: host.now(),
      task: path,
      token,
      outcome: limitOutcome(outcome),
      random: Math.random(),
    });
  };
  const expire = (type: string, message: string, retryable: boolean): void => {
    report({ ok: false, error: { type, message, retryable } });
    attempt.abort.abort(toError("DEADLINE_EXCEEDED"));
  };
  if (timeoutMs !== null) {
    const type = closes ? "SCHEDULE_TO_CLOSE_TIMEOUT" : "TIMEOUT";
    const late = (): void => expire(type, `the attempt took longer than ${timeoutMs} ms`, !closes);
    attempt.timer = startLongTimer(timeoutMs, late);
  }
  if (heartbeatMs !== null) {
    const silent = (): void => expire("HEARTBEAT_TIMEOUT", `the attempt said nothing for ${heartbeatMs} ms`, true);
    attempt.heartbeatTimer = startLongTimer(heartbeatMs, silent);
  }
  cell.attempts.set(path, attempt);
  failPoint("attempt.before", cell.runId);
  host.parts.tools
    .call(
      {
        runId: cell.runId,
        tenantId: run.state.tenantId,
        flowId: run.state.flowId,
        correlationId: run.state.facts.correlationId,
        path,
        type: spec.type,
        input: task.input ?? null,
        attempt: task.attempt,
        waitedMs: Math.max(0, host.now() - task.readyAt),
        idempotencyKey: idempotencyKeyOf(cell.runId, path, task.generation),
        fencingToken: token,
        answer: task.answer,
        timeoutMs,
        heartbeat: attempt.heartbeatTimer === null ? undefined : () => attempt.heartbeatTimer?.restart(),
      },
      attempt.abort,
    )
    .then(report, (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      report({ ok: false, error: { type: "INTERNAL", message, retryable: true } });
    });
}

/** Tells an attempt to stop. With `awaited` its report still counts; otherwise it is forgotten. */
export function abortAttempt(cell: Cell, path: string, awaited = false): void {
  const attempt = cell.attempts.get(path);
  if (attempt === undefined) return;
  if (!awaited) {
    cell.attempts.delete(path);
    stopTimers(attempt);
  }
  attempt.abort.abort(toError("REQUEST_CANCELLED"));
}

/** Tells every attempt of a run to stop and forgets them. */
export function abortAttempts(cell: Cell): void {
  for (const path of [...cell.attempts.keys()]) abortAttempt(cell, path);
}

function stopTimers(attempt: Attempt): void {
  attempt.timer?.stop();
  attempt.heartbeatTimer?.stop();
}
