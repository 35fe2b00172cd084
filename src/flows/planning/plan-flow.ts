/** Checked document + structure of its LangGraph graph → plan. */
import { invariant } from "../../base/errors.ts";
import type { Json } from "../../base/json/json.ts";
import { readBudget } from "../../tasks/schema/budget.ts";
import { namesOf } from "../check/check-expressions.ts";
import { hashDocument, versionOf } from "../document/identity.ts";
import {
  DEFAULT_MAX_TRANSITIONS,
  type FlowDocument,
  type StateDocument,
  type TaskDocument,
  type Workflow,
} from "../document/schema.ts";
import { END_NODE, type RouteKind, routeKey, routeKind, START_NODE, type Structure } from "../graph/structure.ts";
import type { KnownNames } from "../interpolation/references.ts";
import { holdsExpression } from "../interpolation/template.ts";
import type {
  DagNode,
  DagPlan,
  FsmPlan,
  FsmState,
  Gate,
  GraphPlan,
  Plan,
  TaskSpec,
  Template,
  Variable,
} from "../plan.ts";
import { durationOf, NO_RETRY, planLimit, planLimits, planRetry, planTask, templateOf } from "./plan-task.ts";

export function planFlow(document: FlowDocument, structure: Structure): Plan {
  const names = namesOf(document);
  const hash = hashDocument(document as Json);
  const { workflow } = document;
  const base = {
    flowId: document.id,
    version: versionOf(document, hash),
    hash,
    name: document.name ?? workflow.name ?? document.id,
    variables: (document.variables ?? []).map(
      (variable): Variable => ({
        name: variable.name,
        type: variable.type ?? "any",
        required: variable.required ?? false,
        default: variable.default as Json | undefined,
        description: variable.description ?? "",
        enum: variable.enum as readonly Json[] | undefined,
      }),
    ),
    computed: Object.entries(workflow.variables ?? {}).map(([name, value]) => ({
      name,
      value: templateOf(value as Json, {
        variables: new Set((document.variables ?? []).map((variable) => variable.name)),
        tasks: new Set<string>(),
      }),
    })),
    signals: new Map(
      Object.entries(workflow.signals ?? {}).flatMap(([name, { schema }]) =>
        schema === undefined ? [] : [[name, schema] as const],
      ),
    ),
    timeoutMs: durationOf(workflow.timeout),
    timeout: evaluatedTimeout(workflow, names),
    output: workflow.output === undefined ? null : templateOf(workflow.output as Json, names),
    recovery: recoveryOf(workflow),
    ...(workflow.limit === undefined
      ? {}
      : { limit: planLimit(workflow.limit, { variables: names.variables, tasks: new Set() }) }),
    ...planBudget(workflow),
  };
  if (workflow.tasks !== undefined)
    return {
      ...base,
      kind: "dag",
      ...planDag(workflow.tasks, structure, names),
      failFast: workflow.fail_fast ?? false,
    };
  if (workflow.states !== undefined) {
    return {
      ...base,
      kind: "fsm",
      ...planFsm(document, structure, names),
      maxTransitions: workflow.max_transitions ?? DEFAULT_MAX_TRANSITIONS,
    };
  }
  invariant(workflow.graph !== undefined, "a flow has tasks, states or a graph");
  return {
    ...base,
    kind: "graph",
    graph: workflow.graph,
    task: graphTask(workflow.graph, workflow, names),
  } satisfies GraphPlan;
}

function planBudget({ budget = {} }: Workflow): Pick<Plan, "budget"> {
  const planned = readBudget(budget);
  return Object.keys(planned).length === 0 ? {} : { budget: planned };
}

/** How long nothing may happen, unless the flow says otherwise, milliseconds. */
const IDLE_AFTER_MS = 1_800_000;

function recoveryOf({ recovery }: Workflow): Plan["recovery"] {
  if (recovery === undefined) return null;
  const { strategy = "resume", idle_after } = recovery;
  return { strategy, idleAfterMs: durationOf(idle_after) ?? IDLE_AFTER_MS };
}

function evaluatedTimeout({ timeout }: Workflow, { variables }: KnownNames): Template | null {
  if (typeof timeout !== "string" || !holdsExpression(timeout)) return null;
  return templateOf(timeout, { variables, tasks: new Set() });
}

function planDag(
  tasks: readonly TaskDocument[],
  structure: Structure,
  names: KnownNames,
): Pick<DagPlan, "nodes" | "index" | "externalIds" | "roots"> {
  const index = new Map(tasks.map((task, position) => [task.id, position]));
  const at = (id: string): number => {
    const position = index.get(id);
    invariant(position !== undefined, `the graph has the unknown node ${id}`);
    return position;
  };
  const inGraph = new Set(structure.nodes);
  const sources = new Map<number, Set<number>>();
  const add = (to: string, from: string): void => {
    if (from === START_NODE || to === END_NODE) return;
    const set = sources.get(at(to)) ?? new Set();
    sources.set(at(to), set.add(at(from)));
  };
  for (const [from, to] of structure.edges) add(to, from);
  for (const [from, to] of structure.joins) for (const source of from) add(to, source);
  for (const { from, routes } of structure.branches) for (const to of Object.values(routes)) add(to, from);
  const deps = tasks.map((task, position) => orderDeps(task, sources.get(position) ?? new Set(), at));
  const dependents = tasks.map((): number[] => []);
  for (const [position, list] of deps.entries()) for (const dep of list) dependents[dep]?.push(position);
  const gates = planGates(tasks.length, structure, at, dependents);
  const nodes = tasks.map(
    (task, position): DagNode => ({
      index: position,
      task: planNode(task, names),
      deps: deps[position] ?? [],
      dependents: dependents[position] ?? [],
      triggerRule: task.trigger_rule ?? "all_success",
      gates: gates[position] ?? [],
      compensateWith: task.compensate_with === undefined ? null : at(task.compensate_with),
      isCompensation: !inGraph.has(task.id),
    }),
  );
  const roots = structure.edges.filter(([from]) => from === START_NODE).map(([, to]) => at(to));
  const externalIds = names.externalIds ?? new Map<string, string>();
  return { nodes, index, externalIds, roots: roots.sort((a, b) => a - b) };
}

