/**
 * A run as the engine holds it: its state, the plan of its flow, and caches that avoid repeated work. Agenda, judged
 * signals, and counts are caches: `openRun` rebuilds them from the state, and losing them does not change what a run
 * does.
 */
import type { BudgetSpec, DagNode, FsmState, Plan, RunBudget, TaskSpec } from "../../flows/plan.ts";
import { applyRecord } from "./apply.ts";
import { Agenda } from "./control/agenda.ts";
import { childIndex, compensatedBy, parentPath, visitOf } from "./paths.ts";
import type { JournalRecord } from "./records.ts";
import { isMoving, isTerminalPhase, type RunState, type RunStateName, type TaskState } from "./state.ts";
import { isEnded, isSuccess } from "./tasks/task-ends.ts";

/** A run, its plan and its agenda. */
export interface Run {
  readonly state: RunState;
  readonly plan: Plan;
  /** Nodes and groups to examine. */
  readonly agenda: Agenda;
  /** Signals that guards of the active FSM state have judged. */
  readonly judged: Judged;
  /** Nodes of a DAG that are tasks of the graph, excluding compensation tasks. */
  readonly graphSize: number;
  /**
   * How many dependencies of each DAG node have ended, by index: a join is examined when its last one ends, not for
   * each one.
   */
  readonly endedDeps: number[];
  /** The time slice was used up before the run was settled. A `continue` event resumes it. */
  unsettled: boolean;
  /** The time of the current transition, or of the last one: the value of `now()`. Milliseconds. */
  now: number;
}

/** Returns true when the run makes progress without outside input: a new owner must load it immediately. */
export function movesByItself(run: Run): boolean {
  return isMoving(run.state) || (run.unsettled && !isTerminalPhase(run.state.phase));
}

/**
 * Returns true when nothing happens to the run until its next timer, or until it receives an event from outside or from
 * a child run. Unlike {@link movesByItself}, which selects what the next owner must load, it is true for runs whose
 * tasks will be retried, for runs that wait for child runs, and for runs whose tasks are handed out.
 */
export function canRest(run: Run): boolean {
  const { phase, active, tasks } = run.state;
  if (run.unsettled || (phase !== "RUNNING" && phase !== "QUEUED")) return false;
  if (active === 0) return true;
  for (const task of tasks.values())
    if (task.state === "RUNNING" && task.group === null && task.handedTo === null) return false;
  return true;
}

/** Signals that guards judged, and what the guards could read: when that changes, they are judged again. */
export interface Judged {
  readonly signals: Set<number>;
  visit: string;
  task: TaskState["state"];
  attempt: number;
  error: TaskState["error"];
  run: RunStateName | null;
}

/**
 * Returns whether tasks, children, and attempts may begin. They may not under a hold, except for compensation, which
 * ignores a budget hold. `holds`: those of the run, unless the question is what would be.
 */
export function mayBegin({ state }: Run, holds: RunState["holds"] = state.holds): boolean {
  const { phase } = state;
  return holds.length === 0 || (phase === "COMPENSATING" && holds.every((hold) => hold.kind === "budget"));
}

/**
 * The budgets that the run spends: its own, and those of the runs above it. Compensation spends only those of them that
 * say so.
 */
export function budgetsOf(run: Run): readonly RunBudget[] {
  const all = allBudgetsOf(run);
  return run.state.phase === "COMPENSATING" ? all.filter(({ compensation }) => compensation === true) : all;
}

const NO_BUDGETS: readonly RunBudget[] = [];

/** Those of the budgets that limit steps or time, compensation or not. */
export function countedBudgetsOf(run: Run): readonly RunBudget[] {
  const all = allBudgetsOf(run);
  if (all.length === 0) return NO_BUDGETS;
  return all.filter(({ maxSteps, maxTimeMs }) => maxSteps !== undefined || maxTimeMs !== undefined);
}

/** Nearest first. The run's own is that of its flow and that of its start: of each limit the lower one. */
function allBudgetsOf({ state, plan }: Run): readonly RunBudget[] {
  const { budget: given, parent } = state.facts;
  const above = parent?.budgets ?? NO_BUDGETS;
  const own = plan.budget === undefined || given === undefined ? (given ?? plan.budget) : lower(plan.budget, given);
  return own === undefined ? above : [{ runId: state.runId, ...own }, ...above];
}

const LIMITS = ["maxCostMicros", "maxTokens", "maxSteps", "maxTimeMs"] as const;

/** Of each limit the lower one; what only one of them limits, that one limits. */
function lower(one: BudgetSpec, other: BudgetSpec): BudgetSpec {
  const limits: { -readonly [Limit in (typeof LIMITS)[number]]?: number } = {};
  for (const name of LIMITS) {
    const lowest = Math.min(one[name] ?? Number.POSITIVE_INFINITY, other[name] ?? Number.POSITIVE_INFINITY);
    if (lowest !== Number.POSITIVE_INFINITY) limits[name] = lowest;
  }
  return {
    ...limits,
    ...(refusesUnpriced(one) || refusesUnpriced(other) ? {} : { unpriced: "tokens_only" }),
    ...(one.compensation === true || other.compensation === true ? { compensation: true } : {}),
  };
}

/** Whether calls to models without a price are refused because of it. */
function refusesUnpriced({ maxCostMicros, unpriced }: BudgetSpec): boolean {
  return maxCostMicros !== undefined && unpriced !== "tokens_only";
}

