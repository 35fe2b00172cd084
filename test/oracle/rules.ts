/**
 * Section 2 of docs/semantics.md: dependencies, gates and trigger rules, each computed from the document and the
 * present states.
 */
import type { FlowDoc, TaskDoc } from "./document.ts";
import { graphTasks, isEnded, isFailure, isSuccess, type Machine, type Task } from "./machine.ts";

/** What may happen to a task that has not begun. */
export type Verdict =
  | { kind: "stay" }
  | { kind: "start"; first: string | null }
  | { kind: "skip"; reason: "NOT_TAKEN" | "UPSTREAM_FAILED" };

/** Conditions that name the task on one of their sides. */
export function conditionsOf(flow: FlowDoc, task: TaskDoc): TaskDoc[] {
  return graphTasks(flow).filter((other) =>
    [...(other.on_success ?? []), ...(other.on_failure ?? [])].includes(task.id),
  );
}

/** Ids of all dependencies: `depends_on` and the conditions that name the task. */
export function dependenciesOf(flow: FlowDoc, task: TaskDoc): string[] {
  return [...new Set([...(task.depends_on ?? []), ...conditionsOf(flow, task).map((condition) => condition.id)])];
}

/** Whether the condition's side `result` names the task, or a task from which dependency edges lead to it. */
export function admits(flow: FlowDoc, condition: TaskDoc, result: boolean, task: TaskDoc): boolean {
  const reached = new Set(result ? condition.on_success : condition.on_failure);
  for (let grew = true; grew; ) {
    grew = false;
    for (const other of graphTasks(flow)) {
      if (reached.has(other.id) || !dependenciesOf(flow, other).some((id) => reached.has(id))) continue;
      reached.add(other.id);
      grew = true;
    }
  }
  return reached.has(task.id);
}

/** What the rules say about a task now. */
export function judge(machine: Machine, task: TaskDoc): Verdict {
  const stateOf = (id: string): Task | undefined => machine.tasks.get(id);
  const skip = (reason: "NOT_TAKEN" | "UPSTREAM_FAILED"): Verdict => ({ kind: "skip", reason });

  for (const condition of conditionsOf(machine.flow, task)) {
    const state = stateOf(condition.id);
    if (state === undefined || !isEnded(state)) return { kind: "stay" };
  }
  for (const condition of conditionsOf(machine.flow, task)) {
    const state = stateOf(condition.id);
    if (state?.state === "SKIPPED" && state.reason === "NOT_TAKEN") return skip("NOT_TAKEN");
    if (state?.state !== "COMPLETED") continue;
    const { result } = state.output as { result: boolean };
    if (!admits(machine.flow, condition, result, task)) return skip("NOT_TAKEN");
  }

  const ids = dependenciesOf(machine.flow, task);
  const ended = ids.map(stateOf).filter((state) => state !== undefined && isEnded(state)) as Task[];
  const allEnded = ended.length === ids.length;
  const failed = ended.some(isFailure);
  const succeeded = ended.filter(isSuccess);
  const start: Verdict = { kind: "start", first: null };
  if (ids.length === 0) return start;

  switch (task.trigger_rule ?? "all_success") {
    case "all_success":
      if (failed) return skip("UPSTREAM_FAILED");
      if (!allEnded) return { kind: "stay" };
      return succeeded.length === ids.length ? start : skip("NOT_TAKEN");
    case "none_failed":
      if (failed) return skip("UPSTREAM_FAILED");
      if (!allEnded) return { kind: "stay" };
      return ended.every((state) => state.reason === "NOT_TAKEN") ? skip("NOT_TAKEN") : start;
    case "all_done":
      return allEnded ? start : { kind: "stay" };
    case "one_success": {
      const results = succeeded.filter((state) => state.doc.type !== "condition");
      if (results.length > 0) return { kind: "start", first: firstOf(machine, results) };
      if (!allEnded) return { kind: "stay" };
      if (failed) return skip("UPSTREAM_FAILED");
      // Nothing is left but conditions.
      return succeeded.length > 0 ? { kind: "start", first: firstOf(machine, succeeded) } : skip("NOT_TAKEN");
    }
  }
}

/** The one that ended first; of several that ended at the same time, the one that stands first in the document. */
function firstOf(machine: Machine, succeeded: Task[]): string {
  const order = (machine.flow.workflow.tasks ?? []).map((task) => task.id);
  const sorted = [...succeeded].sort(
    (a, b) => (a.endedAt ?? 0) - (b.endedAt ?? 0) || order.indexOf(a.path) - order.indexOf(b.path),
  );
  return sorted[0]?.path ?? "";
}
