/** The operations of data tasks: traverse, search, enrich. */
import type { Handle } from "../shared/desk.ts";
import type { Json, JsonObject } from "../shared/json.ts";
import { runCypher } from "./cypher.ts";
import { createEmbedder, EMBEDDING, similarityOf } from "./embedding.ts";
import { enrichNode, type Graph, type GraphNode, propertyOf } from "./graph.ts";

const DEFAULT_LIMIT = 10;

/** The parameters of a data task; they have passed `data-parameters.schema.json`. */
interface DataParameters {
  readonly operation: "traverse" | "search" | "enrich";
  readonly query?: string | Query;
  readonly ids?: readonly string[];
  readonly enrich?: readonly string[];
}

interface Query {
  readonly cypher?: string;
  readonly parameters?: JsonObject;
  readonly text?: string;
  readonly limit?: number;
  readonly threshold?: number;
  readonly filter?: { readonly labels?: readonly string[]; readonly properties?: JsonObject };
}

/** Builds the handler for a graph. The vectors of its nodes are made once. */
export function createDataHandler(graph: Graph): Handle {
  const texts = graph.nodes.map(textOf);
  const embedder = createEmbedder(texts);
  const vectors = new Map(graph.nodes.map((node, index) => [node.id, embedder.embed(texts[index] ?? "")]));

  const search = ({ text, limit = DEFAULT_LIMIT, threshold = 0, filter = {} }: Query, enrich: readonly string[]) => {
    const { labels = [], properties = {} } = filter;
    const candidates = graph.nodes.filter(
      (node) =>
        (labels.length === 0 || node.labels.some((label) => labels.includes(label))) &&
        Object.entries(properties).every(([key, value]) => propertyOf(node, key) === value),
    );
    const wanted = text === undefined || text.trim() === "" ? null : embedder.embed(text);
    const scored = candidates.map((node) => {
      const vector = vectors.get(node.id);
      const score = wanted === null || vector === undefined ? null : round(similarityOf(wanted, vector));
      return { score, node };
    });
    const results = scored
      .filter(({ score }) => score === null || (score >= threshold && score !== 0))
      // Equal ones stay in the order of the graph.
      .sort((a, b) => (b.score ?? 0) - (a.score ?? 0))
      .slice(0, limit)
      .map(({ score, node }) => ({ score, node: enrichNode(graph, node, enrich) }));
    return { operation: "search", count: results.length, embedding: EMBEDDING, results };
  };

  const traverse = ({ cypher = "", parameters = {} }: Query, enrich: readonly string[]) => {
    const { columns, rows } = runCypher(graph, cypher, parameters);
    const enriched = rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [name, isNode(value) ? enrichNode(graph, value, enrich) : value]),
      ),
    );
    return { operation: "traverse", count: rows.length, columns, rows: enriched };
  };

  return async (parameters) => {
    const { operation, query = {}, ids = [], enrich = [] } = parameters as unknown as DataParameters;
    let output: unknown;
    if (operation === "traverse") output = traverse(typeof query === "string" ? { cypher: query } : query, enrich);
    else if (operation === "search") output = search(typeof query === "string" ? { text: query } : query, enrich);
    else {
      const found = ids.flatMap((id) => graph.find(id) ?? []);
      const added = enrich.length === 0 ? ["metadata"] : enrich;
      const nodes = found.map((node) => enrichNode(graph, node, added));
      output = { operation, count: nodes.length, nodes, missing: ids.filter((id) => graph.find(id) === undefined) };
    }
    return output as Json;
  };
}

/** What a node says in words: its labels and the texts among its properties. */
function textOf({ labels, properties }: GraphNode): string {
  return [...labels, ...Object.values(properties).filter((value) => typeof value === "string")].join(" ");
}

function isNode(value: unknown): value is GraphNode {
  return typeof value === "object" && value !== null && "labels" in value;
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
