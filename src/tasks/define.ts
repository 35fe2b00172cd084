import type { z } from "zod";

/**
 * How the engine treats a task type. `pure` is evaluated in the transition itself, `effectful` is journaled as
 * dispatched before its adapter is called, `remote` is handed out to a worker, `wait` waits for a timer, signal,
 * approval, or child run, and `group` expands into children.
 */
export type Effect = "pure" | "effectful" | "remote" | "wait" | "group";

/** Names of the task types. */
export type TaskTypeName =
  | "http"
  | "transform"
  | "condition"
  | "parallel"
  | "map"
  | "wait"
  | "signal"
  | "approval"
  | "subflow"
  | "emit"
  | "graph"
  | "noop"
  | "worker"
  | "queue";

/** Keys of a task that limit or repeat its work. */
export const LIMIT_KEYS = [
  "retry_policy",
  "timeout",
  "schedule_to_start_timeout",
  "schedule_to_close_timeout",
  "heartbeat_timeout",
] as const;

/** One of {@link LIMIT_KEYS}. */
export type LimitKey = (typeof LIMIT_KEYS)[number];

/** A task type. Checks, JSON Schema, reference pages, and forms are all derived from it. */
export interface TaskType {
  readonly type: TaskTypeName;
  readonly effect: Effect;
  /** One line for lists. */
  readonly summary: string;
  /** Paragraphs for the reference page, Markdown. */
  readonly documentation: string;
  /** Schema of `parameters` after evaluation. */
  readonly parameters: z.ZodType;
  /** Schema of the task's output. */
  readonly result: z.ZodType;
  /** A task of this type as YAML; checked by a test. */
  readonly example: string;
  /** Default start-to-close timeout, milliseconds; null means none. */
  readonly defaultTimeoutMs: number | null;
  /** Limits that apply to the type; a flow that sets another one is refused. Defaults to the limits of its effect. */
  readonly limits: readonly LimitKey[];
}

const LIMITS_OF: Readonly<Record<Effect, readonly LimitKey[]>> = {
  // Evaluated in the run's transition: it cannot time out, and the same values give the same result.
  pure: [],
  effectful: LIMIT_KEYS,
  remote: LIMIT_KEYS,
  wait: ["timeout", "schedule_to_close_timeout"],
  group: ["timeout", "schedule_to_close_timeout"],
};

/** Declares a task type for the list in `tasks/index.ts`. */
export function defineTaskType(
  declaration: Omit<TaskType, "defaultTimeoutMs" | "limits"> & Partial<Pick<TaskType, "defaultTimeoutMs" | "limits">>,
): TaskType {
  return { defaultTimeoutMs: null, limits: LIMITS_OF[declaration.effect], ...declaration };
}
