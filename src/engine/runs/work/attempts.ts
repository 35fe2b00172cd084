/**
 * Attempts: tool calls of this instance for runs in memory.
 *
 *   dispatched (durable) → (waits for its budget) → running ──outcome──→ reported
 *                             ├── start-to-close, schedule-to-close, or heartbeat timeout passed → reported as a
 *                             timeout, aborted
 *                             └── task ended otherwise, run ending, shard lost → aborted; its outcome counts only while
 *                             the run is being canceled
 */
import { toError } from "../../../base/errors.ts";
import { failPoint } from "../../../base/process/fail-points.ts";
import { startLongTimer } from "../../../base/time/long-timer.ts";
import { contextOfAttempt } from "../../../base/traces/run-trace.ts";
import type { TraceContext } from "../../../base/traces/trace-context.ts";
import type { Outcome } from "../../machine/events.ts";
import { idempotencyKeyOf } from "../../machine/paths.ts";
import { budgetsOf, mayBegin, specOf } from "../../machine/run.ts";
import { limitOutcome } from "../../machine/sizes.ts";
import type { RunState, TaskState } from "../../machine/state.ts";
import { closesAt, timeoutsOf } from "../../machine/tasks/limits.ts";
import type { AttemptCost, BegunAttempt } from "../../ports/models/attempts.ts";
import type { ToolCaller } from "../../ports/tools.ts";
import type { DatabaseClock } from "../../shard/ownership/database-clock.ts";
import type { Submission } from "../../shard/submission/submission.ts";
import type { RunCallbacks } from "../dispatch/callbacks.ts";
import type { Notes } from "../dispatch/notes.ts";
import type { Attempt, RunResident } from "../run-resident.ts";
import { type CountedAttempts, NO_COST } from "./counted-attempts.ts";

export interface AttemptsParts {
  readonly tools: ToolCaller;
  readonly submission: Submission;
  readonly clock: DatabaseClock;
  /** Default start-to-close timeout, milliseconds; null: none. */
  readonly defaultTimeoutMs: number | null;
  readonly callbacks: Pick<RunCallbacks, "urlOf">;
  readonly notes: Pick<Notes, "tell">;
  readonly counted: CountedAttempts;
}

/** Runs attempts. */
export class Attempts {
  readonly #tools: ToolCaller;
  readonly #submission: Submission;
  readonly #clock: DatabaseClock;
  readonly #defaultTimeoutMs: number | null;
  readonly #callbacks: AttemptsParts["callbacks"];
  readonly #notes: AttemptsParts["notes"];
  readonly #counted: CountedAttempts;

