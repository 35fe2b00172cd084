/**
 * The ports of counted attempts: those of runs whose budgets limit steps or time. Each attempt asks before it begins,
 * and says how long it took.
 *
 *   admit → not now, or not before a raise: the attempt does not begin
 *         → admitted → the attempt → end with what it took
 */
import type { RunBudget } from "../../../flows/plan.ts";
import type { Budget, BudgetKey, BudgetLimits } from "./budgets.ts";

/** An attempt that is about to begin. */
export interface CountedAttempt {
  readonly tenantId: string;
  readonly runId: string;
  /** Those of the run and of the runs above it that limit steps or time; at least one. */
  readonly budgets: readonly RunBudget[];
  /** Idempotency key of the task, and the number of the attempt. */
  readonly key: string;
  /** Longest time that it may take, milliseconds; null: any. */
  readonly mostMs: number | null;
  /** Somebody outside makes it, and goes on when the instance dies. */
  readonly handedOut: boolean;
}

/** The budgets of an attempt that has ended. */
export type BegunAttempt = Omit<CountedAttempt, "mostMs" | "handedOut">;

/** Leave to begin, or why there is none. */
export type Admission =
  /** `mostMs`: how long the budgets let the attempt run, milliseconds; null: as long as it likes. */
  | { readonly ok: true; readonly mostMs: number | null }
  /** `isFinal`: the run is held until somebody raises the budget. */
  | { readonly ok: false; readonly isFinal: boolean; readonly type: string; readonly message: string };

/** What an attempt took. One that did not reach its tool takes no step. */
export interface AttemptCost {
  readonly steps: 0 | 1;
  readonly timeMs: number;
}

/** Counts attempts. */
export interface AttemptMeter {
  /** Asks for leave. With `signal`, waits while other attempts of the budget are under way; rejects if it aborts. */
  admit(attempt: CountedAttempt, signal?: AbortSignal): Promise<Admission>;
  /** An attempt has ended that was admitted, here or by an earlier owner of the run. */
  end(attempt: BegunAttempt, cost: AttemptCost): void;
  /**
   * The run was read. What an earlier owner has left of its budgets is charged in full, but for attempts that are
   * handed out: those of this run that go on have the keys `going`.
   */
  settleLost(run: Omit<BegunAttempt, "key">, going: ReadonlySet<string>): void;
}

/** An attempt that is under way, or was when its instance died. */
export interface OpenAttempt {
  readonly attemptId: string;
  readonly key: string;
  readonly tenantId: string;
  readonly runId: string;
  readonly reservedTimeMs: number;
  /** Ids of the runs whose budgets it is charged to. */
  readonly charged: readonly string[];
  readonly handedOut: boolean;
  /** Since it began, milliseconds. */
  readonly ageMs: number;
  /** Its run has ended. */
  readonly isRunOver: boolean;
}

/** What one transaction is about. */
export interface AttemptQuery {
  readonly budgets: readonly BudgetKey[];
  /** Budgets that are created where they do not exist yet. */
  readonly missing: readonly (BudgetKey & BudgetLimits)[];
  /** Attempts with these keys are looked up, and all that are charged to the budgets of these runs. */
  readonly keys: readonly string[];
  readonly chargedTo: readonly string[];
}

/** What it changes. */
export interface AttemptChanges {
  readonly budgets: readonly Budget[];
  readonly opened: readonly OpenAttempt[];
  /** Ids. */
  readonly ended: readonly string[];
  /** Runs that wait until somebody raises the budget. */
  readonly waiting: readonly (BudgetKey & { readonly runId: string })[];
}

/** Attempts that are under way. Transactions that share a budget run one after the other. */
export interface AttemptLedger {
  transact(
    query: AttemptQuery,
    decide: (budgets: readonly Budget[], open: readonly OpenAttempt[]) => AttemptChanges,
  ): Promise<void>;
}
