/** Decides when the tasks of a DAG run: conditions, trigger rules, and the end of the run. See docs/semantics.md §2. */
import type { DagNode } from "../../../flows/plan.ts";
import type { SkipReason } from "../records.ts";
import { nodeAt, type Run, taskAt } from "../run.ts";
import type { TaskState } from "../state.ts";
import { type Step, verdictOf } from "../tasks/outcomes.ts";
import { beginTask } from "../tasks/tasks.ts";

type Readiness = { readonly run: true; readonly first: string | null } | { readonly skip: SkipReason } | null;

/** Examines one node: begins it, skips it, or leaves it pending. */
export function stepNode(run: Run, index: number, at: number): Step | null {
  const node = nodeAt(run, index);
  if (node.isCompensation || taskAt(run, index) !== undefined) return null;
  const ready = judgeNode(run, node);
  if (ready === null) return null;
  if ("skip" in ready) return { records: [{ type: "task.skipped", at, task: node.task.id, reason: ready.skip }] };
  return beginTask(node.task.id, node.task, ready.first, at);
}

/** Returns whether a node may run or is skipped, or null when it must wait. */
function judgeNode(run: Run, node: DagNode): Readiness {
  const gate = judgeGates(run, node);
  if (gate === "closed") return { skip: "NOT_TAKEN" };
  if (gate === "undecided") return null;
  return judgeRule(run, node);
}

function judgeGates(run: Run, node: DagNode): "open" | "closed" | "undecided" {
  let closed = false;
  for (const gate of node.gates) {
    const condition = taskAt(run, gate.condition);
    const verdict = verdictOf(condition);
    if (verdict === null) return "undecided";
    if (verdict === "neutral") closed = true;
    if (condition?.state === "COMPLETED") {
      const result = (condition.output as { readonly result?: unknown }).result === true;
      if (!(result ? gate.admitsTrue : gate.admitsFalse)) closed = true;
    }
  }
  return closed ? "closed" : "open";
}

function judgeRule(run: Run, node: DagNode): Readiness {
  if (node.deps.length === 0) return { run: true, first: null };
  let open = 0;
  let failed = 0;
  let neutral = 0;
  // A condition only decides; it has no result to pass on. It comes first only when no other dependency is taken.
  let first: TaskState | null = null;
  let firstCondition: TaskState | null = null;
  for (const dep of node.deps) {
    const task = taskAt(run, dep);
    switch (verdictOf(task)) {
      case null:
        open += 1;
        break;
      case "failure":
        failed += 1;
        break;
      case "neutral":
        neutral += 1;
        break;
      case "success":
        if (nodeAt(run, dep).task.type === "condition") firstCondition = earlier(run, firstCondition, task);
        else first = earlier(run, first, task);
    }
  }
  switch (node.triggerRule) {
    case "all_success":
      if (failed > 0) return { skip: "UPSTREAM_FAILED" };
      if (open > 0) return null;
      return neutral > 0 ? { skip: "NOT_TAKEN" } : { run: true, first: null };
    case "none_failed":
      if (failed > 0) return { skip: "UPSTREAM_FAILED" };
      if (open > 0) return null;
      return first === null && firstCondition === null ? { skip: "NOT_TAKEN" } : { run: true, first: null };
    case "all_done":
      return open > 0 ? null : { run: true, first: null };
    case "one_success":
      if (first !== null) return { run: true, first: first.path };
      if (open > 0) return null;
      if (failed > 0) return { skip: "UPSTREAM_FAILED" };
      return firstCondition === null ? { skip: "NOT_TAKEN" } : { run: true, first: firstCondition.path };
  }
}

/** Returns which of two ended tasks ended first. A tie goes to the one that comes first in the document. */
function earlier(run: Run, first: TaskState | null, task: TaskState | undefined): TaskState | null {
  if (first === null || task === undefined) return task ?? first;
  if (task.endedAt !== first.endedAt) return task.endedAt < first.endedAt ? task : first;
  const place = (path: string): number => (run.plan.kind === "dag" ? (run.plan.index.get(path) ?? 0) : 0);
  return place(task.path) < place(first.path) ? task : first;
}
