/** How a bug is planted: into the plan, into events, into records, or into the state between two steps. */
import type { RunEvent } from "../../src/engine/machine/events.ts";
import type { JournalRecord } from "../../src/engine/machine/records.ts";
import type { Run } from "../../src/engine/machine/run.ts";
import type { DagNode, DagPlan, FsmState, Plan, RetryPolicy, TaskSpec } from "../../src/flows/plan.ts";
import type { Fault } from "./engine-adapter.ts";

/** A bug with the name of the rule that it breaks. */
export type PlantedBug = { rule: string; fault: Fault };

/** A bug in the plan. */
export function inPlan(rule: string, plan: (plan: Plan) => Plan): PlantedBug {
  return { rule, fault: { plan } };
}

/** A bug in what the run is told; null: it is told nothing. */
export function inEvents(rule: string, event: (event: RunEvent) => RunEvent | null): PlantedBug {
  return { rule, fault: { event } };
}

/** A bug in what is journaled. */
export function inRecords(rule: string, record: (record: JournalRecord, run: Run) => JournalRecord): PlantedBug {
  return { rule, fault: { record } };
}

/** A bug in the state, between two steps. */
export function inState(rule: string, state: (run: Run) => void): PlantedBug {
  return { rule, fault: { state } };
}

/** A bug in every node of a DAG. */
export function inNodes(rule: string, change: (node: DagNode) => DagNode): PlantedBug {
  return inPlan(rule, (plan) =>
    plan.kind === "dag" ? ({ ...plan, nodes: plan.nodes.map(change) } satisfies DagPlan) : plan,
  );
}

/** A bug in every state of an FSM. */
export function inStates(rule: string, change: (state: FsmState) => FsmState): PlantedBug {
  return inPlan(rule, (plan) => (plan.kind === "fsm" ? { ...plan, states: plan.states.map(change) } : plan));
}

/** Changes every task of a plan: nodes, tasks of states, children, compensations. */
export function inTasks(rule: string, change: (task: TaskSpec) => TaskSpec): PlantedBug {
  const deep = (task: TaskSpec): TaskSpec => {
    const children = task.children?.map(deep) ?? null;
    const map = task.map === null ? null : { ...task.map, child: deep(task.map.child) };
    return change({ ...task, children, map });
  };
  return inPlan(rule, (plan) => {
    if (plan.kind === "dag") return { ...plan, nodes: plan.nodes.map((node) => ({ ...node, task: deep(node.task) })) };
    if (plan.kind !== "fsm") return plan;
    const states = plan.states.map((state) => ({ ...state, task: state.task === null ? null : deep(state.task) }));
    return { ...plan, states, compensations: plan.compensations.map(deep) };
  });
}

/** A bug in every retry policy. */
export function inRetries(rule: string, change: (retry: RetryPolicy) => RetryPolicy): PlantedBug {
  return inTasks(rule, (task) => ({ ...task, retry: change(task.retry) }));
}

/** What all records of a task have. */
export function of({ at, task }: { at: number; task: string }): { at: number; task: string } {
  return { at, task };
}
