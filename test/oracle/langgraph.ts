/**
 * A translation of flow documents to LangGraph, written for the tests: stock LangGraph runs the flow, and its answer
 * judges the interpreter and the engine.
 *
 * What LangGraph says natively, and how (found by experiment, 1.4.17):
 * - A join of several dependencies is one array edge: it fires once, when all its sources have run. Over a branch that
 *   was not taken it never fires, and that is `all_success`: the target is skipped. Plain edges instead of an array
 *   edge would run a target once for each depth at which a source ends.
 * - A branch target that has other dependencies too cannot hang on the conditional edge itself (it would start at
 *   once). Each side of a condition becomes a node `c__true`/`c__false` that the conditional edge leads to; targets
 *   join over it.
 * - Not sayable: a target that both sides reach (one side names it, the other leads to it): its join would need the
 *   side that was not taken. The generator leaves
 *   such re-joins out. Neither are trigger rules other than `all_success`, failures, retries, waiting and holds.
 * - `parallel` is a fan of nodes with an array join; `map` is a `Send` per element to one node, which leads to the
 *   collecting node by a plain edge: all sends run in the
 *   same superstep, so it runs once. No elements: the router goes straight to the collecting node.
 * - FSM: a node per state, a conditional edge from each; `recursionLimit` = max_transitions + 1 allows exactly the same
 *   number of states (a state is one superstep).
 */
import { Annotation, END, GraphRecursionError, Send, START, StateGraph } from "@langchain/langgraph";
import type { FlowDoc, Json, JsonMap, StateDoc, TaskDoc, WorkDoc } from "./document.ts";
import { evaluateBoolean, evaluateTemplate, type Names } from "./expression.ts";

/** What LangGraph made of a flow. */
export type NativeOutcome = {
  /** Outputs of what ran, by task or state id; for states that of the latest visit. */
  outputs: { [id: string]: Json };
  /** Ids of the tasks of a DAG that did not run. */
  skipped: string[];
  /** States of an FSM in the order in which they ran. */
  path: string[];
  /** Whether the loop was cut at the limit of transitions. */
  limited: boolean;
};

const State = Annotation.Root({
  outputs: Annotation<{ [id: string]: Json }>({ reducer: (all, more) => ({ ...all, ...more }), default: () => ({}) }),
  children: Annotation<{ [path: string]: Json }>({
    reducer: (all, more) => ({ ...all, ...more }),
    default: () => ({}),
  }),
  element: Annotation<{ item: Json; index: number }>({
    reducer: (_, latest) => latest,
    default: () => ({ item: null, index: 0 }),
  }),
});
type Values = typeof State.State;
type Update = Partial<Values>;
/** The builder's type grows with every node; flows are data, so names are plain text here. */
type Builder = {
  addNode(name: string, action: (values: Values) => Promise<Update>): void;
  addEdge(from: string | string[], to: string): void;
  addConditionalEdges(from: string, route: (values: Values) => string | Send[] | string[], targets: string[]): void;
  compile(): { invoke(input: Update, options: { recursionLimit: number }): Promise<Values> };
};

/** Runs a flow with stock LangGraph. Throws when a task throws: flows that can fail are not for this oracle. */
export async function runOnStockLangGraph(flow: FlowDoc, variables: JsonMap): Promise<NativeOutcome> {
  return flow.workflow.states === undefined ? await runDag(flow, variables) : await runFsm(flow, variables);
}

async function runDag(flow: FlowDoc, variables: JsonMap): Promise<NativeOutcome> {
  const tasks = flow.workflow.tasks ?? [];
  const builder = new StateGraph(State) as unknown as Builder;
  const namesOf = (values: Values): Names => namesFrom(flow, values, variables);
  for (const task of tasks) {
    if (task.type === "condition") {
      addCondition(builder, task, namesOf);
    } else if (isGroup(task)) {
      addGroup(builder, task, namesOf);
    } else {
      builder.addNode(task.id, async (values) => ({ outputs: { [task.id]: await outputOf(task, namesOf(values)) } }));
    }
  }
  for (const task of tasks) {
    const sources = sourcesOf(tasks, task);
    const [only] = sources;
    builder.addEdge(
      only === undefined ? START : sources.length === 1 ? only : sources,
      isGroup(task) ? `${task.id}__fan` : task.id,
    );
  }
  const values = await builder.compile().invoke({}, { recursionLimit: 4 * tasks.length + 10 });
  const skipped = tasks.map((task) => task.id).filter((id) => values.outputs[id] === undefined);
  return { outputs: values.outputs, skipped, path: [], limited: false };
}

function sourcesOf(tasks: TaskDoc[], task: TaskDoc): string[] {
  const sources = new Set(task.depends_on);
  for (const condition of tasks) {
    for (const [side, targets] of [
      ["true", condition.on_success],
      ["false", condition.on_failure],
    ] as const) {
      if (targets?.includes(task.id) !== true) continue;
      sources.delete(condition.id);
      sources.add(`${condition.id}__${side}`);
    }
  }
  return [...sources];
}

