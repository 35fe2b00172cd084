/**
 * A graph that writes a summary, lets a person look at it, and publishes what was approved. Name this file in the
 * configuration (`graphs.modules`) and run it with a flow whose `workflow` is `{graph: review}`.
 */
import { Annotation, END, interrupt, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({
  /** What to summarise; a variable of the flow. */
  text: Annotation<string>,
  summary: Annotation<string>,
  /** How often the summary was written. */
  drafts: Annotation<number>({ reducer: (before, added) => before + added, default: () => 0 }),
  remark: Annotation<string>,
  published: Annotation<boolean>,
});

/** What the service hands to `interrupt` when somebody has decided. */
interface Decision {
  readonly approved: boolean;
  readonly by: string;
  readonly comment: string;
}

/** The first sentence and the number of words; a longer one on the second try. */
function summarise({ text, drafts }: typeof State.State) {
  const sentences = text.split(/(?<=[.!?])\s+/);
  const words = text.split(/\s+/).filter((word) => word !== "").length;
  return { summary: `${sentences.slice(0, drafts + 1).join(" ")} (${words} words)`, drafts: 1 };
}

/** Asks a person. The run waits for an approval, for days if need be, and survives every restart meanwhile. */
function review({ summary }: typeof State.State) {
  const decision = interrupt({ type: "approval", title: "Publish this summary?", description: summary }) as Decision;
  return { published: decision.approved, remark: `${decision.by}: ${decision.comment}` };
}

function publish({ summary }: typeof State.State) {
  return { summary: summary.trim() };
}

/** The graph. A rejected summary is written again, twice at most. */
export const review_graph = new StateGraph(State)
  .addNode("summarise", summarise)
  .addNode("review", review)
  .addNode("publish", publish)
  .addEdge(START, "summarise")
  .addEdge("summarise", "review")
  .addConditionalEdges("review", ({ published, drafts }) => {
    if (published) return "publish";
    return drafts < 3 ? "summarise" : END;
  })
  .addEdge("publish", END)
  .compile();

/** Names under which flows find the graphs of this module. */
export const graphs = { review: review_graph };
