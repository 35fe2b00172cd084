/**
 * The reference run: the same `StateGraph` that the plan is derived from, executed by LangGraph. Differential tests
 * compare the engine with it, for flows that LangGraph can express natively (see {@link whyNotNative}). Nothing is
 * durable here.
 */
import { fail, invariant } from "../../src/base/errors.ts";
import type { Json, JsonObject } from "../../src/base/json/json.ts";
import { compileFlow, type FlowSource } from "../../src/flows/compile.ts";
import type { FlowDocument } from "../../src/flows/document/schema.ts";
import { buildStateGraph, type GraphState } from "../../src/flows/graph/graph.ts";
import { routeKey, routeKind, type Structure } from "../../src/flows/graph/structure.ts";
import type { DagPlan, FsmPlan, Plan, Scope, TaskSpec, Template } from "../../src/flows/plan.ts";

/** The environment of a reference run. */
export interface ReferenceWorld {
  /** Variables with their defaults filled in. */
  readonly variables: JsonObject;
  /** Output of an effectful task for its evaluated parameters. */
  execute(taskId: string, input: Json): Json | Promise<Json>;
}

/** The result of a reference run. */
export interface ReferenceResult {
  /** Outputs by task or state id; for states, of the latest visit. */
  readonly outputs: Readonly<Record<string, Json>>;
  /** Tasks that never ran, in document order. */
  readonly skipped: readonly string[];
  /** FSM: the states in the order of their visits; null for a DAG. */
  readonly path: readonly string[] | null;
  /** The run's output; null if the run failed. */
  readonly runOutput: Json;
  /** Type of the run's error, or null. */
  readonly errorType: "NO_TRANSITION" | "TRANSITION_LIMIT" | "FINAL_STATE" | null;
}

/**
 * Returns why LangGraph cannot express a flow natively, or undefined if it can. It can express DAGs of all_success
 * tasks (a join over a skipped branch never fires, which is our NOT_TAKEN; a condition's target that also depends on
 * something else joins over a node for its side), unless both sides of a condition lead to a target that has other
 * dependencies (its join would need the side that was not taken). It can express FSMs whose only exits are transitions.
 * The children of `parallel` and `map` run inside the node of their group.
 */
export function whyNotNative(plan: Plan): string | undefined {
  if (plan.kind === "graph") return "it is a LangGraph graph of its own";
  if (plan.kind === "fsm") {
    for (const state of plan.states) {
      if (state.on.length + state.after.length + state.onError.length > 0)
        return `state ${state.id} has on, after or on_error`;
      if (state.task !== null && !isSimple(state.task))
        return `the task of state ${state.id} has the type ${state.task.type}`;
    }
    return undefined;
  }
  for (const node of plan.nodes) {
    if (node.isCompensation) continue;
    if (!isSimple(node.task)) return `task ${node.task.id} has the type ${node.task.type}`;
    if (node.triggerRule !== "all_success") return `task ${node.task.id} has the trigger rule ${node.triggerRule}`;
    if (node.deps.length > 1 && node.gates.some((gate) => gate.admitsTrue && gate.admitsFalse))
      return `task ${node.task.id} has other dependencies and is reached from both sides of a condition`;
  }
  return undefined;
}

/** Runs a flow on LangGraph. Throws INVALID_REQUEST for flows that LangGraph cannot express natively. */
export async function runOnLangGraph(flow: FlowSource, world: ReferenceWorld): Promise<ReferenceResult> {
  const { plan, document, structure } = await compileFlow(flow);
  const reason = whyNotNative(plan);
  if (reason !== undefined)
    fail("INVALID_REQUEST", { problem: `LangGraph cannot run this flow as it is meant: ${reason}` });
  invariant(plan.kind !== "graph", "graph flows are never native");
  const run = new ReferenceRun(plan, structure, world);
  const builder = await buildStateGraph(
    document as unknown as FlowDocument,
    {
      runNode: (id, state) => run.runNode(id, state),
      chooseRoutes: (id, state) => run.chooseRoutes(id, state),
    },
    { sideNodes: true },
  );
  const recursionLimit = plan.kind === "fsm" ? plan.maxTransitions + 10 : 2 * plan.nodes.length + 10;
  let values: Readonly<Record<string, Json>> = {};
  try {
    ({ values } = (await builder.compile().invoke({ values: {} }, { recursionLimit })) as {
      values: Readonly<Record<string, Json>>;
    });
  } catch (error) {
    if (!(error instanceof ReferenceFailure)) throw error;
    return { outputs: run.outputs, skipped: [], path: run.path, runOutput: null, errorType: error.type };
  }
  return run.finish(values);
}

class ReferenceFailure extends Error {
  readonly type: NonNullable<ReferenceResult["errorType"]>;

  constructor(type: NonNullable<ReferenceResult["errorType"]>) {
    super(type);
    this.type = type;
  }
}

class ReferenceRun {
  /** Outputs of the states so far, for runs that end with an error. */
  outputs: Record<string, Json> = {};
  readonly path: string[] = [];
  private readonly plan: DagPlan | FsmPlan;
  private readonly world: ReferenceWorld;
  private readonly routes: ReadonlyMap<string, Readonly<Record<string, string>>>;

