/**
 * Random flows that use everything: every trigger rule, failures, retries, timeouts, signals, timers, approvals,
 * groups, loops, compensation.
 */
import { reviveJoins } from "./dead-joins.ts";
import type { FlowDoc, JsonMap, StateDoc, TaskDoc, WorkDoc } from "./document.ts";
import { reachable, TRIGGER_RULES } from "./document.ts";
import {
  booleanTemplate,
  callOf,
  ERROR_TYPES,
  generateEffectful,
  generateWork,
  numberExpression,
  type Readable,
  randomDuration,
  SIGNAL_NAMES,
  type WorkContext,
} from "./generate-work.ts";
import { generateWorld } from "./generate-world.ts";
import { createRandom, type Random } from "./random.ts";
import { conditionsOf, dependenciesOf } from "./rules.ts";
import type { World } from "./world.ts";

/** A flow in its world. */
export type WideCase = { flow: FlowDoc; world: World };

/** The flow and the world of a seed: every third is an FSM. */
export function generateWide(seed: number): WideCase {
  const random = createRandom(seed);
  const workflow = seed % 3 === 0 ? generateFsm(random) : generateDag(random);
  if (random.chance(0.15))
    workflow.timeout = random.chance(0.3) ? `\${vars.x * 4777 + 3000}ms` : randomDuration(random, 3_000, 60_000);
  workflow.variables = { y: `\${vars.x * 2 + 1}` };
  const variables = [
    { name: "x", type: "integer", required: true },
    { name: "list", type: "array", required: true },
  ];
  const flow: FlowDoc = { id: `wide-${seed}`, version: "1", variables, workflow };
  return { flow, world: generateWorld(random, flow) };
}

function generateDag(random: Random): FlowDoc["workflow"] {
  const tasks: TaskDoc[] = Array.from({ length: random.int(1, 9) }, (_, index) => ({ id: `t${index}`, type: "noop" }));
  tasks.forEach((task, index) => {
    const depends_on = random.chance(0.15) ? [] : random.some(tasks.slice(0, index), 0, 3).map((other) => other.id);
    if (depends_on.length > 0) task.depends_on = depends_on;
    if (random.chance(0.45)) task.trigger_rule = random.pick(TRIGGER_RULES);
    if (index < tasks.length - 1 && random.chance(0.18)) addBranches(random, task, tasks.slice(index + 1));
  });
  for (const task of tasks) if (task.type === "condition" && random.chance(0.3)) joinSides(random, tasks, task);
  reviveJoins({ id: "draft", version: "1", workflow: { tasks } });
  for (const task of tasks) fillTask(random, tasks, task);
  const workflow: FlowDoc["workflow"] = { tasks };
  if (random.chance(0.15)) workflow.fail_fast = true;
  const readable = tasks.map((task) => ({ name: `tasks.${task.id}`, type: task.type }));
  if (random.chance(0.35)) addOutput(random, workflow, readable);
  if (random.chance(0.5)) addCompensations(random, tasks, tasks);
  if (random.chance(0.3)) workflow.tasks = random.shuffle(tasks);
  return workflow;
}

function addBranches(random: Random, task: TaskDoc, later: TaskDoc[]): void {
  task.type = "condition";
  const success = random.some(later, 0, 3).map((other) => other.id);
  const failure = random.some(later, success.length === 0 ? 1 : 0, 2).map((other) => other.id);
  if (success.length > 0) task.on_success = success;
  if (failure.length > 0)
    task.on_failure = random.chance(0.2) ? failure : failure.filter((id) => !success.includes(id));
  if (task.on_failure?.length === 0) delete task.on_failure;
}

/**
 * Lets a later task join the targets of a condition; where the condition is not taken itself, all of the join's
 * dependencies are not.
 */
