/**
 * A small part of Cypher, read and run:
 *
 *   MATCH (n:Label {key: value})                          one node
 *   MATCH (n)-[r:TYPE|OTHER {key: value}]->(m:Label)      one hop: -->, <--, or -- for both directions
 *   WHERE n.key > 3 AND m.key = $name                     = <> < <= > >=, CONTAINS, STARTS WITH, ENDS WITH
 *   RETURN n, r, m.key AS name
 *   LIMIT 100
 *
 * As in Cypher, an undirected hop matches every relationship once from each of its ends. Everything else is refused
 * with the word that is not understood.
 */
import type { Json, JsonObject } from "../shared/json.ts";
import { AgentError } from "../shared/messages.ts";
import { type Graph, type GraphNode, type Hop, propertyOf, type Relationship } from "./graph.ts";
import { type Condition, type ElementPattern, type Item, parseCypher, type Statement } from "./parse-cypher.ts";

/** Rows by the names of their columns. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly Readonly<Record<string, GraphNode | Relationship | Json>>[];
}

/** Rows that a statement without LIMIT may have. */
export const MAX_ROWS = 10_000;

type Bound = Readonly<Record<string, GraphNode | Relationship>>;

/** Runs a statement. Throws CYPHER_NOT_SUPPORTED, CYPHER_SYNTAX, or RESULT_TOO_LARGE. */
export function runCypher(graph: Graph, text: string, parameters: JsonObject): Table {
  const statement = parseCypher(text, parameters);
  const columns = statement.items.map(({ name }) => name);
  const limit = statement.limit ?? MAX_ROWS + 1;
  const rows: Table["rows"][number][] = [];
  for (const bound of matchAll(graph, statement)) {
    if (rows.length >= limit) break;
    if (!statement.where.every((condition) => holds(condition, bound))) continue;
    if (rows.length >= MAX_ROWS)
      throw new AgentError("RESULT_TOO_LARGE", `more than ${MAX_ROWS} rows; add LIMIT to the statement`);
    rows.push(Object.fromEntries(statement.items.map((item) => [item.name, readValue(item, bound)])));
  }
  return { columns, rows };
}

function* matchAll(graph: Graph, { start, hop }: Statement): Generator<Bound> {
  for (const node of graph.nodes) {
    if (!fits(node, start)) continue;
    const bound: Bound = start.variable === null ? {} : { [start.variable]: node };
    if (hop === null) yield bound;
    else
      for (const each of graph.hopsOf(node.id)) {
        if (!leads(each, hop.direction) || !fits(each.relationship, hop.relationship) || !fits(each.other, hop.end))
          continue;
        // The same variable at both ends is the same node.
        if (hop.end.variable !== null && hop.end.variable === start.variable && each.other !== node) continue;
        yield {
          ...bound,
          ...(hop.relationship.variable === null ? {} : { [hop.relationship.variable]: each.relationship }),
          ...(hop.end.variable === null ? {} : { [hop.end.variable]: each.other }),
        };
      }
  }
}

/** A relationship from a node to itself leads both ways. */
function leads({ direction, relationship }: Hop, wanted: "out" | "in" | "both"): boolean {
  return wanted === "both" || wanted === direction || relationship.from === relationship.to;
}

function fits(element: GraphNode | Relationship, { names, properties }: ElementPattern): boolean {
  const fitsName =
    "labels" in element ? names.every((name) => element.labels.includes(name)) : names.includes(element.type);
  return (
    (names.length === 0 || fitsName) &&
    Object.entries(properties).every(([key, value]) => isEqual(propertyOf(element, key), value))
  );
}

function readValue({ variable, property }: Item, bound: Bound): GraphNode | Relationship | Json {
  const element = bound[variable];
  if (element === undefined) throw new AgentError("CYPHER_SYNTAX", `the variable ${variable} is not in the pattern`);
  return property === null ? element : (propertyOf(element, property) ?? null);
}

function holds({ operand, operator, value }: Condition, bound: Bound): boolean {
  const own = readValue({ ...operand, name: "" }, bound) as Json;
  // Nothing is true of what is not there.
  if (own === null || value === null) return false;
  if (operator === "=") return isEqual(own, value);
  if (operator === "<>") return !isEqual(own, value);
  if (typeof own === "string" && typeof value === "string") {
    if (operator === "CONTAINS") return own.includes(value);
    if (operator === "STARTS WITH") return own.startsWith(value);
    if (operator === "ENDS WITH") return own.endsWith(value);
  } else if (typeof own !== "number" || typeof value !== "number") return false;
  if (operator === "<") return own < value;
  if (operator === "<=") return own <= value;
  if (operator === ">") return own > value;
  return operator === ">=" && own >= value;
}

function isEqual(a: Json | undefined, b: Json): boolean {
  return a === b || (typeof a === "object" && a !== null && JSON.stringify(a) === JSON.stringify(b));
}
