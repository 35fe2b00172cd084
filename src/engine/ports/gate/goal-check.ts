/** The check that every goal passes before it is stored. */

/** What is checked of a goal. */
export interface CheckedGoal {
  readonly tenantId: string;
  readonly text: string;
  /** Its constraints and acceptance criteria: they are read like its text when it is planned. */
  readonly conditions: readonly string[];
  /** Whom the goal is for, as its context says; empty if it does not. */
  readonly userId: string;
  readonly context: { readonly [key: string]: unknown };
}

/** Whether a goal may be stored. A reason is a public sentence without a full stop: it never holds text of the goal. */
export type GoalVerdict =
  | { readonly verdict: "allow" }
  | { readonly verdict: "deny"; readonly rule: string; readonly reason: string };

/** The state of Reflex, the external safety service, at this instance. */
export type ReflexState = "available" | "unavailable" | "disabled";

/** Checks goals. */
export interface GoalCheck {
  /** The state as the latest calls have shown it. Reading it calls nobody. */
  readonly reflex: ReflexState;
  /** Judges a goal. Errors: SAFETY_CHECK_UNAVAILABLE if Reflex is needed and does not answer. */
  check(goal: CheckedGoal, signal: AbortSignal): Promise<GoalVerdict>;
}
