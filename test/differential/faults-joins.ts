/** Bugs in gates and trigger rules. */
import type { JournalRecord } from "../../src/engine/machine/records.ts";
import { type Run, specOf } from "../../src/engine/machine/run.ts";
import type { TaskState } from "../../src/engine/machine/state.ts";
import type { TriggerRule } from "../../src/flows/plan.ts";
import { TRIGGER_RULES } from "../oracle/document.ts";
import { inNodes, inRecords, of, type PlantedBug } from "./plant.ts";

/** One bug for each rule of joins. */
export const JOIN_BUGS: PlantedBug[] = [
  ...TRIGGER_RULES.flatMap((from) => TRIGGER_RULES.filter((to) => to !== from).map((to) => swappedRule(from, to))),
  inNodes("gates are ignored", (node) => ({ ...node, gates: [] })),
  inNodes("gates take the wrong side", (node) => ({
    ...node,
    gates: node.gates.map((gate) => ({ ...gate, admitsTrue: gate.admitsFalse, admitsFalse: gate.admitsTrue })),
  })),
  inNodes("a side taken that leads to a target of the other does not admit it", (node) => ({
    ...node,
    gates: node.gates.map((gate) => (gate.admitsTrue && gate.admitsFalse ? { ...gate, admitsTrue: false } : gate)),
  })),
  inRecords("a skip forgets that something failed", (record) =>
    record.type === "task.skipped" ? { ...record, reason: "NOT_TAKEN" } : record,
  ),
  inRecords("every skip counts as a failure", (record) =>
    record.type === "task.skipped" ? { ...record, reason: "UPSTREAM_FAILED" } : record,
  ),
  inRecords("deps.first is another dependency", otherFirst),
  inRecords("none_failed runs although nothing succeeded", (record, run) =>
    isNode(record, run, "none_failed", false) && record.type === "task.skipped" && depsOf(record, run).every(isNotTaken)
      ? { ...of(record), type: "task.completed", output: null }
      : record,
  ),
  inRecords("a condition counts as the first success", conditionFirst),
  inRecords("a condition never counts as the first success", (record, run) =>
    "first" in record && record.first !== undefined && specOf(run, record.first).type === "condition"
      ? { ...of(record), type: "task.skipped", reason: "NOT_TAKEN" }
      : record,
  ),
  inRecords("a condition outweighs a failure", (record, run) =>
    isNode(record, run, "one_success", true) &&
    record.type === "task.skipped" &&
    record.reason === "UPSTREAM_FAILED" &&
    depsOf(record, run).some((task) => specOf(run, task.path).type === "condition" && task.state === "COMPLETED")
      ? { ...of(record), type: "task.completed", output: null }
      : record,
  ),
];

function swappedRule(from: TriggerRule, to: TriggerRule): PlantedBug {
  return inNodes(`${from} is taken for ${to}`, (node) =>
    node.triggerRule === from ? { ...node, triggerRule: to } : node,
  );
}

function otherFirst(record: JournalRecord, run: Run): JournalRecord {
  if (!("first" in record) || run.plan.kind !== "dag") return record;
  const { plan } = run;
  const deps = plan.nodes[plan.index.get(record.task) ?? -1]?.deps ?? [];
  const other = deps.map((index) => plan.nodes[index]?.task.id).find((id) => id !== record.first);
  return other === undefined ? record : { ...record, first: other };
}

/** The success of a condition that the task waited for, instead of that of another dependency. */
function conditionFirst(record: JournalRecord, run: Run): JournalRecord {
  if (!("first" in record) || record.first === undefined) return record;
  const condition = depsOf(record, run).find(
    (task) => specOf(run, task.path).type === "condition" && task.state === "COMPLETED",
  );
  return condition === undefined ? record : { ...record, first: condition.path };
}

/** Dependencies of the node that a record is about, those that have begun. */
function depsOf({ task: id }: { task: string }, { plan, state }: Run): TaskState[] {
  if (plan.kind !== "dag") return [];
  const deps = plan.nodes[plan.index.get(id) ?? -1]?.deps ?? [];
  return deps.flatMap((dep) => state.tasks.get(plan.nodes[dep]?.task.id ?? "") ?? []);
}

/** Whether a record is about a node with a trigger rule, which conditions name only where `gated` allows it. */
function isNode(
  record: JournalRecord,
  { plan }: Run,
  rule: TriggerRule,
  gated: boolean,
): record is JournalRecord & { task: string } {
  if (plan.kind !== "dag" || !("task" in record)) return false;
  const node = plan.nodes[plan.index.get(record.task) ?? -1];
  return node?.triggerRule === rule && (gated || node.gates.length === 0);
}

function isNotTaken(task: TaskState): boolean {
  return task.state === "SKIPPED" && task.reason === "NOT_TAKEN";
}
