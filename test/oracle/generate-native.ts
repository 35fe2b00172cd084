/**
 * Random flows that LangGraph can say natively (what that is stands at the head of langgraph.ts): nothing in them
 * fails, waits or retries.
 */
import { findNeverRunning } from "./dead-joins.ts";
import { type FlowDoc, type JsonMap, reachable, type StateDoc, type TaskDoc, type WorkDoc } from "./document.ts";
import { createRandom, type Random } from "./random.ts";
import { admits } from "./rules.ts";

/** A flow with the values of its variables. */
export type NativeCase = { flow: FlowDoc; variables: JsonMap };

/** A DAG with joins, conditional edges, nested branches and groups. */
export function generateNativeDag(seed: number): NativeCase {
  const random = createRandom(seed);
  const count = random.int(2, 10);
  const tasks: TaskDoc[] = [];
  for (let index = 0; index < count; index++) {
    const depends_on = random.chance(0.2) ? [] : random.some(tasks, 0, 3).map((task) => task.id);
    const task: TaskDoc = {
      id: `t${index}`,
      ...nativeWork(
        random,
        tasks.filter((other) => reads(tasks, depends_on).has(other.id)),
      ),
    };
    if (depends_on.length > 0) task.depends_on = depends_on;
    tasks.push(task);
  }
  addBranches(random, tasks);
  const ordered = random.chance(0.3) ? random.shuffle(tasks) : tasks;
  const variables = { x: random.int(0, 9), list: Array.from({ length: random.int(0, 4) }, () => random.int(0, 9)) };
  return { flow: frame(seed, { tasks: ordered }), variables };
}

/** An FSM with loops that counts to a limit, or runs into `max_transitions`. */
export function generateNativeFsm(seed: number): NativeCase {
  const random = createRandom(seed);
  const ids = Array.from({ length: random.int(1, 5) }, (_, index) => `s${index}`);
  const target = (): string => (random.chance(0.15) ? "done" : random.pick(ids));
  const drafts: StateDoc[] = ids.map((id) => {
    const last = random.chance(0.3) ? "done" : target();
    return { id, transitions: [...Array.from({ length: random.int(0, 2) }, () => ({ to: target() })), { to: last }] };
  });
  drafts.push({ id: "done", final: "completed" });
  const reached = reachable(drafts);
  const states = drafts.filter((state) => reached.has(state.id));
  states.forEach((state, index) => {
    if (state.id === "done") {
      if (random.chance(0.4)) state.task = { type: "transform", parameters: { output: { n: 1 } } };
      return;
    }
    const others = states.map((other) => other.id).filter((id) => id !== state.id && id !== "done");
    const read = random.pick([...others, "x"]);
    const number = read === "x" ? "vars.x" : `(tasks.${read}.output == null ? ${index} : tasks.${read}.output.n)`;
    state.task = {
      type: random.pick(["transform", "noop"]),
      parameters: { output: { n: `\${${number} + ${random.int(1, 4)}}` } },
    };
    for (const transition of state.transitions?.slice(0, -1) ?? []) {
      const own = random.chance(0.6) ? `tasks.${state.id}.output.n` : number;
      transition.when = `\${${own} % ${random.int(2, 5)} ${random.pick(["==", ">", "<"])} ${random.int(0, 2)}}`;
    }
  });
  return {
    flow: frame(seed, { states, initial: "s0", max_transitions: random.int(3, 25) }),
    variables: { x: random.int(0, 9), list: [] },
  };
}

function frame(seed: number, workflow: FlowDoc["workflow"]): FlowDoc {
  const variables = [
    { name: "x", type: "integer", required: true },
    { name: "list", type: "array", required: true },
  ];
  return { id: `native-${seed}`, version: "1", variables, workflow };
}

/** Ids of the tasks that a task with these dependencies may read: they and all they depend on. */
function reads(tasks: TaskDoc[], depends_on: string[]): Set<string> {
  const found = new Set(depends_on);
  for (const id of found) for (const other of tasks.find((task) => task.id === id)?.depends_on ?? []) found.add(other);
  return found;
}

