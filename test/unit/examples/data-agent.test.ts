/** The data agent's answers about its museum, judged by the schemas in contracts/agents. */
import { describe, expect, test } from "vitest";
import { readGraph } from "../../../examples/agents/data/graph.ts";
import { createDataHandler } from "../../../examples/agents/data/handle.ts";
import type { Work } from "../../../examples/agents/shared/desk.ts";
import type { JsonObject } from "../../../examples/agents/shared/json.ts";
import { findAgentProblems } from "../../support/agents.ts";

const graph = readGraph(new URL("../../../examples/agents/data/museum.json", import.meta.url));
const handle = createDataHandler(graph);
const relationships = graph.nodes.flatMap(({ id }) => graph.hopsOf(id).filter(({ direction }) => direction === "out"));

/** Does a task. Parameters and output fit their schemas. */
async function call(parameters: JsonObject) {
  expect(findAgentProblems("data-parameters", parameters)).toBe("");
  const output = await handle(parameters, { signal: AbortSignal.timeout(10_000) } as Work);
  expect(findAgentProblems("data-output", output)).toBe("");
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect
  return output as any;
}

const traverse = (cypher: string, parameters: JsonObject = {}) =>
  call({ operation: "traverse", query: { cypher, parameters } });

describe("traverse", () => {
  test("nodes up to a limit, in the order of the file", async () => {
    const { columns, rows, count } = await traverse("MATCH (n) RETURN n LIMIT 3");
    expect({ columns, count }).toEqual({ columns: ["n"], count: 3 });
    expect(rows[0].n).toMatchObject({ id: "room-1", labels: ["Room"], properties: { name: "Entrance hall" } });
    expect((await traverse("MATCH (n) RETURN n LIMIT 10000")).count).toBe(graph.nodes.length);
    expect((await traverse("MATCH (n) RETURN n LIMIT 0")).count).toBe(0);
  });

  test("an undirected hop gives each relationship from both of its ends", async () => {
    expect((await traverse("MATCH (n)-[r]-(m) RETURN n,r,m LIMIT 100")).count).toBe(100);
    const { rows } = await traverse("MATCH (n)-[r]-(m) RETURN n,r,m");
    expect(rows).toHaveLength(2 * relationships.length);
    expect((await traverse("MATCH (n)-->(m) RETURN m.name")).count).toBe(relationships.length);
    expect((await traverse("MATCH (n)<--(m) RETURN m.name")).count).toBe(relationships.length);
  });

  test("labels, types, properties, comparisons, and parameters", async () => {
    const made = await traverse("MATCH (m:Maker {name: $who})-[r:MADE]->(w) RETURN w.title, r.year AS year", {
      who: "Odile Varn",
    });
    expect(made.columns).toEqual(["w.title", "year"]);
    expect(made.rows).toContainEqual({ "w.title": "Clock with a singing bird", year: 1790 });
    expect(made.count).toBe(3);
    const old = await traverse(
      "match (w:Work)-[:SHOWN_IN]->(r:Room {floor: 1}) where w.year < 1850 and w.title contains 'lamp' return w.title as t",
    );
    expect(old.rows).toEqual([{ t: "Green harbor lamp" }, { t: "Amber ceiling lamp" }]);
    expect((await traverse("MATCH (p:Maker:Person) RETURN p")).count).toBe(7);
    expect((await traverse("MATCH (a)-[r:TAUGHT|INSPIRED]-(b) RETURN r")).count).toBe(10);
    expect((await traverse("MATCH (n {missing: null}) RETURN n")).count).toBe(0);
  });

  test.each(["constructor", "__proto__", "toString", "missing"])("a node has no property %s", async (name) => {
    expect((await traverse(`MATCH (n) RETURN n.${name} AS x LIMIT 1`)).rows).toEqual([{ x: null }]);
    expect((await traverse(`MATCH (n {${name}: 'x'}) RETURN n`)).count).toBe(0);
    expect((await traverse(`MATCH (n) WHERE n.${name} <> 'x' RETURN n`)).count).toBe(0);
    const filter = { properties: JSON.parse(`{"${name}": "x"}`) as JsonObject };
    expect((await call({ operation: "search", query: { filter } })).count).toBe(0);
    const { columns } = await traverse(`MATCH (${name}) RETURN ${name} LIMIT 1`);
    expect(columns).toEqual([name]);
  });

  test("enrich adds what is asked for", async () => {
    const query = { cypher: "MATCH (n {name: 'Odile Varn'}) RETURN n" };
    const { rows } = await call({ operation: "traverse", query, enrich: ["metadata", "neighbors"] });
    expect(rows[0].n).toMatchObject({
      metadata: { degree: 5, incoming: 0, outgoing: 5, relationships: { MADE: 3, TAUGHT: 1, INSPIRED: 1 } },
      neighbors: ["work-1", "work-2", "work-3", "maker-4", "maker-7"],
    });
  });

  test.each([
    ["OPTIONAL MATCH (n) RETURN n", "OPTIONAL MATCH"],
    ["CREATE (n) RETURN n", "CREATE"],
    ["MATCH (n) DETACH DELETE n", "DETACH DELETE"],
    ["MATCH (n) SET n.x = 1", "SET"],
    ["MATCH (n) WITH n RETURN n", "WITH"],
    ["MATCH (n) RETURN n ORDER BY n.name", "ORDER BY"],
    ["MATCH (n) RETURN n SKIP 5", "SKIP"],
    ["MATCH (n) RETURN n UNION ALL MATCH (m) RETURN m", "UNION ALL"],
    ["MATCH (n) OPTIONAL MATCH (n)-->(m) RETURN n", "OPTIONAL MATCH"],
    ["MATCH (n) MATCH (m) RETURN n", "more than one MATCH"],
    ["CALL db.labels()", "CALL"],
    ["UNWIND [1] AS x RETURN x", "UNWIND"],
    ["MERGE (n) RETURN n", "MERGE"],
    ["MATCH (n) RETURN count(n)", "the function count()"],
    ["MATCH (n) RETURN DISTINCT n", "DISTINCT"],
    ["MATCH (n) RETURN *", "RETURN *"],
    ["MATCH (n)-[*1..3]-(m) RETURN n", "paths of variable length (*)"],
    ["MATCH (a)-->(b)-->(c) RETURN a", "more than one hop"],
    ["MATCH (a), (b) RETURN a", "more than one pattern"],
    ["MATCH p = (a)-->(b) RETURN p", "named paths"],
    ["MATCH (n)<-[r]->(m) RETURN n", "a hop with an arrow at both ends (leave both away)"],
    ["MATCH (n) WHERE n.x = 1 OR n.y = 2 RETURN n", "OR"],
    ["MATCH (n) WHERE NOT n.x = 1 RETURN n", "NOT"],
  ])("%s is refused by the name of what is not supported", async (cypher, word) => {
    await expect(traverse(cypher)).rejects.toMatchObject({
      problem: {
        type: "CYPHER_NOT_SUPPORTED",
        message: expect.stringContaining(`CYPHER_NOT_SUPPORTED: ${word}. `),
        retryable: false,
      },
    });
  });

  test.each([
    ["MATCH (n) RETURN n LIMIT ten", 'expected a value, got "ten"'],
    ["MATCH (n) RETURN n LIMIT -1", "LIMIT is -1; write a whole number"],
    ["MATCH (n) RETURN n LIMIT 2.5", "LIMIT is 2.5; write a whole number"],
    ["MATCH (n) RETURN m", "the variable m is not in the pattern"],
    ["MATCH (n RETURN n", 'expected ")", got "RETURN"'],
    ["MATCH (n) RETURN n LIMIT 5 extra", 'expected the end of the statement, got "extra"'],
    ["MATCH (n {a: $b}) RETURN n", 'query.parameters has no "b"'],
    ["", "expected MATCH, got the end"],
    ["MATCH (n {a: $constructor}) RETURN n", 'query.parameters has no "constructor"'],
    ["MATCH (n) RETURN n, n", "two columns have the name n; name one with AS"],
    ["MATCH (n)-->(m) RETURN n.name AS m, m", "two columns have the name m; name one with AS"],
    ["MATCH (n) RETURN n # x", '"# x" is not understood'],
  ])("%s is a mistake, and the message says which", async (cypher, message) => {
    await expect(traverse(cypher)).rejects.toMatchObject({ problem: { type: "CYPHER_SYNTAX", message } });
  });
});