  constructor({ tools, submission, clock, defaultTimeoutMs, callbacks, notes, counted }: AttemptsParts) {
    this.#counted = counted;
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
    const leftMs = (): number | null => (closeAt === null ? null : Math.max(0, this.#clock.until(closeAt)));
    const attempt: Attempt = { token, abort: new AbortController(), timer: null, heartbeatTimer: null };
    const counted = this.#counted.find(run, task);
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
    work.attempts.set(path, attempt);
    const make = (budgetMs: number | null): void => {
      const closesInMs = leftMs();
      const closes = closesInMs !== null && (startToCloseMs === null || closesInMs < startToCloseMs);
      const timeoutMs = closes ? closesInMs : startToCloseMs;
      const isCut = budgetMs !== null && (timeoutMs === null || budgetMs < timeoutMs);
      const mostMs = isCut ? budgetMs : timeoutMs;
      if (mostMs !== null) {
        const type = closes ? "SCHEDULE_TO_CLOSE_TIMEOUT" : "TIMEOUT";
        const late = (): void => {
          if (!isCut) {
            expire(type, `the attempt took longer than ${mostMs} ms`, !closes);
            return;
          }
          report(putOff("BUDGET_EXHAUSTED", `the budget had time left for ${mostMs} ms`, false));
          attempt.abort.abort(toError("DEADLINE_EXCEEDED"));
        };
        attempt.timer = startLongTimer(mostMs, late);
      }
      if (heartbeatMs !== null) {
        const silent = (): void =>
          expire("HEARTBEAT_TIMEOUT", `the attempt sent no heartbeat for ${heartbeatMs} ms`, true);
        attempt.heartbeatTimer = startLongTimer(heartbeatMs, silent);
      }
      const begunAt = performance.now();
      const end = (outcome: Outcome): void => {
        if (counted !== null) this.#counted.end(counted, costOf(outcome, performance.now() - begunAt, budgetMs));
        report(outcome);
      };
      const source = { runId, path, attempt: task.attempt };
      const traceContext = tracerOf(run.state, task);
      failPoint("attempt.before", runId);
      const callbackUrl = spec.awaitsCallback === true ? this.#callbacks.urlOf(runId, task) : undefined;
      if (callbackUrl === null) {
        const message = "no URL is known at which a callback can arrive: set server.public_url";
        end({ ok: false, error: { type: "CALLBACK_URL_MISSING", message, retryable: true, noEffect: true } });
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
            hops: run.state.facts.hops,
            ...(traceContext === null ? {} : { traceContext }),
            path,
            taskId: spec.id,
            externalId: spec.externalId,
            type: spec.type,
            input: task.input ?? null,
            attempt: task.attempt,
            waitedMs: Math.max(0, this.#clock.now() - task.readyAt),
            idempotencyKey: idempotencyKeyOf(runId, path, task.generation),
            fencingToken: token,
            ...(callbackUrl === undefined ? {} : { callbackUrl }),
            answer: task.answer,
            ...(task.approvedCall === null ? {} : { approvedCall: task.approvedCall }),
            repeats: again || task.error?.type === "ATTEMPT_LOST",
            tell: (note) => {
              if (work.attempts.get(path) === attempt) this.#notes.tell(source, this.#clock.now(), note);
            },
            timeoutMs: mostMs,
            heartbeat: attempt.heartbeatTimer === null ? undefined : () => attempt.heartbeatTimer?.restart(),
          },
          attempt.abort,
        )
        .then(end, (error: unknown) => {
          const message = error instanceof Error ? error.message : String(error);
          end({ ok: false, error: { type: "INTERNAL", message, retryable: true } });
        });
    };
    if (counted === null) {
      make(null);
      return;
    }
    const closesInMs = leftMs();
    const waitsTooLong = (): void => report(putOff("BUDGET_IN_USE", "no attempt of the budget ended in time"));
    if (closesInMs !== null) attempt.timer = startLongTimer(closesInMs, waitsTooLong);
    const longest = [startToCloseMs, closesInMs].filter((ms) => ms !== null);
    const mostMs = longest.length === 0 ? null : Math.min(...longest);
    void this.#admit(resident, attempt, counted, mostMs).then((admitted) => {
      attempt.timer?.stop();
      attempt.timer = null;
      if (admitted.ok && work.attempts.get(path) === attempt) return make(admitted.mostMs);
      if (admitted.ok) this.#counted.end(counted, NO_COST);
      else report(admitted.outcome);
    });
  }

  /** Resolves when the attempt may begin, with what its budgets let it take, or with what is reported instead. */
  async #admit(
    { entity: run }: RunResident,
    { abort }: Attempt,
    counted: BegunAttempt,
    mostMs: number | null,
  ): Promise<
    { readonly ok: true; readonly mostMs: number | null } | { readonly ok: false; readonly outcome: Outcome }
  > {
    try {
      const admission = await this.#counted.admit(counted, mostMs, abort.signal);
      if (!admission.ok) return { ok: false, outcome: putOff(admission.type, admission.message) };
      if (mayBegin(run)) return admission;
      this.#counted.end(counted, NO_COST);
      return { ok: false, outcome: putOff("RUN_HELD", "the run was held while the attempt waited for its budget") };
    } catch {
      // Only the signal rejects.
      const message = "the attempt was canceled before it began";
      return {
        ok: false,
        outcome: { ok: false, error: { type: "CANCELED", message, retryable: false, noEffect: true } },
      };
    }
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

/** Computed when somebody asks: most attempts call nothing that does. Null: the run has no trace. */
function tracerOf(
  { runId, createdAt, facts: { trace } }: RunState,
  { path, generation, attempt }: TaskState,
): (() => TraceContext | null) | null {
  if (trace === undefined) return null;
  return () => contextOfAttempt({ runId, createdAt, trace }, { path, generation, attempt });
}

function stopTimers(attempt: Attempt): void {
  attempt.timer?.stop();
  attempt.heartbeatTimer?.stop();
}

/** Pause before an attempt asks its budget again, milliseconds. */
const ASK_AGAIN_MS = 500;

/** An attempt that did not begin, or that its budget has cut off: it is made again, and uses up no attempt. */
function putOff(type: string, message: string, noEffect = true): Outcome {
  return { ok: false, error: { type, message, retryable: true, noEffect }, deferMs: ASK_AGAIN_MS };
}

/** What an attempt took: no step if it waits before it has reached its tool, and no more time than it had. */
function costOf(outcome: Outcome, tookMs: number, budgetMs: number | null): AttemptCost {
  const waits = !outcome.ok && (outcome.deferMs !== undefined || outcome.suspended?.gate === true);
  if (waits && outcome.error.noEffect === true) return NO_COST;
  return { steps: 1, timeMs: Math.min(tookMs, budgetMs ?? Number.POSITIVE_INFINITY) };
}
