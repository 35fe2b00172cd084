/** One graph for two modules: it asks, then says which version answered. */
import { Annotation, END, interrupt, START, StateGraph } from "@langchain/langgraph";

/** Builds it. */
export function buildPause(version: string) {
  const State = Annotation.Root({ answers: Annotation<unknown> });
  return new StateGraph(State)
    .addNode("ask", () => ({ answers: interrupt({ type: "signal", name: "go" }) }))
    .addNode("say", () => ({ answers: version }))
    .addEdge(START, "ask")
    .addEdge("ask", "say")
    .addEdge("say", END)
    .compile();
}
