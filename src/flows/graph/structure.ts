/**
 * The structure of a flow as LangGraph sees it: plain data that is read from the builder of its `StateGraph`.
 * The plan takes nodes, edges, joins and branches from here and everything else from the document.
 */

/** Nodes and connections of a `StateGraph`. */
export interface Structure {
  /** Node names in the order in which they were added. */
  readonly nodes: readonly string[];
  /** Plain edges; `__start__` and `__end__` stand for the ends of the graph. */
  readonly edges: readonly (readonly [from: string, to: string])[];
  /** Joins: the target waits for all of the sources. */
  readonly joins: readonly (readonly [from: readonly string[], to: string])[];
  /** Conditional edges: key of the route → target. */
  readonly branches: readonly { readonly from: string; readonly routes: Readonly<Record<string, string>> }[];
}

/** Name of the entry of a graph. */
export const START_NODE = "__start__";
/** Name of the end of a graph. */
export const END_NODE = "__end__";

/** Ways out of a node, as the keys of its conditional edges. */
const ROUTE_KINDS = ["true", "false", "transition", "on", "after", "error", "end"] as const;
/** A way out of a node. */
export type RouteKind = (typeof ROUTE_KINDS)[number];

/** Key of a route: its kind and its position in the document, from 1; the first one has no number. */
export function routeKey(kind: RouteKind, position = 0): string {
  return position === 0 ? kind : `${kind} ${position + 1}`;
}

/** Kind of a route by its key. */
export function routeKind(key: string): RouteKind {
  return key.split(" ", 1)[0] as RouteKind;
}