  constructor(plan: DagPlan | FsmPlan, structure: Structure, world: ReferenceWorld) {
    this.plan = plan;
    this.world = world;
    this.routes = new Map(structure.branches.map((branch) => [branch.from, branch.routes]));
  }

  async runNode(id: string, state: GraphState): Promise<Record<string, unknown>> {
    this.path.push(id);
    const spec = this.specOf(id);
    if (spec === null) return {};
    const output = await this.execute(spec, this.scopeOf(state));
    this.outputs = { ...this.outputs, [id]: output };
    return { [id]: output };
  }

  chooseRoutes(id: string, state: GraphState): string[] {
    if (this.plan.kind === "dag") {
      const taken = (state.values[id] as { result?: boolean } | undefined)?.result === true ? "true" : "false";
      const keys = Object.keys(this.routes.get(id) ?? {}).filter((key) => routeKind(key) === taken);
      return keys.length > 0 ? keys : [routeKey("end")];
    }
    const place = this.plan.states[this.plan.index.get(id) ?? -1];
    invariant(place !== undefined, `there is no state ${id}`);
    if (place.final === "failed") throw new ReferenceFailure("FINAL_STATE");
    if (place.final === "completed") return [routeKey("end")];
    const scope = this.scopeOf(state);
    const chosen = place.transitions.findIndex(({ when }) => when === null || when.evaluate(scope) === true);
    if (chosen < 0) throw new ReferenceFailure("NO_TRANSITION");
    if (this.path.length > this.plan.maxTransitions) throw new ReferenceFailure("TRANSITION_LIMIT");
    return [routeKey("transition", chosen)];
  }

  finish(values: Readonly<Record<string, Json>>): ReferenceResult {
    const { plan } = this;
    const ids =
      plan.kind === "dag" ? plan.nodes.filter((node) => !node.isCompensation).map((node) => node.task.id) : [];
    const skipped = ids.filter((id) => !Object.hasOwn(values, id));
    const scope = this.scopeOf({ values });
    const runOutput = plan.output === null ? this.defaultOutput(values) : evaluate(plan.output, scope);
    return { outputs: values, skipped, path: plan.kind === "fsm" ? this.path : null, runOutput, errorType: null };
  }

  private defaultOutput(values: Readonly<Record<string, Json>>): Json {
    const { plan } = this;
    if (plan.kind === "fsm") {
      const last = this.path.findLast((id) => Object.hasOwn(values, id));
      return last === undefined ? null : (values[last] as Json);
    }
    const ends = plan.nodes.filter(
      (node) => !node.isCompensation && node.dependents.length === 0 && Object.hasOwn(values, node.task.id),
    );
    return Object.fromEntries(ends.map((node) => [node.task.id, values[node.task.id] as Json]));
  }

  private specOf(id: string): TaskSpec | null {
    const position = this.plan.index.get(id);
    invariant(position !== undefined, `there is no task ${id}`);
    return (this.plan.kind === "dag" ? this.plan.nodes[position]?.task : this.plan.states[position]?.task) ?? null;
  }

  private async execute(spec: TaskSpec, scope: Scope): Promise<Json> {
    if (spec.type === "condition") return { result: spec.condition === null ? false : evaluate(spec.condition, scope) };
    if (spec.children !== null)
      return this.executeGroup(spec.children.map((child, index) => [child, { ...scope, index }]));
    if (spec.map !== null) {
      const { items, child } = spec.map;
      return this.executeGroup(
        (evaluate(items, scope) as Json[]).map((item, index) => [child, { ...scope, item, index }]),
      );
    }
    const parameters = evaluate(spec.parameters, scope);
    if (spec.type === "transform") return (parameters as JsonObject)["output"] ?? null;
    return this.world.execute(spec.id, parameters);
  }

  /** Runs the children one after the other: none of them reads another. */
  private async executeGroup(children: readonly (readonly [TaskSpec, Scope])[]): Promise<Json> {
    const outputs: Json[] = [];
    for (const [child, scope] of children) outputs.push(await this.execute(child, scope));
    return { outputs };
  }

  private scopeOf(state: GraphState): Scope {
    const values = state.values as Readonly<Record<string, Json>>;
    return {
      vars: this.world.variables,
      run: {},
      task: (id) => {
        if (!this.plan.index.has(id)) return undefined;
        const ran = Object.hasOwn(values, id);
        return {
          output: ran ? (values[id] as Json) : null,
          outputs: ((values[id] as { outputs?: readonly Json[] } | null | undefined)?.outputs ?? null) as
            | readonly Json[]
            | null,
          state: ran ? "COMPLETED" : "PENDING",
          error: null,
          attempt: ran ? 1 : 0,
        };
      },
    };
  }
}

function evaluate(template: Template, scope: Scope): Json {
  return template.evaluate(scope);
}

function isSimple(spec: TaskSpec): boolean {
  if (spec.effect === "group")
    return spec.map === null ? (spec.children ?? []).every(isSimple) : isSimple(spec.map.child);
  return spec.effect === "effectful" || spec.effect === "remote" || spec.effect === "pure";
}
