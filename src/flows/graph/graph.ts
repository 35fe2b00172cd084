/**
 * Flow → LangGraph `StateGraph` → structure. LangGraph takes about 0.4 s and 130 MB to load, so only this file
 * imports it, and only on demand.
 *
 * DAG: a task is a node; a single dependency is an edge, several are a join (array edge), and a condition has
 * conditional edges to its targets. A condition's target with further dependencies also gets a join over all of them.
 * FSM: a state is a node, and all its exits are one set of conditional edges.
 */
import type { FlowDocument, StateDocument, TaskDocument } from "../document/schema.ts";
import { END_NODE, routeKey, routeKind, START_NODE, type Structure } from "./structure.ts";

/** State of a graph: what its nodes have written, by node. */
export interface GraphState {
  readonly values: Readonly<Record<string, unknown>>;
}

/** Behavior of a graph's nodes. The plan needs none of it; the reference run passes real functions. */
export interface GraphBehaviour {
  /** Runs a node; its result is merged into `values`. */
  runNode(id: string, state: GraphState): Promise<Record<string, unknown>>;
  /** Chooses the routes out of a node with conditional edges. */
  chooseRoutes(id: string, state: GraphState): Promise<string[]> | string[];
}

/** How a graph is built. */
export interface GraphForm {
  /**
   * For graphs that LangGraph runs: a condition's target that also depends on something else joins over a node for the
   * side that names it. (Attached to the conditional edge itself, it would start before its other dependencies have
   * ended, and once more with them.) The plan needs no such nodes.
   */
  readonly sideNodes: boolean;
}

const NO_BEHAVIOUR: GraphBehaviour = {
  runNode: () => Promise.resolve({}),
  chooseRoutes: () => [],
};

/** Builds the `StateGraph` of a checked document; undefined for `graph` flows, which bring their own. */
export async function buildStateGraph(
  document: FlowDocument,
  behaviour: GraphBehaviour = NO_BEHAVIOUR,
  { sideNodes }: GraphForm = { sideNodes: false },
) {
  const { Annotation, StateGraph } = await import("@langchain/langgraph");
  const state = Annotation.Root({
    values: Annotation<Readonly<Record<string, unknown>>>({
      reducer: (left, right) => ({ ...left, ...right }),
      default: () => ({}),
    }),
  });
  const builder = new StateGraph<typeof state.spec, typeof state.State, typeof state.Update, string>(state);
  const addNode = (id: string, metadata: Record<string, unknown>): void => {
    builder.addNode(id, async (current: GraphState) => ({ values: await behaviour.runNode(id, current) }), {
      metadata,
    });
  };
  const addBranch = (id: string, routes: Record<string, string>): void => {
    builder.addConditionalEdges(id, async (current: GraphState) => behaviour.chooseRoutes(id, current), routes);
  };
  const { tasks, states, initial } = document.workflow;
  if (tasks !== undefined) {
    const parts = dagParts(tasks, sideNodes);
    for (const id of parts.sides) builder.addNode(id, async () => ({ values: {} }));
    for (const task of parts.tasks)
      addNode(task.id, { type: task.type, trigger_rule: task.trigger_rule ?? "all_success" });
    for (const [from, to] of parts.edges) builder.addEdge(from, to);
    for (const [from, to] of parts.joins) builder.addEdge([...from], to);
    for (const { from, routes } of parts.branches) addBranch(from, routes);
  } else if (states !== undefined) {
    for (const each of states) addNode(each.id, { type: each.task?.type ?? null, final: each.final ?? null });
    builder.addEdge(START_NODE, initial ?? states[0]?.id ?? "");
    for (const each of states) addBranch(each.id, stateRoutes(each));
  }
  return builder;
}

export type FlowGraphBuilder = Awaited<ReturnType<typeof buildStateGraph>>;

