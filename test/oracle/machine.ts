/**
 * What the naive interpreter knows while it interprets: the tasks that began, the signals that arrived, the phase.
 * Everything else (dependencies, who may start, what is due) is computed anew from the document each time it is asked
 * for.
 */
import type { FlowDoc, Json, JsonMap, StateDoc, TaskDoc, WorkDoc } from "./document.ts";
import { evaluateTemplate, type Names } from "./expression.ts";
import type { FinalPhase, TaskOutcome, World } from "./world.ts";

/** A task that has left PENDING. */
export type Task = {
  path: string;
  doc: WorkDoc;
  state:
    | "SCHEDULED"
    | "RUNNING"
    | "RETRYING"
    | "WAITING"
    | "COMPLETED"
    | "FAILED"
    | "SKIPPED"
    | "CANCELED"
    | "TIMED_OUT"
    | "COMPENSATED";
  reason: "NOT_TAKEN" | "UPSTREAM_FAILED" | null;
  input: Json;
  output: Json;
  error: { type: string; retryable: boolean } | null;
  handled: boolean;
  /** Why the task is a dead letter. */
  deadLetter: TaskOutcome["deadLetter"];
  attempts: number;
  dispatchedAt: number[];
  /** How often the current attempt was put off, and whether it waits to be made again. */
  deferrals: number;
  deferred: boolean;
  /** It has waited for a time, a signal, or a decision, which expressions see as an attempt. */
  waited: boolean;
  /** Worker tasks: since when nobody has it, who has it, and what became of the hand-overs of this attempt. */
  waitsSince: number;
  handedAt: number | null;
  handOvers: number;
  losses: number;
  /** When the running attempt began: its call, or the acknowledgement of a worker. */
  startedAt: number | null;
  /** Every call that was made: whether it is proven that it had no effect. */
  calls: { harmless: boolean }[];
  /** When the current attempt could have begun: from here schedule-to-start counts. */
  readyAt: number;
  /** When the running attempt gives its last sign of life; null: it gives them until it ends. */
  quietAt: number | null;
  /** Position among all first dispatches. */
  dispatchOrder: number | null;
  /** When it began: from here schedule-to-close counts. */
  begunAt: number;
  /** When the running attempt reports on its own, or after it was told to stop; null: never. */
  reportsAt: number | null;
  /** The running attempt was told to stop and will say so. */
  stopping: boolean;
  /** Next attempt (RETRYING) or end of the wait (WAITING); null: no time is set. */
  dueAt: number | null;
  /** Position among all ends, and the time of the end. */
  endOrder: number | null;
  endedAt: number | null;
  first: string | null;
  /** Names that only this task and its children read: item, index, deps, compensates. */
  own: Names;
  /** `parallel` and `map`: what its children are. */
  children: { doc: WorkDoc; own: Names }[] | null;
};

/** The interpreter's whole memory. */
export type Machine = {
  flow: FlowDoc;
  world: World;
  choices: Choices;
  now: number;
  phase: FinalPhase;
  holds: Set<string>;
  /** What the run will end as, from CANCELING or COMPENSATING on. */
  ending: { phase: FinalPhase; error: RunFailure; compensate: boolean } | null;
  /** When running attempts are given up. */
  boundAt: number | null;
  error: RunFailure;
  output: Json;
  vars: JsonMap;
  tasks: Map<string, Task>;
  signals: { name: string; payload: Json; at: number; unfitIn: string[] }[];
  /** What was reported of signals that guards could not judge. */
  unfit: string[];
  compensations: string[];
  counter: number;
  /** Something happened whose order within a moment shows: see {@link Choices}. */
  open: boolean;
  /** FSM: states entered so far, when the last was entered, whether its task's end was judged. */
  path: string[];
  enteredAt: number;
  /** Delays of the active state's timers, milliseconds; null: not evaluated yet. */
  delays: number[] | null;
  settled: boolean;
  transitions: number;
};

/**
 * What the semantics leave open: the order of things inside one moment. `reverse` looks at the tasks in reverse order;
 * `failure` is called the first of several failures of one moment; dispatches of one moment are compensated in the
 * order of `compensations`.
 */
export type Choices = { reverse: boolean; failure: string | null; compensations: string[] };

/** Why a run failed. */
export type RunFailure = { type: string; task: string | null } | null;

/** A machine before its first move. */
export function createMachine(flow: FlowDoc, world: World, choices: Choices): Machine {
  const vars: JsonMap = {};
  for (const variable of flow.variables ?? [])
    vars[variable.name] = world.variables[variable.name] ?? variable.default ?? null;
  const { variables: computed = {} } = flow.workflow;
  const values = Object.entries(computed).map(([name, value]) => [name, evaluateTemplate(value, { ...vars, vars })]);
  Object.assign(vars, Object.fromEntries(values));
  return {
    flow,
    world,
    choices,
    now: 0,
    phase: world.startDelayMs > 0 ? "QUEUED" : "RUNNING",
    holds: new Set(),
    ending: null,
    boundAt: null,
    error: null,
    output: null,
    vars,
    tasks: new Map(),
    signals: [],
    unfit: [],
    compensations: [],
    counter: 0,
    open: false,
    path: [],
    enteredAt: 0,
    delays: null,
    settled: false,
    transitions: 0,
  };
}

