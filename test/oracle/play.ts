/** Short forms for the interpreter's own tests. */
import { type FlowDoc, type Json, reachable, type StateDoc, type TaskDoc, type WorkDoc } from "./document.ts";
import { interpret } from "./interpret.ts";
import { type AttemptScript, createWorld, type Outcome, type World } from "./world.ts";

/** Runs a workflow in a world: on the interpreter, or on the engine. */
export type Play = (workflow: FlowDoc["workflow"], world: World) => Promise<Outcome>;

/** The same for DAGs and FSMs, in the words of the tests. */
export type Players = {
  playDag(tasks: TaskDoc[], world?: Partial<World>, workflow?: Partial<FlowDoc["workflow"]>): Promise<Outcome>;
  playFsm(states: StateDoc[], world?: Partial<World>, workflow?: Partial<FlowDoc["workflow"]>): Promise<Outcome>;
};

/**
 * Short forms of `play`. Every world has a variable `zero`; states that cannot be reached are left out, because flows
 * with such states are refused.
 */
export function createPlayers(play: Play): Players {
  const toWorld = (world: Partial<World>): World =>
    createWorld({ ...world, variables: { zero: 0, ...world.variables } });
  return {
    playDag: (tasks, world = {}, workflow = {}) => play({ tasks, ...workflow }, toWorld(world)),
    playFsm: (states, world = {}, workflow = {}) => {
      const reached = reachable(states, workflow.initial);
      return play({ states: states.filter((state) => reached.has(state.id)), ...workflow }, toWorld(world));
    },
  };
}

/** Plays on the interpreter. */
export async function playOnInterpreter(workflow: FlowDoc["workflow"], world: World): Promise<Outcome> {
  return interpret(frameFlow(workflow, world), world).outcome;
}

/** A flow with this workflow, and a variable for each that the world gives. */
export function frameFlow(workflow: FlowDoc["workflow"], world: World): FlowDoc {
  const variables = Object.keys(world.variables).map((name) => ({ name, type: "any" }));
  return { id: "played", version: "1", variables, workflow };
}

/** State of every task by path; skipped ones with their reason. */
export function statesOf(outcome: Outcome): { [path: string]: string } {
  return Object.fromEntries(Object.entries(outcome.tasks).map(([path, task]) => [path, task.reason ?? task.state]));
}

/** A task that gives `n`. */
export function give(id: string, n: Json = 1, more: Partial<TaskDoc> = {}): TaskDoc {
  return { id, type: "transform", parameters: { output: { n } }, ...more };
}

/** An effectful task that gives `n`. */
export function call(id: string, more: Partial<TaskDoc> = {}): TaskDoc {
  return { id, type: "noop", parameters: { output: { n: 1 } }, ...more };
}

/** A condition with this expression. */
export function ask(
  id: string,
  condition: string,
  on_success: string[],
  on_failure: string[],
  more: Partial<TaskDoc> = {},
): TaskDoc {
  return { id, type: "condition", condition: `\${${condition}}`, on_success, on_failure, ...more };
}

/** A task that fails for good, at once: its expression divides by zero. */
export function broken(id: string, more: Partial<TaskDoc> = {}): TaskDoc {
  return { id, type: "transform", parameters: { output: `\${1 % vars.zero}` }, ...more };
}

/** An attempt that ends well after `durationMs`. */
export function well(durationMs: number, stopsAfterMs?: number): AttemptScript {
  return { durationMs, end: { kind: "echo" }, ...(stopsAfterMs === undefined ? {} : { stopsAfterMs }) };
}

/** An attempt that fails after `durationMs`. */
export function bad(durationMs: number, type = "E1", retryable = true, nextRetryDelayMs?: number): AttemptScript {
  const end = { kind: "error" as const, type, retryable };
  return { durationMs, end: nextRetryDelayMs === undefined ? end : { ...end, nextRetryDelayMs } };
}

/** An attempt that never ends. */
export function never(stopsAfterMs?: number): AttemptScript {
  return { durationMs: 1, end: { kind: "never" }, ...(stopsAfterMs === undefined ? {} : { stopsAfterMs }) };
}

/** A child without id. */
export function child(more: Partial<WorkDoc> = {}): { [key: string]: Json } {
  return { type: "noop", parameters: { output: { n: `\${index}` } }, ...more } as { [key: string]: Json };
}