/** Reads nodes and edges from a builder. */
export function readStructure(builder: FlowGraphBuilder): Structure {
  const branches: { from: string; routes: Record<string, string> }[] = [];
  for (const [from, byName] of Object.entries(builder.branches)) {
    for (const branch of Object.values(byName)) branches.push({ from, routes: { ...branch.ends } });
  }
  return {
    nodes: Object.keys(builder.nodes),
    edges: [...builder.edges].map(([from, to]) => [from, to] as const),
    joins: [...builder.waitingEdges].map(([from, to]) => [[...from], to] as const),
    branches,
  };
}

/** Returns the Mermaid text of a builder, drawn by LangGraph. */
export async function drawBuilder(builder: FlowGraphBuilder): Promise<string> {
  const drawable = await builder.compile().getGraphAsync();
  return drawable.drawMermaid({ withStyles: false });
}

interface DagParts {
  readonly tasks: readonly TaskDocument[];
  /** Nodes that represent one side of a condition. */
  readonly sides: ReadonlySet<string>;
  readonly edges: readonly (readonly [string, string])[];
  readonly joins: readonly (readonly [readonly string[], string])[];
  readonly branches: readonly { readonly from: string; readonly routes: Record<string, string> }[];
}

function dagParts(all: readonly TaskDocument[], sideNodes: boolean): DagParts {
  const compensations = new Set(
    all.flatMap((task) => (task.compensate_with === undefined ? [] : [task.compensate_with])),
  );
  const tasks = all.filter((task) => !compensations.has(task.id));
  const conditionsOf = new Map<string, string[]>();
  const branches: { from: string; routes: Record<string, string> }[] = [];
  for (const task of tasks) {
    const routes: Record<string, string> = {};
    for (const [position, target] of (task.on_success ?? []).entries()) routes[routeKey("true", position)] = target;
    for (const [position, target] of (task.on_failure ?? []).entries()) routes[routeKey("false", position)] = target;
    for (const target of new Set(Object.values(routes)))
      conditionsOf.set(target, [...(conditionsOf.get(target) ?? []), task.id]);
    if (Object.keys(routes).length === 0) continue;
    const isOneSided = (task.on_success ?? []).length === 0 || (task.on_failure ?? []).length === 0;
    branches.push({ from: task.id, routes: isOneSided ? { ...routes, [routeKey("end")]: END_NODE } : routes });
  }
  const edges: [string, string][] = [];
  const joins: [string[], string][] = [];
  const sides = new Set<string>();
  for (const task of tasks) {
    const conditions = conditionsOf.get(task.id) ?? [];
    const sources = [...new Set([...(task.depends_on ?? []), ...conditions])];
    const [first] = sources;
    if (first === undefined) edges.push([START_NODE, task.id]);
    else if (sources.length > 1 && sideNodes) {
      for (const condition of conditions) {
        const branch = branches.find(({ from }) => from === condition);
        for (const [key, target] of Object.entries(branch?.routes ?? {})) {
          if (branch === undefined || target !== task.id) continue;
          // Task ids never contain a dot.
          const side = `${condition}.${routeKind(key)}`;
          sides.add(side);
          branch.routes[key] = side;
          sources.splice(sources.indexOf(condition), 1, side);
        }
      }
      const [only] = sources;
      if (only !== undefined && sources.length === 1) edges.push([only, task.id]);
      else joins.push([sources, task.id]);
    } else if (sources.length > 1) joins.push([sources, task.id]);
    else if (conditions.length === 0) edges.push([first, task.id]);
  }
  return { tasks, sides, edges, joins, branches };
}

function stateRoutes(state: StateDocument): Record<string, string> {
  const routes: Record<string, string> = {};
  if (state.final !== undefined) routes[routeKey("end")] = END_NODE;
  for (const [position, { to }] of (state.transitions ?? []).entries()) routes[routeKey("transition", position)] = to;
  for (const [position, { to }] of (state.on ?? []).entries()) routes[routeKey("on", position)] = to;
  for (const [position, { to }] of (state.after ?? []).entries()) routes[routeKey("after", position)] = to;
  for (const [position, { to }] of (state.on_error ?? []).entries()) routes[routeKey("error", position)] = to;
  return routes;
}
