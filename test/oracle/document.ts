/**
 * Flow documents as plain objects, in the shape of the YAML format. Only what the generators write; the oracle shares
 * no types with the product.
 */

/** A JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A JSON object. */
export type JsonMap = { [key: string]: Json };

/** Seconds as a number, or text such as `250ms` or `3s`. */
export type Duration = number | string;

/** Retry policy of a task. */
export type RetryDoc = {
  max_retries?: number;
  backoff_type?: "fixed" | "linear" | "exponential" | "full_jitter";
  initial_delay?: Duration;
  max_delay?: Duration;
  multiplier?: number;
  non_retryable?: string[];
};

/** What tasks, children and tasks of states have in common. */
export type WorkDoc = {
  type:
    | "transform"
    | "noop"
    | "worker"
    | "emit"
    | "condition"
    | "subflow"
    | "wait"
    | "signal"
    | "approval"
    | "parallel"
    | "map";
  parameters?: JsonMap;
  condition?: string;
  retry_policy?: RetryDoc;
  timeout?: Duration;
  schedule_to_close_timeout?: Duration;
  schedule_to_start_timeout?: Duration;
  heartbeat_timeout?: Duration;
  on_error?: "fail" | "continue";
  on_reject?: "fail" | "continue";
};

/** Names of the trigger rules. */
export const TRIGGER_RULES = ["all_success", "none_failed", "all_done", "one_success"] as const;

/** A task of a DAG flow. */
export type TaskDoc = WorkDoc & {
  id: string;
  depends_on?: string[];
  trigger_rule?: (typeof TRIGGER_RULES)[number];
  on_success?: string[];
  on_failure?: string[];
  compensate_with?: string;
};

/** A state of an FSM flow. */
export type StateDoc = {
  id: string;
  task?: WorkDoc;
  transitions?: { when?: string; to: string }[];
  on?: { signal: string; when?: string; to: string }[];
  after?: { delay: Duration; to: string }[];
  on_error?: { match?: string | string[]; to: string }[];
  final?: "completed" | "failed";
  compensate_with?: string;
};

/** A flow document. `tasks` makes it a DAG, `states` an FSM. */
export type FlowDoc = {
  id: string;
  version: string;
  variables?: { name: string; type: string; required?: boolean; default?: Json }[];
  workflow: {
    timeout?: Duration;
    fail_fast?: boolean;
    variables?: JsonMap;
    tasks?: TaskDoc[];
    states?: StateDoc[];
    initial?: string;
    max_transitions?: number;
    compensations?: TaskDoc[];
    output?: JsonMap;
  };
};

/** Milliseconds of a duration. Knows numbers (seconds), `ms` and `s`: all that the generators write. */
export function readDuration(value: Duration): number {
  if (typeof value === "number") return Math.round(value * 1_000);
  const match = /^(\d+)(ms|s)$/.exec(value);
  if (match === null) throw new Error(`the oracle does not read the duration ${value}`);
  return Number(match[1]) * (match[2] === "s" ? 1_000 : 1);
}

/** States that can be reached from `initial`, the first when it is absent. */
export function reachable(states: StateDoc[], initial = states[0]?.id ?? ""): Set<string> {
  const reached = new Set([initial]);
  for (let size = 0; size !== reached.size; ) {
    size = reached.size;
    for (const state of states) {
      if (!reached.has(state.id)) continue;
      for (const { to } of [
        ...(state.transitions ?? []),
        ...(state.on ?? []),
        ...(state.after ?? []),
        ...(state.on_error ?? []),
      ])
        reached.add(to);
    }
  }
  return reached;
}
