/**
 * Graphs that ask, break and misbehave. Nodes write a line to the file that the input names, so that a test sees what
 * ran, and how often, whatever happened to the worker.
 */
import { appendFileSync, readFileSync } from "node:fs";
import { AIMessage, type BaseMessage, HumanMessage } from "@langchain/core/messages";
import { Annotation, END, interrupt, MessagesAnnotation, Send, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({
  file: Annotation<string>,
  answers: Annotation<unknown[]>({ reducer: (before, added) => [...before, ...added], default: () => [] }),
});
type StateType = typeof State.State;

function note({ file }: StateType, line: string): void {
  appendFileSync(file, `${line}\n`);
}

function countNotes({ file }: StateType, line: string): number {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((other) => other === line).length;
}

function node(name: string, work: (state: StateType) => Partial<StateType> | Promise<Partial<StateType>> = () => ({})) {
  return (state: StateType) => {
    note(state, name);
    return work(state);
  };
}

/** first → middle → last, where `middle` does what the test wants. */
function threeSteps(middle: (state: StateType) => Partial<StateType> | Promise<Partial<StateType>>) {
  return new StateGraph(State)
    .addNode(
      "first",
      node("first", () => ({ answers: ["first"] })),
    )
    .addNode("middle", node("middle", middle))
    .addNode("last", node("last"))
    .addEdge(START, "first")
    .addEdge("first", "middle")
    .addEdge("middle", "last")
    .addEdge("last", END)
    .compile();
}

const inner = new StateGraph(State)
  .addNode("inner_first", node("inner_first"))
  .addNode(
    "inner_ask",
    node("inner_ask", () => ({ answers: [interrupt("from inside"), interrupt("again")] })),
  )
  .addEdge(START, "inner_first")
  .addEdge("inner_first", "inner_ask")
  .addEdge("inner_ask", END)
  .compile();

const breakpointInside = new StateGraph(State)
  .addNode("stop", node("stop"))
  .addEdge(START, "stop")
  .addEdge("stop", END)
  .compile({ interruptBefore: ["stop"] });

const Sum = Annotation.Root({
  items: Annotation<number[]>,
  sum: Annotation<number>({ reducer: (before, added) => before + added, default: () => 0 }),
});

export const graphs = {
  plain: threeSteps(() => ({ answers: ["middle"] })),
  ask: threeSteps(() => ({ answers: [interrupt({ type: "approval", title: "Go on?" })] })),
  ask_text: threeSteps(() => ({ answers: [interrupt("Go on?")] })),
  ask_twice: threeSteps((state) => {
    const one = interrupt({ title: "one" });
    note(state, `one ${JSON.stringify(one)}`);
    const two = interrupt({ title: "two" });
    return { answers: [one, two] };
  }),
  ask_signal: threeSteps(() => ({ answers: [interrupt({ type: "signal", name: "paid", timeout: "1h" })] })),
  ask_wrongly: threeSteps(() => ({ answers: [interrupt({ type: "signal" })] })),
  ask_unsendable: threeSteps(() => ({ answers: [interrupt({ type: "signal", name: "pay ment" })] })),
  ask_inside: new StateGraph(State)
    .addNode("before", node("before"))
    .addNode("inside", inner)
    .addEdge(START, "before")
    .addEdge("before", "inside")
    .addEdge("inside", END)
    .compile(),
  ask_side_by_side: new StateGraph(State)
    .addNode(
      "left",
      node("left", () => ({ answers: [["left", interrupt("left?")]] })),
    )
    .addNode(
      "right",
      node("right", () => ({ answers: [["right", interrupt("right?")]] })),
    )
    .addEdge(START, "left")
    .addEdge(START, "right")
    .compile(),
  breakpoint_inside: new StateGraph(State)
    .addNode("inside", breakpointInside)
    .addEdge(START, "inside")
    .addEdge("inside", END)
    .compile(),
  /** Never comes back, the first time. */
  loops_once: threeSteps((state) => {
    while (countNotes(state, "middle") === 1);
    return {};
  }),
  loops: threeSteps(() => {
    for (;;);
  }),
  eats_heap: threeSteps(() => {
    const kept: unknown[] = [];
    for (;;) kept.push(new Array(10_000).fill(kept.length));
  }),
  eats_buffers: threeSteps(() => {
    const kept: Buffer[] = [];
    for (;;) {
      kept.push(Buffer.alloc(1_024 * 1_024, 1));
      const until = performance.now() + 1;
      while (performance.now() < until);
    }
  }),
  exits: threeSteps((state) => {
    if (countNotes(state, "middle") === 1) process.exit(3);
    return {};
  }),
  throws_apart: threeSteps(async () => {
    setTimeout(() => {
      throw new Error("nobody waits for this");
    });
    await new Promise(() => {});
    return {};
  }),
  fails: threeSteps((state) => {
    class OutOfStock extends Error {
      override readonly name = "OutOfStock";
    }
    if (countNotes(state, "middle") < 3) throw new OutOfStock("no more of these");
    return {};
  }),
  fails_for_good: threeSteps(() => {
    throw Object.assign(new Error("never"), { code: "NEVER", retryable: false });
  }),
  hangs: threeSteps(async () => {
    await new Promise(() => {});
    return {};
  }),
  /** Waits until the test writes a line `go`. */
  waits: threeSteps(async (state) => {
    while (countNotes(state, "go") === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    return {};
  }),
  circles: new StateGraph(State)
    .addNode("again", node("again"))
    .addEdge(START, "again")
    .addEdge("again", "again")
    .compile(),
  holds_date: threeSteps(() => ({ answers: [new Date(0)] })),
  holds_much: threeSteps(() => ({ answers: ["x".repeat(2_000_000)] })),
  sees: threeSteps(() => ({ answers: [Object.keys(process.env).sort()] })),
  talks: threeSteps(() => {
    console.log("hello from the graph");
    return {};
  }),
  chat: new StateGraph(MessagesAnnotation)
    .addNode("ask", () => ({ messages: [new HumanMessage({ id: "h1", content: String(interrupt("Your name?")) })] }))
    .addNode("greet", ({ messages }: { messages: BaseMessage[] }) => {
      const last = messages.at(-1);
      const isMessage = last instanceof HumanMessage;
      return { messages: [new AIMessage({ id: "a1", content: `Hello ${last?.text}, ${isMessage}`, tool_calls: [] })] };
    })
    .addEdge(START, "ask")
    .addEdge("ask", "greet")
    .compile(),
  sums: new StateGraph(Sum)
    .addNode("add", ({ item }: { item: number }) => ({ sum: item }))
    .addConditionalEdges(START, ({ items }) => items.map((item) => new Send("add", { item })))
    .compile(),
};