function nativeWork(random: Random, readable: TaskDoc[]): WorkDoc {
  const number = (): string => nativeNumber(random, readable);
  const roll = random.next();
  if (roll < 0.25)
    return { type: "condition", condition: `\${${number()} % ${random.int(2, 3)} == ${random.int(0, 1)}}` };
  if (roll < 0.35) {
    const task: JsonMap = {
      type: random.pick(["transform", "noop"]),
      parameters: { output: { n: `\${item * 2 + index + ${number()}}` } },
    };
    const items = random.chance(0.5)
      ? `\${vars.list}`
      : Array.from({ length: random.int(0, 4) }, () => random.int(0, 9));
    return {
      type: "map",
      parameters: { items, task, ...(random.chance(0.5) ? { max_concurrency: random.int(1, 3) } : {}) },
    };
  }
  if (roll < 0.45) {
    const child = (): JsonMap => ({
      type: random.pick(["transform", "noop"]),
      parameters: { output: { n: `\${index + ${number()}}` } },
    });
    return { type: "parallel", parameters: { tasks: Array.from({ length: random.int(1, 4) }, child) } };
  }
  return {
    type: random.pick(["transform", "noop"]),
    parameters: { output: { n: `\${(${number()} * ${random.int(1, 3)} + ${random.int(0, 9)}) % 97}` } },
  };
}

function nativeNumber(random: Random, readable: TaskDoc[]): string {
  if (readable.length === 0 || random.chance(0.2)) return random.chance(0.5) ? "vars.x" : String(random.int(0, 9));
  const task = random.pick(readable);
  switch (task.type) {
    case "condition":
      return `(tasks.${task.id}.output.result ? 1 : 0)`;
    case "map":
      return `(tasks.${task.id}.output.outputs == [] ? 3 : tasks.${task.id}.output.outputs[0].n)`;
    case "parallel":
      return `tasks.${task.id}.outputs[0].n`;
    default:
      return random.chance(0.5) ? `tasks.${task.id}.output.n` : `${task.id}.output.n`;
  }
}

/** Hangs targets on the sides of the conditions, but for re-joins and for what no run could reach. */
function addBranches(random: Random, tasks: TaskDoc[]): void {
  tasks.forEach((condition, position) => {
    if (condition.type !== "condition") return;
    const later = tasks
      .slice(position + 1)
      .filter((task) => task.depends_on?.includes(condition.id) !== true || random.chance(0.5));
    for (const target of random.some(later, 0, 3)) {
      const side = random.chance(0.5) ? "on_success" : "on_failure";
      condition[side] = [...(condition[side] ?? []), target.id];
      if (rejoins(tasks) || findNeverRunning(frame(0, { tasks }), false).length > 0)
        condition[side] = condition[side].filter((id) => id !== target.id);
      if (condition[side].length === 0) delete condition[side];
    }
    if (condition.on_success === undefined && condition.on_failure === undefined) {
      delete condition.condition;
      Object.assign(condition, { type: "transform", parameters: { output: { n: position } } });
      for (const task of tasks) retarget(task, condition.id);
    }
  });
}

/** A condition that lost its branches became a transform: readers of its result read a number now. */
function retarget(task: TaskDoc, id: string): void {
  const text = JSON.stringify(task).replaceAll(`(tasks.${id}.output.result ? 1 : 0)`, `tasks.${id}.output.n`);
  Object.assign(task, JSON.parse(text));
}

function rejoins(tasks: TaskDoc[]): boolean {
  const flow = frame(0, { tasks });
  return tasks.some((condition) =>
    (
      [
        ["on_success", false],
        ["on_failure", true],
      ] as const
    ).some(([side, other]) =>
      (condition[side] ?? []).some((id) =>
        tasks.some((task) => task.id === id && admits(flow, condition, other, task)),
      ),
    ),
  );
}
