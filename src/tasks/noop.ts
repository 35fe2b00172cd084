import { defineTaskType } from "./define.ts";
import { anyJson, keyed } from "./schema/schemas.ts";

/** `noop`: dispatched and journaled like a tool call, but calls nothing. */
export const noop = defineTaskType({
  type: "noop",
  effect: "effectful",
  summary: "Does nothing and returns what it is given.",
  documentation:
    "Goes through everything that a tool call goes through (dispatch record, attempts, timeouts) and has no effect. For tests, benchmarks and placeholders.",
  parameters: keyed({
    output: anyJson.optional().meta({ description: "The output; null when absent." }),
  }),
  result: anyJson,
  example: `id: placeholder
type: noop
parameters:
  output: {ready: true}
`,
});
