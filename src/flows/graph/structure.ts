/**
 * The structure of a flow as LangGraph sees it: plain data, read from the builder of its `StateGraph`. The plan takes
 * nodes, edges, joins, and branches from here and everything else from the document.
 */

/** Nodes and edges of a `StateGraph`. */
export interface Structure {
  /** Node names in the order in which they were added. */
  readonly nodes: readonly string[];
  /** Plain edges; `__start__` and `__end__` are the ends of the graph. */
  readonly edges: readonly (readonly [from: string, to: string])[];
  /** Joins: the target waits for all of the sources. */
  readonly joins: readonly (readonly [from: readonly string[], to: string])[];
  /** Conditional edges: key of the route → target. */
  readonly branches: readonly { readonly from: string; readonly routes: Readonly<Record<string, string>> }[];
}

/** Name of a graph's entry node. */
export const START_NODE = "__start__";
/** Name of a graph's end node. */
export const END_NODE = "__end__";

/** Exits of a node, as keys of its conditional edges. */
const ROUTE_KINDS = ["true", "false", "transition", "on", "after", "error", "end"] as const;
/** An exit of a node. */
export type RouteKind = (typeof ROUTE_KINDS)[number];

/** Key of a route: its kind and its 1-based position in the document; the first one has no number. */
export function routeKey(kind: RouteKind, position = 0): string {
  return position === 0 ? kind : `${kind} ${position + 1}`;
}

/** Kind of a route, from its key. */
export function routeKind(key: string): RouteKind {
  return key.split(" ", 1)[0] as RouteKind;
}