function planNode({ external_id: externalId, ...task }: TaskDocument, names: KnownNames): TaskSpec {
  const spec = planTask(task.id, task, names);
  return externalId === undefined ? spec : { ...spec, externalId, name: task.name ?? externalId };
}

/** Document order: `depends_on` first, then the conditions that name the task. */
function orderDeps(task: TaskDocument, found: ReadonlySet<number>, at: (id: string) => number): readonly number[] {
  const written = (task.depends_on ?? []).map(at).filter((dep) => found.has(dep));
  const rest = [...found].filter((dep) => !written.includes(dep)).sort((a, b) => a - b);
  return [...written, ...rest];
}

/**
 * For every target of a condition: the results of the condition that let it run. A side admits its own targets and
 * everything that they lead to.
 */
function planGates(
  size: number,
  structure: Structure,
  at: (id: string) => number,
  dependents: readonly (readonly number[])[],
): readonly Gate[][] {
  const gates = Array.from({ length: size }, (): Gate[] => []);
  const branches = structure.branches
    .map(({ from, routes }) => ({ condition: at(from), routes }))
    .sort((a, b) => a.condition - b.condition);
  for (const { condition, routes } of branches) {
    const targetsOf = (kind: RouteKind): number[] =>
      Object.entries(routes).flatMap(([key, to]) => (routeKind(key) === kind ? [at(to)] : []));
    const onTrue = targetsOf("true");
    const onFalse = targetsOf("false");
    const byTrue = reachable(onTrue, dependents);
    const byFalse = reachable(onFalse, dependents);
    for (const target of new Set([...onTrue, ...onFalse])) {
      gates[target]?.push({ condition, admitsTrue: byTrue.has(target), admitsFalse: byFalse.has(target) });
    }
  }
  return gates;
}

function reachable(from: readonly number[], dependents: readonly (readonly number[])[]): ReadonlySet<number> {
  const reached = new Set<number>();
  const open = [...from];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (reached.has(next)) continue;
    reached.add(next);
    open.push(...(dependents[next] ?? []));
  }
  return reached;
}

function planFsm(
  document: FlowDocument,
  structure: Structure,
  names: KnownNames,
): Pick<FsmPlan, "states" | "index" | "initial" | "compensations"> {
  const { states = [], compensations = [] } = document.workflow;
  const index = new Map(states.map((state, position) => [state.id, position]));
  const compensationIndex = new Map(compensations.map((task, position) => [task.id, position]));
  const at = (id: string | undefined): number => {
    const position = id === undefined ? undefined : index.get(id);
    invariant(position !== undefined, `the graph leads to the unknown state ${id}`);
    return position;
  };
  const routes = new Map(structure.branches.map((branch) => [branch.from, branch.routes]));
  const entry = structure.edges.find(([from]) => from === START_NODE)?.[1];
  return {
    index,
    initial: at(entry),
    states: states.map((state, position) =>
      planState(state, position, (route) => at(routes.get(state.id)?.[route]), compensationIndex, names),
    ),
    compensations: compensations.map((task) => planTask(task.id, task, names)),
  };
}

function planState(
  state: StateDocument,
  position: number,
  targetOf: (route: string) => number,
  compensations: ReadonlyMap<string, number>,
  names: KnownNames,
): FsmState {
  return {
    index: position,
    id: state.id,
    task: state.task === undefined ? null : planTask(state.id, state.task, names),
    transitions: (state.transitions ?? []).map(({ when }, route) => ({
      when: when === undefined ? null : templateOf(when, names),
      to: targetOf(routeKey("transition", route)),
    })),
    on: (state.on ?? []).map(({ signal, when }, route) => ({
      signal,
      when: when === undefined ? null : templateOf(when, names),
      to: targetOf(routeKey("on", route)),
    })),
    after: (state.after ?? []).map(({ delay }, route) => ({
      delay: templateOf(delay, names),
      to: targetOf(routeKey("after", route)),
    })),
    onError: (state.on_error ?? []).map(({ match }, route) => ({
      match: match === undefined ? null : typeof match === "string" ? [match] : match,
      to: targetOf(routeKey("error", route)),
    })),
    final: state.final ?? null,
    compensateWith: state.compensate_with === undefined ? null : (compensations.get(state.compensate_with) ?? null),
  };
}

/** Another attempt resumes from the last checkpoint, so a worker crash or a failed node need not fail the run. */
const GRAPH_RETRY = { ...NO_RETRY, maxRetries: 3 } as const;

function graphTask(graph: string, { retry_policy, attempt_timeout }: Workflow, names: KnownNames): TaskSpec {
  return {
    id: graph,
    name: graph,
    type: "graph",
    effect: "effectful",
    parameters: { constant: false, evaluate: (scope) => ({ input: scope.vars }) },
    retry: retry_policy === undefined ? GRAPH_RETRY : planRetry(retry_policy),
    timeouts: {
      startToCloseMs: durationOf(attempt_timeout),
      scheduleToStartMs: null,
      scheduleToCloseMs: null,
      heartbeatMs: null,
    },
    limits: planLimits({ timeout: attempt_timeout, retry_policy }, names),
    onError: "fail",
    onReject: "fail",
    condition: null,
    children: null,
    map: null,
    maxConcurrency: 1,
    failFast: false,
  };
}
