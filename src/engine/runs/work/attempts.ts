/**
 * Attempts: tool calls of this instance for runs in memory.
 *
 *   dispatched (durable) → running ──outcome──→ reported
 *                             ├── start-to-close, schedule-to-close, or heartbeat timeout passed → reported as a
 *                             timeout, aborted
 *                             └── task ended otherwise, run ending, shard lost → aborted; its outcome counts only while
 *                             the run is being canceled
 */
import { toError } from "../../../base/errors.ts";
import { failPoint } from "../../../base/process/fail-points.ts";
import { startLongTimer } from "../../../base/time/long-timer.ts";
import type { Outcome } from "../../machine/events.ts";
import { idempotencyKeyOf } from "../../machine/paths.ts";
import { budgetsOf, specOf } from "../../machine/run.ts";
import { limitOutcome } from "../../machine/sizes.ts";
import { closesAt, timeoutsOf } from "../../machine/tasks/limits.ts";
import type { ToolCaller } from "../../ports/tools.ts";
import type { DatabaseClock } from "../../shard/ownership/database-clock.ts";
import type { Submission } from "../../shard/submission/submission.ts";
import type { RunCallbacks } from "../dispatch/callbacks.ts";
import type { Notes } from "../dispatch/notes.ts";
import type { Attempt, RunResident } from "../run-resident.ts";

export interface AttemptsParts {
  readonly tools: ToolCaller;
  readonly submission: Submission;
  readonly clock: DatabaseClock;
  /** Default start-to-close timeout, milliseconds; null: none. */
  readonly defaultTimeoutMs: number | null;
  readonly callbacks: Pick<RunCallbacks, "urlOf">;
  readonly notes: Pick<Notes, "tell">;
}

/** Runs attempts. */
export class Attempts {
  readonly #tools: ToolCaller;
  readonly #submission: Submission;
  readonly #clock: DatabaseClock;
  readonly #defaultTimeoutMs: number | null;
  readonly #callbacks: AttemptsParts["callbacks"];
  readonly #notes: AttemptsParts["notes"];

  constructor({ tools, submission, clock, defaultTimeoutMs, callbacks, notes }: AttemptsParts) {
    this.#callbacks = callbacks;
    this.#notes = notes;
    this.#tools = tools;
    this.#submission = submission;
    this.#clock = clock;
    this.#defaultTimeoutMs = defaultTimeoutMs;
  }

  /**
   * Starts the attempt that the record with sequence `token` dispatched, unless the run has moved on and no longer
   * needs it. `again`: an instance that is gone had begun it.
   */
  begin(resident: RunResident, path: string, token: number, again = false): void {
    const { id: runId, entity: run, work } = resident;
    const task = run.state.tasks.get(path);
    if (task === undefined || task.token !== token || task.state !== "RUNNING") return;
    const spec = specOf(run, path);
    const timeouts = timeoutsOf(spec, task.limits);
    const { heartbeatMs } = timeouts;
    // Graphs have a timeout of their own, that of their workers.
    const defaultMs = spec.type === "graph" ? null : this.#defaultTimeoutMs;
    const startToCloseMs = timeouts.startToCloseMs ?? defaultMs;
    const closeAt = closesAt(spec, task);
    const closesInMs = closeAt === null ? null : Math.max(0, this.#clock.until(closeAt));
    const closes = closesInMs !== null && (startToCloseMs === null || closesInMs < startToCloseMs);
    const timeoutMs = closes ? closesInMs : startToCloseMs;
    const attempt: Attempt = { token, abort: new AbortController(), timer: null, heartbeatTimer: null };
    const report = (outcome: Outcome): void => {
      if (work.attempts.get(path) !== attempt) return;
      work.attempts.delete(path);
      stopTimers(attempt);
      failPoint("attempt.after", runId);
      if (outcome.ok && spec.awaitsCallback === true) {
        this.#submission.post(resident, { type: "called", at: this.#clock.now(), task: path, token });
        return;
      }
      this.#submission.post(resident, {
        type: "reported",
        at: this.#clock.now(),
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
      const silent = (): void =>
        expire("HEARTBEAT_TIMEOUT", `the attempt sent no heartbeat for ${heartbeatMs} ms`, true);
      attempt.heartbeatTimer = startLongTimer(heartbeatMs, silent);
    }
    work.attempts.set(path, attempt);
    const source = { runId, path, attempt: task.attempt };
    failPoint("attempt.before", runId);
    const callbackUrl = spec.awaitsCallback === true ? this.#callbacks.urlOf(runId, task) : undefined;
    if (callbackUrl === null) {
      const message = "no URL is known at which a callback can arrive: set server.public_url";
      report({ ok: false, error: { type: "CALLBACK_URL_MISSING", message, retryable: true, noEffect: true } });
      return;
    }
    this.#tools
      .call(
        {
          runId,
          tenantId: run.state.tenantId,
          flowId: run.state.flowId,
          userId: run.state.facts.userId,
          budgets: budgetsOf(run),
          correlationId: run.state.facts.correlationId,
          path,
          type: spec.type,
          input: task.input ?? null,
          attempt: task.attempt,
          waitedMs: Math.max(0, this.#clock.now() - task.readyAt),
          idempotencyKey: idempotencyKeyOf(runId, path, task.generation),
          fencingToken: token,
          ...(callbackUrl === undefined ? {} : { callbackUrl }),
          answer: task.answer,
          repeats: again || task.error?.type === "ATTEMPT_LOST",
          tell: (note) => {
            if (work.attempts.get(path) === attempt) this.#notes.tell(source, this.#clock.now(), note);
          },
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

  /** Aborts an attempt. If `awaited`, its report still counts; otherwise it is ignored. */
  abort({ work }: RunResident, path: string, awaited = false): void {
    const attempt = work.attempts.get(path);
    if (attempt === undefined) return;
    if (!awaited) {
      work.attempts.delete(path);
      stopTimers(attempt);
    }
    attempt.abort.abort(toError("REQUEST_CANCELLED"));
  }

  /** Aborts every attempt of a run and ignores its report. */
  abortAll(resident: RunResident): void {
    for (const path of [...resident.work.attempts.keys()]) this.abort(resident, path);
  }
}

function stopTimers(attempt: Attempt): void {
  attempt.timer?.stop();
  attempt.heartbeatTimer?.stop();
}