/** Tasks of the graph in document order; compensation tasks are no part of it. */
export function graphTasks(flow: FlowDoc): TaskDoc[] {
  const tasks = flow.workflow.tasks ?? [];
  return tasks.filter((task) => !tasks.some((other) => other.compensate_with === task.id));
}

/** The state with this id. */
export function stateDoc(flow: FlowDoc, id: string): StateDoc {
  const found = (flow.workflow.states ?? []).find((state) => state.id === id);
  if (found === undefined) throw new Error(`no state ${id}`);
  return found;
}

/** Path of the task of the active FSM state: its id and how often it was entered. */
export function activePath(machine: Machine): string {
  const id = machine.path.at(-1) ?? "";
  return `${id}~${machine.path.filter((other) => other === id).length}`;
}

/** Whether anything may begin: not under a hold, but for compensation under that of the budget. */
export function mayBegin(machine: Machine): boolean {
  return [...machine.holds].every((hold) => hold === "budget" && machine.phase === "COMPENSATING");
}

/** True when the task is over. */
export function isEnded(task: Task): boolean {
  return !["SCHEDULED", "RUNNING", "RETRYING", "WAITING"].includes(task.state);
}

/** True when rules count the task as a success. */
export function isSuccess(task: Task): boolean {
  return task.state === "COMPLETED" || ((task.state === "FAILED" || task.state === "TIMED_OUT") && task.handled);
}

/** True when rules count the task as a failure. */
export function isFailure(task: Task): boolean {
  if (task.state === "SKIPPED") return task.reason === "UPSTREAM_FAILED";
  return task.state === "CANCELED" || ((task.state === "FAILED" || task.state === "TIMED_OUT") && !task.handled);
}

/** Children of a group that began, by index. */
export function childrenOf(machine: Machine, parent: Task): Task[] {
  const began: Task[] = [];
  for (let index = 0; index < (parent.children ?? []).length; index++) {
    const child = machine.tasks.get(`${parent.path}.${index}`);
    if (child !== undefined) began.push(child);
  }
  return began;
}

/** A task that begins now. */
export function beginTask(machine: Machine, path: string, doc: WorkDoc, own: Names): Task {
  const task: Task = {
    path,
    doc,
    state: "RUNNING",
    reason: null,
    input: null,
    output: null,
    error: null,
    handled: false,
    deadLetter: null,
    attempts: 0,
    dispatchedAt: [],
    deferrals: 0,
    deferred: false,
    waited: false,
    waitsSince: machine.now,
    handedAt: null,
    handOvers: 0,
    losses: 0,
    startedAt: null,
    calls: [],
    readyAt: machine.now,
    quietAt: null,
    dispatchOrder: null,
    begunAt: machine.now,
    reportsAt: null,
    stopping: false,
    dueAt: null,
    endOrder: null,
    endedAt: null,
    first: null,
    own,
    children: null,
  };
  machine.tasks.set(path, task);
  return task;
}

/** Ends a task. */
export function endTask(machine: Machine, task: Task, state: Task["state"]): void {
  task.state = state;
  task.reportsAt = null;
  task.handedAt = null;
  task.dueAt = null;
  task.endOrder = machine.counter++;
  task.endedAt = machine.now;
}

/** Ends a task as `SKIPPED`. */
export function skipTask(machine: Machine, path: string, doc: WorkDoc, reason: "NOT_TAKEN" | "UPSTREAM_FAILED"): void {
  const task = beginTask(machine, path, doc, {});
  task.reason = reason;
  endTask(machine, task, "SKIPPED");
}

/** Ends a task and all its open children as `CANCELED`, at once. */
export function cancelTask(machine: Machine, task: Task): void {
  for (const child of childrenOf(machine, task)) if (!isEnded(child)) cancelTask(machine, child);
  endTask(machine, task, "CANCELED");
}

/** Every name that the task's expressions may read. */
export function namesFor(machine: Machine, own: Names): Names {
  const tasks: JsonMap = {};
  for (const doc of machine.flow.workflow.tasks ?? []) tasks[doc.id] = viewOf(machine, doc.id);
  for (const doc of machine.flow.workflow.states ?? []) {
    // The latest visit whose task has begun: while the parameters of a visit are evaluated, that is the one before.
    let visit = machine.path.filter((id) => id === doc.id).length;
    while (visit > 0 && (machine.tasks.get(`${doc.id}~${visit}`)?.state ?? "PENDING") === "PENDING") visit -= 1;
    tasks[doc.id] = viewOf(machine, `${doc.id}~${visit}`);
  }
  return { ...tasks, ...machine.vars, vars: machine.vars, tasks, ...own };
}

function viewOf(machine: Machine, path: string): Json {
  const task = machine.tasks.get(path);
  if (task === undefined) return { output: null, outputs: null, state: "PENDING", error: null, attempt: 0 };
  return {
    output: task.output,
    outputs: task.children === null ? null : ((task.output as JsonMap | null)?.outputs ?? null),
    state: task.state,
    error: task.error === null ? null : { ...task.error },
    attempt: task.waited ? 1 : task.attempts,
  };
}