function joinSides(random: Random, tasks: TaskDoc[], condition: TaskDoc): void {
  const targets = [...new Set([...(condition.on_success ?? []), ...(condition.on_failure ?? [])])];
  const join = tasks.slice(Math.max(...targets.map((id) => tasks.findIndex((task) => task.id === id))) + 1)[0];
  if (join === undefined) return;
  join.depends_on = targets;
  join.trigger_rule = random.pick(["none_failed", "none_failed", "one_success", "all_done"]);
}

/**
 * Gives a task its type, parameters and policies. It reads only what it depends on; `one_success` reads `deps.first`
 * alone.
 */
function fillTask(random: Random, tasks: TaskDoc[], task: TaskDoc): void {
  const flow: FlowDoc = { id: "draft", version: "1", workflow: { tasks } };
  const direct = dependenciesOf(flow, task);
  const upstream = new Set(direct);
  for (const id of upstream)
    for (const other of tasks) if (other.id === id) for (const dep of dependenciesOf(flow, other)) upstream.add(dep);
  const readable: Readable[] = tasks
    .filter((other) => upstream.has(other.id))
    .map((other) => ({ name: `tasks.${other.id}`, type: other.type }));
  const first = direct.length > 0 && task.trigger_rule === "one_success";
  const own = first ? [readFirst(tasks.filter((other) => direct.includes(other.id)))] : [];
  const context = { readable: first ? [] : readable, own, depth: 2 };
  if (task.type === "condition") {
    task.condition = booleanTemplate(random, context);
    if (random.chance(0.15)) task.on_error = "continue";
    return;
  }
  Object.assign(task, generateWork(random, context));
  if (conditionsOf(flow, task).length === 0 && direct.length === 0) delete task.trigger_rule;
}

/** A number that says which dependency came first. */
function readFirst(direct: TaskDoc[]): string {
  return direct.reduce((rest, task, index) => `(deps.first.id == "${task.id}" ? ${index + 1} : ${rest})`, "0");
}

function addOutput(random: Random, workflow: FlowDoc["workflow"], readable: Readable[]): void {
  const output: JsonMap = {};
  for (const name of ["a", "b"]) output[name] = `\${${numberExpression(random, { readable, own: [], depth: 0 })}}`;
  workflow.output = output;
}

function addCompensations(random: Random, owners: (TaskDoc | StateDoc)[], into: TaskDoc[]): void {
  const shared = random.chance(0.2);
  for (const owner of random.some(owners.filter(hasEffect), 0, 4)) {
    const id = shared ? "undo" : `undo_${owner.id}`;
    owner.compensate_with = id;
    if (into.some((task) => task.id === id)) continue;
    const output = {
      what: `\${compensates.task}`,
      how: `\${compensates.outcome}`,
      was: `\${compensates.output}`,
      from: `\${compensates.input}`,
      kids: `\${compensates.children}`,
    };
    const context = { readable: [], own: [], depth: 1 };
    const task: TaskDoc = {
      id,
      ...(random.chance(0.35) ? generateWork(random, context) : undo(random, context, output)),
    };
    into.push(task);
  }
}

/** A call that undoes another. Those that give up early are few, so that most runs come to an end. */
function undo(random: Random, context: WorkContext, output: JsonMap): WorkDoc {
  const drafted = generateEffectful(random, context);
  const doc = { ...drafted, ...callOf(drafted.type === "worker" ? "worker" : "noop", output) };
  for (const key of ["timeout", "schedule_to_close_timeout", "heartbeat_timeout", "on_error"] as const)
    if (random.chance(0.8)) delete doc[key];
  return doc;
}

function hasEffect(owner: TaskDoc | StateDoc): boolean {
  const doc = "type" in owner ? owner : owner.task;
  return doc !== undefined && doc.type !== "condition";
}

