import { z } from "zod";
import { defineTaskType } from "./define.ts";
import { anyJson, keyed } from "./schema/schemas.ts";

/** `graph`: the only task of a `graph` flow. Flows do not declare it; `workflow.graph` does. */
export const graph = defineTaskType({
  type: "graph",
  effect: "effectful",
  summary: "Runs a LangGraph graph that a configured module exports.",
  documentation:
    "The service makes this task from `workflow.graph: name`; a flow cannot contain it. Its input is the variables of the run; its output is the final state of the graph.",
  parameters: keyed({
    input: z.record(z.string(), anyJson).meta({ description: "Input of the graph: the variables of the run." }),
  }),
  result: anyJson,
  example: "",
});