/** The plan of a run that was refused at its start: it has no tasks, and no version of a flow. */
export function emptyPlan(flowId: string): Plan {
  return {
    ...{ kind: "dag", flowId, version: "", hash: "", name: "", variables: [], computed: [], signals: new Map() },
    ...{
      timeoutMs: null,
      timeout: null,
      recovery: null,
      output: null,
      nodes: [],
      index: new Map(),
      externalIds: new Map(),
      roots: [],
    },
    failFast: false,
  };
}

/** Combines a state with its plan. Everything that could make progress is on the agenda. */
export function openRun(state: RunState, plan: Plan): Run {
  const graphSize = plan.kind === "dag" ? plan.nodes.filter((node) => !node.isCompensation).length : 0;
  const endedDeps: number[] = plan.kind === "dag" ? plan.nodes.map(() => 0) : [];
  const judged: Judged = { signals: new Set(), visit: "", task: "PENDING", attempt: 0, error: null, run: null };
  const run: Run = { state, plan, agenda: new Agenda(), judged, graphSize, endedDeps, unsettled: false, now: 0 };
  if (state.sequence > 0) {
    if (plan.kind === "dag") {
      for (const node of plan.nodes) {
        if (!node.isCompensation) run.agenda.add(node.index);
        for (const dep of node.deps) {
          const task = taskAt(run, dep);
          if (task !== undefined && isEnded(task)) endedDeps[node.index] = (endedDeps[node.index] ?? 0) + 1;
        }
      }
    }
    for (const task of state.tasks.values()) if (task.group !== null && !isEnded(task)) run.agenda.add(task.path);
  }
  return run;
}

/** Applies a record and adds what it may have unblocked to the agenda. */
export function absorb(run: Run, record: JournalRecord): void {
  applyRecord(run.state, record);
  switch (record.type) {
    case "run.started":
    case "run.opened":
      if (run.state.phase === "RUNNING" && run.plan.kind === "dag")
        for (const root of run.plan.roots) run.agenda.add(root);
      return;
    case "task.expanded":
      run.agenda.add(record.task);
      return;
    case "task.completed":
    case "task.failed":
    case "task.skipped":
    case "task.canceled": {
      const parent = parentPath(record.task);
      if (parent !== null) {
        run.agenda.add(parent);
      } else if (run.plan.kind === "dag") {
        const index = run.plan.index.get(record.task);
        if (index !== undefined) freeDependents(run, index);
      }
      return;
    }
  }
}

/** Adds the dependents of an ended node that may now make progress to the agenda. */
function freeDependents(run: Run, index: number): void {
  const task = taskAt(run, index);
  const succeeded = task !== undefined && isSuccess(task);
  for (const dependent of nodeAt(run, index).dependents) {
    const node = nodeAt(run, dependent);
    const ended = (run.endedDeps[dependent] ?? 0) + 1;
    run.endedDeps[dependent] = ended;
    // A success that is not the last one unblocks nothing, unless one is enough.
    if (ended >= node.deps.length || !succeeded || node.triggerRule === "one_success" || node.gates.length > 0)
      run.agenda.add(dependent);
  }
}

/** Node of a DAG plan by index. */
export function nodeAt(run: Run, index: number): DagNode {
  const node = run.plan.kind === "dag" ? run.plan.nodes[index] : undefined;
  if (node === undefined) throw new Error(`plan of ${run.plan.flowId} has no node ${index}`);
  return node;
}

/** Task of a DAG node, if it has begun. */
export function taskAt(run: Run, index: number): TaskState | undefined {
  return run.state.tasks.get(nodeAt(run, index).task.id);
}

/** State of an FSM plan by id. */
export function fsmStateOf(run: Run, id: string): FsmState {
  const index = run.plan.kind === "fsm" ? run.plan.index.get(id) : undefined;
  const found = index === undefined || run.plan.kind !== "fsm" ? undefined : run.plan.states[index];
  if (found === undefined) throw new Error(`plan of ${run.plan.flowId} has no state ${id}`);
  return found;
}

/** Spec of the task at a path: a node, the task of an FSM state, a child, or a compensation. */
export function specOf(run: Run, path: string): TaskSpec {
  const parent = parentPath(path);
  if (parent !== null) {
    const spec = specOf(run, parent);
    const child = spec.map?.child ?? spec.children?.[childIndex(path)];
    if (child === undefined) throw new Error(`${path} has no spec in ${run.plan.flowId}`);
    return child;
  }
  const undone = compensatedBy(path);
  if (undone !== null) return compensationSpecOf(run, undone);
  if (run.plan.kind === "dag") {
    const index = run.plan.index.get(path);
    if (index !== undefined) return nodeAt(run, index).task;
  } else if (run.plan.kind === "fsm") {
    const spec = fsmStateOf(run, visitOf(path)?.state ?? path).task;
    if (spec !== null) return spec;
  } else if (path === run.plan.graph) {
    return run.plan.task;
  }
  throw new Error(`${path} has no spec in ${run.plan.flowId}`);
}

/** Compensation of the task at `path`, or null. */
export function findCompensation(run: Run, path: string): TaskSpec | null {
  if (run.plan.kind === "dag") {
    const index = run.plan.index.get(path);
    const by = index === undefined ? null : nodeAt(run, index).compensateWith;
    return by === null ? null : nodeAt(run, by).task;
  }
  const visited = run.plan.kind === "fsm" ? visitOf(path) : null;
  if (run.plan.kind === "fsm" && visited !== null) {
    const by = fsmStateOf(run, visited.state).compensateWith;
    return by === null ? null : (run.plan.compensations[by] ?? null);
  }
  return null;
}

function compensationSpecOf(run: Run, path: string): TaskSpec {
  const spec = findCompensation(run, path);
  if (spec === null) throw new Error(`${path} has no compensation in ${run.plan.flowId}`);
  return spec;
}