function generateFsm(random: Random): FlowDoc["workflow"] {
  const ids = Array.from({ length: random.int(1, 6) }, (_, index) => `s${index}`);
  const target = (): string => random.pick([...ids, ...ids, "good", "bad"]);
  const drafts: StateDoc[] = ids.map((id) => {
    const state: StateDoc = { id };
    if (random.chance(0.75)) state.task = { type: "noop" };
    if (random.chance(0.8)) state.transitions = Array.from({ length: random.int(1, 3) }, () => ({ to: target() }));
    if (random.chance(0.4))
      state.on = Array.from({ length: random.int(1, 2) }, () => ({ signal: random.pick(SIGNAL_NAMES), to: target() }));
    if (random.chance(0.35))
      state.after = Array.from({ length: random.int(1, 2) }, () => ({
        delay: random.chance(0.3) ? evaluatedDelay(random, id) : randomDuration(random, 500, 20_000),
        to: target(),
      }));
    if (state.after?.length === 2 && random.chance(0.3))
      state.after = state.after.map(({ to }) => ({ delay: "4s", to }));
    if (state.task !== undefined && random.chance(0.5))
      state.on_error = Array.from({ length: random.int(1, 2) }, () => onError(random, target()));
    if (state.transitions === undefined && state.on === undefined && state.after === undefined)
      state.transitions = [{ to: target() }];
    return state;
  });
  drafts.push({ id: "good", final: "completed" }, { id: "bad", final: "failed" });
  const reached = reachable(drafts);
  const states = drafts.filter((state) => reached.has(state.id));
  for (const state of states) fillState(random, states, state);
  const workflow: FlowDoc["workflow"] = { states, initial: "s0", max_transitions: random.int(2, 20) };
  if (random.chance(0.3)) addOutput(random, workflow, readableStates(states));
  if (random.chance(0.5)) {
    const compensations: TaskDoc[] = [];
    addCompensations(random, states, compensations);
    if (compensations.length > 0) workflow.compensations = compensations;
  }
  return workflow;
}

/** A delay that reads the variables, or a task that has not begun yet when the state is entered. */
function evaluatedDelay(random: Random, id: string): string {
  return `\${(tasks.${id}.attempt + vars.y) * ${random.int(211, 613)} + 500}ms`;
}

function onError(random: Random, to: string): { match?: string | string[]; to: string } {
  if (random.chance(0.3)) return { to };
  return {
    match: random.chance(0.5)
      ? random.pick(ERROR_TYPES)
      : random.some([...ERROR_TYPES, "TIMEOUT", "CHILD_FAILED"], 1, 3),
    to,
  };
}

function readableStates(states: StateDoc[]): Readable[] {
  return states
    .filter((state) => state.task !== undefined)
    .map((state) => ({ name: `tasks.${state.id}`, type: state.task?.type ?? "noop" }));
}

/** Gives a state its task and its guards. Loops see what other states counted up. */
function fillState(random: Random, states: StateDoc[], state: StateDoc): void {
  const others = { readable: readableStates(states.filter((other) => other !== state)), own: [], depth: 1 };
  if (state.final !== undefined && random.chance(0.3)) state.task = { type: "transform" };
  if (state.task !== undefined) state.task = generateWork(random, others);
  const all = { ...others, readable: readableStates(states) };
  (state.transitions ?? []).forEach((transition, index, { length }) => {
    if (index < length - 1 || random.chance(0.5)) transition.when = booleanTemplate(random, all);
  });
  for (const entry of state.on ?? []) {
    if (random.chance(0.4)) entry.when = `\${signal.payload.n > ${random.int(2, 7)}}`;
    else if (random.chance(0.5)) entry.when = guardOverTasks(random, state, all);
  }
}

/** A guard that reads what changes within a visit: how far the task of the state is. */
function guardOverTasks(random: Random, state: StateDoc, all: WorkContext): string {
  if (state.task === undefined || random.chance(0.2)) return booleanTemplate(random, all);
  const stand = random.pick(["COMPLETED", "RETRYING", "FAILED", "WAITING", "RUNNING"]);
  return `\${tasks.${state.id}.state == "${stand}"}`;
}
