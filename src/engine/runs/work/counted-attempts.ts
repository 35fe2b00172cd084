/** Attempts of runs whose budgets limit steps or time. Those of other runs pass by. */
import { idempotencyKeyOf } from "../../machine/paths.ts";
import { countedBudgetsOf, type Run } from "../../machine/run.ts";
import { isTerminalPhase, type TaskState } from "../../machine/state.ts";
import { CALLBACK } from "../../machine/tasks/callbacks.ts";
import type { Admission, AttemptCost, AttemptMeter, BegunAttempt } from "../../ports/models/attempts.ts";

type Named = Pick<TaskState, "path" | "generation" | "attempt">;

/** Of an attempt that did not reach its tool. */
export const NO_COST: AttemptCost = { steps: 0, timeMs: 0 };

/** Counts them. */
export class CountedAttempts {
  readonly #meter: AttemptMeter | null;

  constructor(meter: AttemptMeter | null) {
    this.#meter = meter;
  }

  /** An attempt that is about to begin and is counted; null: it is not. Compensation is not. */
  find(run: Run, task: Named): BegunAttempt | null {
    return run.state.phase === "COMPENSATING" ? null : this.findBegun(run, task);
  }

  /** The same for one that may have begun. */
  findBegun(run: Run, { path, generation, attempt }: Named): BegunAttempt | null {
    if (this.#meter === null) return null;
    const { runId, tenantId } = run.state;
    const budgets = countedBudgetsOf(run);
    if (budgets.length === 0) return null;
    return { tenantId, runId, budgets, key: `${idempotencyKeyOf(runId, path, generation)}/attempt ${attempt}` };
  }

  /** Asks for leave for an attempt that this instance makes, and waits for it; rejects if `signal` aborts. */
  admit(attempt: BegunAttempt, mostMs: number | null, signal: AbortSignal): Promise<Admission> {
    return this.#admit({ ...attempt, mostMs, handedOut: false }, signal);
  }

  /** Asks for leave to hand an attempt out. */
  admitHandOut(attempt: BegunAttempt, mostMs: number | null): Promise<Admission> {
    return this.#admit({ ...attempt, mostMs, handedOut: true });
  }

  #admit(...given: Parameters<AttemptMeter["admit"]>): Promise<Admission> {
    return this.#meter?.admit(...given) ?? Promise.resolve({ ok: true, mostMs: null });
  }

  end(attempt: BegunAttempt, cost: AttemptCost): void {
    this.#meter?.end(attempt, cost);
  }

  /** The run was read: an earlier owner may have left attempts. */
  opened(run: Run): void {
    const { runId, tenantId, phase, tasks } = run.state;
    if (this.#meter === null || isTerminalPhase(phase)) return;
    const budgets = countedBudgetsOf(run);
    if (budgets.length === 0) return;
    const going = new Set<string>();
    for (const task of tasks.values()) {
      if (task.handedTo === null || task.handedTo === CALLBACK) continue;
      const found = this.findBegun(run, task);
      if (found !== null) going.add(found.key);
    }
    this.#meter.settleLost({ tenantId, runId, budgets }, going);
  }
}