describe("search", () => {
  const titles = async (query: JsonObject): Promise<string[]> =>
    (await call({ operation: "search", query })).results.map(
      ({ node }: { readonly node: { readonly properties: JsonObject } }) =>
        node.properties["title"] ?? node.properties["name"],
    );

  test("finds what is similar in its words, the most similar first", async () => {
    expect((await titles({ text: "fishing boats" }))[0]).toBe("Boats at low tide");
    expect((await titles({ text: "herons in a garden" })).slice(0, 2)).toEqual([
      "Garden with herons",
      "Heron in the reeds",
    ]);
    // A stem is enough.
    expect(await titles({ text: "clockmaking", limit: 3 })).toContain("Odile Varn");
  });

  test("is the same at every call, and for every spelling of case", async () => {
    const first = await call({ operation: "search", query: { text: "Stars At Night" } });
    expect(await call({ operation: "search", query: "stars at night" })).toEqual(first);
    expect(first.results[0].node.properties.title).toBe("Night light with stars");
    const scores = first.results.map(({ score }: { readonly score: number }) => score);
    expect(scores).toEqual(scores.toSorted((a: number, b: number) => b - a));
  });

  test("keeps to limit, threshold, and filter", async () => {
    expect(await titles({ text: "harbor", limit: 1 })).toHaveLength(1);
    const query = { text: "harbor", limit: 1000 };
    const all = await call({ operation: "search", query });
    const near = await call({ operation: "search", query: { ...query, threshold: 0.2 } });
    expect(near.count).toBeGreaterThan(0);
    expect(near.count).toBeLessThan(all.count);
    const filter = { labels: ["Exhibition"], properties: { year: 2024 } };
    expect(await titles({ ...query, filter })).toEqual(["Time and tide"]);
    expect(await titles({ text: "zzzz qqqq", threshold: 0.5 })).toEqual([]);
  });

  test("without text lists nodes, without a similarity", async () => {
    const { results, count } = await call({ operation: "search", query: {} });
    expect(await call({ operation: "search" })).toMatchObject({ count });
    expect(count).toBe(10);
    expect(results[0]).toMatchObject({ score: null, node: { id: "room-1" } });
  });
});

test("enrich adds metadata to nodes by id, and names those that are not there", async () => {
  const { nodes, missing } = await call({ operation: "enrich", ids: ["show-1", "nothing", "__proto__"] });
  expect(nodes).toMatchObject([{ id: "show-1", metadata: { outgoing: 5, relationships: { INCLUDES: 5 } } }]);
  expect(missing).toEqual(["nothing", "__proto__"]);
});

test("parameters that the agent cannot use do not fit the schema", () => {
  for (const parameters of [
    {},
    { operation: "delete" },
    { operation: "traverse" },
    { operation: "traverse", query: { text: "a" } },
    { operation: "enrich" },
    { operation: "search", query: "" },
    { operation: "search", query: { limit: 0 } },
    { operation: "search", enrich: ["everything"] },
  ])
    expect(findAgentProblems("data-parameters", parameters), JSON.stringify(parameters)).not.toBe("");
});
