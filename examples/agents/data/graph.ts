/** A property graph in memory: nodes with labels, relationships with a type and a direction, properties on both. */
import { readFileSync } from "node:fs";
import type { Json, JsonObject } from "../shared/json.ts";
import { AgentError } from "../shared/messages.ts";

export interface GraphNode {
  readonly id: string;
  readonly labels: readonly string[];
  readonly properties: JsonObject;
}

export interface Relationship {
  readonly id: string;
  readonly type: string;
  readonly from: string;
  readonly to: string;
  readonly properties: JsonObject;
}

/** A relationship as it is met at one of its ends. */
export interface Hop {
  readonly relationship: Relationship;
  readonly direction: "out" | "in";
  /** The node at the other end. */
  readonly other: GraphNode;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  find(id: string): GraphNode | undefined;
  /** In the order of the file; one from a node to itself comes once. */
  hopsOf(id: string): readonly Hop[];
}

/** A property by a name that may be anything; undefined if there is none. */
export function propertyOf({ properties }: GraphNode | Relationship, name: string): Json | undefined {
  return Object.hasOwn(properties, name) ? properties[name] : undefined;
}

/** Reads a graph from a JSON file `{nodes, relationships}`. Throws when a relationship leads nowhere. */
export function readGraph(file: URL): Graph {
  const { nodes, relationships } = JSON.parse(readFileSync(file, "utf8")) as {
    readonly nodes: readonly GraphNode[];
    readonly relationships: readonly Relationship[];
  };
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const hops = new Map<string, Hop[]>(nodes.map(({ id }) => [id, []]));
  for (const relationship of relationships) {
    const { id, from, to } = relationship;
    const [source, target] = [byId.get(from), byId.get(to)];
    if (source === undefined || target === undefined) throw new Error(`relationship ${id} leads from or to no node`);
    hops.get(from)?.push({ relationship, direction: "out", other: target });
    if (from !== to) hops.get(to)?.push({ relationship, direction: "in", other: source });
  }
  return { nodes, find: (id) => byId.get(id), hopsOf: (id) => hops.get(id) ?? [] };
}

/** A node with what `enrich` asks for. */
export function enrichNode(graph: Graph, node: GraphNode, enrich: readonly string[]): JsonObject {
  const hops = graph.hopsOf(node.id);
  const enriched: Record<string, JsonObject[string]> = { ...node };
  for (const what of enrich) {
    if (what === "metadata") enriched[what] = metadataOf(hops);
    else if (what === "neighbors") enriched[what] = [...new Set(hops.map(({ other }) => other.id))];
    else throw new AgentError("REQUEST_INVALID", `enrich: "${what}" is unknown; write metadata or neighbors`);
  }
  return enriched;
}

function metadataOf(hops: readonly Hop[]): JsonObject {
  const relationships: Record<string, number> = {};
  for (const { relationship } of hops) relationships[relationship.type] = (relationships[relationship.type] ?? 0) + 1;
  const incoming = hops.filter(({ direction }) => direction === "in").length;
  return { degree: hops.length, incoming, outgoing: hops.length - incoming, relationships };
}
