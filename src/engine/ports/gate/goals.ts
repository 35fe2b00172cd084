/** Goals: what is to be done, in words. */
import type { Json, JsonObject } from "../../../base/json/json.ts";
import type { Caller } from "../caller.ts";
import type { DraftEstimate } from "../generation/generations.ts";

/** How far a goal is. */
export type GoalStatus = "pending" | "processing" | "completed" | "failed" | "cancelled";

/** What begins first. */
export type GoalPriority = "low" | "medium" | "high" | "critical";

/** What a goal may cost. */
export interface GoalBudget {
  readonly maxCostMicros: number;
  readonly maxTimeSeconds: number;
  readonly maxTokens: number;
}

/** A goal without its context. Times are milliseconds since the epoch. */
export interface GoalView extends GoalBudget {
  readonly goalId: string;
  readonly tenantId: string;
  readonly goal: string;
  readonly status: GoalStatus;
  readonly priority: GoalPriority;
  readonly constraints: readonly Json[];
  readonly acceptanceCriteria: readonly Json[];
  readonly createdAt: number;
  /** When its status last changed. */
  readonly updatedAt: number;
}

/** A goal with all that is stored of it. */
export interface GoalRecord extends GoalView {
  readonly context: JsonObject;
  /** What it came to, with the confidence from 0 to 1 that it is right; null: nothing yet. */
  readonly result: { readonly output: Json; readonly confidence: number | null } | null;
  /** Why it failed; null: it has not. */
  readonly error: { readonly type: string; readonly message: string; readonly task: string } | null;
}

/** A flow that a model has written to do a goal, as far as it is. */
export interface GoalPlan {
  /** The run that plans the goal and does it. */
  readonly workRunId: string;
  /** Empty: there is none yet. */
  readonly text: string;
  readonly hash: string;
  readonly estimate: DraftEstimate | null;
  /** The approval that waits for a decision; null: none does. */
  readonly approvalId: number | null;
  /** The run of the plan; null: it has not begun. */
  readonly runId: string | null;
  /** Why the work does not go on; empty: it does, or has ended. */
  readonly waitingReason: string;
}

/** Where a list continues. */
export interface GoalPlace {
  readonly createdAt: number;
  readonly goalId: string;
}

/** Lists of goals. */
export interface Goals {
  /** Newest first. `status` null: all. */
  list(caller: Caller, status: GoalStatus | null, after: GoalPlace | null, limit: number): Promise<readonly GoalView[]>;
}
