import { z } from "zod";
import { defineTaskType } from "../define.ts";
import { anyJson } from "../schema/schemas.ts";
import { ABOUT_AGENTS, AGENT_TIMEOUT_MS, toAgents } from "./leaving.ts";

/** `data`: an operation on data, which an agent does. */
export const data = defineTaskType({
  type: "data",
  effect: "remote",
  leaving: toAgents("data"),
  defaultTimeoutMs: AGENT_TIMEOUT_MS,
  summary: "Asks a data agent: to traverse a graph, to search, to enrich.",
  documentation: ABOUT_AGENTS,
  parameters: z.looseObject({
    operation: z
      .string()
      .min(1)
      .max(255)
      .meta({ description: "What is done, such as `traverse`, `search`, `enrich`." }),
    query: anyJson.optional().meta({ description: "What is asked, such as `{cypher: …}`." }),
    enrich: anyJson.optional().meta({ description: "What is added to the answer." }),
  }),
  result: anyJson,
  example: `id: graph_query
type: data
parameters:
  operation: traverse
  query: {cypher: "MATCH (n) RETURN n LIMIT \${vars.query}"}
  enrich: [metadata]
timeout: 60
`,
});
