import { defineTaskType } from "./define.ts";
import { anyJson, keyed } from "./schema/schemas.ts";

/** `noop`: dispatched and journaled like a tool call, but calls nothing. */
export const noop = defineTaskType({
  type: "noop",
  effect: "effectful",
  summary: "Does nothing and returns its parameter.",
  documentation:
    "Takes every step of a tool call (dispatch record, attempts, timeouts) and has no effect. For tests, benchmarks, and placeholders.",
  parameters: keyed({
    output: anyJson.optional().meta({ description: "The output; null by default." }),
  }),
  result: anyJson,
  example: `id: placeholder
type: noop
parameters:
  output: {ready: true}
`,
});
