/** Compiles documents to LangGraph graphs, in this process or in a separate one. */
import { invariant } from "../../base/errors.ts";
import type { FlowDocument } from "../document/schema.ts";
import { buildStateGraph, drawBuilder, readStructure } from "./graph.ts";
import type { Structure } from "./structure.ts";

/** Builds the LangGraph graph of a checked document and returns what the plan needs of it. */
export interface GraphCompiler {
  /** Nodes and connections. */
  structureOf(document: FlowDocument): Promise<Structure>;
  /** Mermaid text. */
  draw(document: FlowDocument): Promise<string>;
  /** Stops what was started; pending calls fail. */
  close(): Promise<void>;
}

/** Structure of flows without tasks and states. */
export const EMPTY_STRUCTURE: Structure = { nodes: [], edges: [], joins: [], branches: [] };

/**
 * A compiler that loads LangGraph into this process on its first call: about 0.4 s and 110 MB, which are never freed.
 */
export const inlineGraphCompiler: GraphCompiler = {
  async structureOf(document) {
    return isOwnGraph(document) ? EMPTY_STRUCTURE : readStructure(await buildStateGraph(document));
  },
  async draw(document) {
    return isOwnGraph(document)
      ? drawOwnGraph(document)
      : addCompensations(await drawBuilder(await buildStateGraph(document)), document);
  },
  close: () => Promise.resolve(),
};

/** Whether the flow brings its own graph, so that there is nothing to build. */
export function isOwnGraph(document: FlowDocument): boolean {
  return document.workflow.graph !== undefined;
}

/**
 * Adds a dotted arrow from each task or state to its compensation. Compensations are not nodes of the graph, since no
 * successful path leads to them.
 */
function addCompensations(mermaid: string, { workflow }: FlowDocument): string {
  const undone = (workflow.tasks ?? workflow.states ?? []).filter(({ compensate_with: by }) => by !== undefined);
  return `${mermaid}${undone.map(({ id, compensate_with: by }) => `\t${id} -. &nbsp;compensated by&nbsp; .-> ${by}(${by});\n`).join("")}`;
}

/** Mermaid text of a `graph` flow: one box. */
export function drawOwnGraph(document: FlowDocument): string {
  invariant(document.workflow.graph !== undefined, "only for graph flows");
  return `graph TD;\n\t__start__ --> graph_1[${JSON.stringify(document.workflow.graph)}];\n\tgraph_1 --> __end__;\n`;
}