function addCondition(builder: Builder, task: TaskDoc, namesOf: (values: Values) => Names): void {
  const sides = [
    ...((task.on_success ?? []).length > 0 ? ["true"] : []),
    ...((task.on_failure ?? []).length > 0 ? ["false"] : []),
  ];
  builder.addNode(task.id, async (values) => ({
    outputs: { [task.id]: { result: evaluateBoolean(task.condition ?? "", namesOf(values)) } },
  }));
  for (const side of sides) builder.addNode(`${task.id}__${side}`, async () => ({}));
  const route = (values: Values): string => {
    const side = String((values.outputs[task.id] as JsonMap).result);
    return sides.includes(side) ? `${task.id}__${side}` : END;
  };
  builder.addConditionalEdges(task.id, route, [...sides.map((side) => `${task.id}__${side}`), END]);
}

function addGroup(builder: Builder, task: TaskDoc, namesOf: (values: Values) => Names): void {
  const fan = `${task.id}__fan`;
  builder.addNode(fan, async () => ({}));
  const collect = (count: (values: Values) => number): void =>
    builder.addNode(task.id, async (values) => {
      const outputs = Array.from(
        { length: count(values) },
        (_, index) => values.children[`${task.id}.${index}`] ?? null,
      );
      return { outputs: { [task.id]: { outputs } } };
    });
  const parameters = task.parameters ?? {};
  if (task.type === "parallel") {
    const docs = parameters.tasks as unknown as WorkDoc[];
    collect(() => docs.length);
    docs.forEach((doc, index) => {
      const child = `${task.id}__${index}`;
      builder.addNode(child, async (values) => ({
        children: { [`${task.id}.${index}`]: await outputOf(doc, { ...namesOf(values), index }) },
      }));
      builder.addEdge(fan, child);
    });
    const children = docs.map((_, index) => `${task.id}__${index}`);
    const [only] = children;
    builder.addEdge(only === undefined ? fan : children.length === 1 ? only : children, task.id);
    return;
  }
  const itemsOf = (values: Values): Json[] => evaluateTemplate(parameters.items ?? null, namesOf(values)) as Json[];
  const doc = parameters.task as unknown as WorkDoc;
  const child = `${task.id}__child`;
  collect((values) => itemsOf(values).length);
  builder.addNode(child, async (values) => {
    const { item, index } = values.element;
    return { children: { [`${task.id}.${index}`]: await outputOf(doc, { ...namesOf(values), item, index }) } };
  });
  const route = (values: Values): string[] | Send[] => {
    const items = itemsOf(values);
    return items.length === 0
      ? [task.id]
      : items.map((item, index) => new Send(child, { ...values, element: { item, index } }));
  };
  builder.addConditionalEdges(fan, route, [child, task.id]);
  builder.addEdge(child, task.id);
}

async function runFsm(flow: FlowDoc, variables: JsonMap): Promise<NativeOutcome> {
  const states = flow.workflow.states ?? [];
  const builder = new StateGraph(State) as unknown as Builder;
  const outputs: { [id: string]: Json } = {};
  const path: string[] = [];
  for (const state of states) {
    builder.addNode(state.id, async (values) => {
      path.push(state.id);
      const output = state.task === undefined ? null : await outputOf(state.task, namesFrom(flow, values, variables));
      outputs[state.id] = output;
      return { outputs: { [state.id]: output } };
    });
    if (state.final !== undefined) builder.addEdge(state.id, END);
    else
      builder.addConditionalEdges(
        state.id,
        (values) => nextState(state, namesFrom(flow, values, variables)),
        targetsOf(state),
      );
  }
  builder.addEdge(START, flow.workflow.initial ?? states[0]?.id ?? "");
  try {
    await builder.compile().invoke({}, { recursionLimit: (flow.workflow.max_transitions ?? 1_000) + 1 });
    return { outputs, skipped: [], path, limited: false };
  } catch (cause) {
    if (!(cause instanceof GraphRecursionError)) throw cause;
    return { outputs, skipped: [], path, limited: true };
  }
}

function targetsOf(state: StateDoc): string[] {
  return [...new Set((state.transitions ?? []).map((transition) => transition.to))];
}

function nextState(state: StateDoc, names: Names): string {
  const taken = (state.transitions ?? []).find(({ when }) => when === undefined || evaluateBoolean(when, names));
  if (taken === undefined) throw new Error(`no transition leads out of ${state.id}`);
  return taken.to;
}

async function outputOf(doc: WorkDoc, names: Names): Promise<Json> {
  const input = evaluateTemplate(doc.parameters ?? {}, names) as JsonMap;
  return input.output ?? null;
}

function namesFrom(flow: FlowDoc, values: Values, variables: JsonMap): Names {
  const tasks: JsonMap = {};
  for (const { id } of [...(flow.workflow.tasks ?? []), ...(flow.workflow.states ?? [])]) {
    const output = values.outputs[id];
    const inner = (output as JsonMap | null | undefined)?.outputs ?? null;
    tasks[id] = {
      output: output ?? null,
      outputs: inner,
      state: output === undefined ? "PENDING" : "COMPLETED",
      error: null,
    };
  }
  return { ...tasks, ...variables, vars: variables, tasks };
}

function isGroup(doc: WorkDoc): boolean {
  return doc.type === "parallel" || doc.type === "map";
}
