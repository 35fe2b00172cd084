import { defineTaskType } from "./define.ts";
import { anyJson, keyed } from "./schema/schemas.ts";

/** `transform`: a value computed from variables and outputs. */
export const transform = defineTaskType({
  type: "transform",
  effect: "pure",
  summary: "Computes a value from variables and the outputs of other tasks.",
  documentation:
    "Pure: it is evaluated in the transition of the run itself and calls nothing. Its output is the evaluated `output` parameter. An expression that cannot be evaluated fails it with `EXPRESSION_FAILED`, which is not retried.",
  parameters: keyed({
    output: anyJson.meta({ description: "The value; usually contains `${…}`." }),
  }),
  result: anyJson,
  example: `id: total
type: transform
parameters:
  output:
    sum: "\${vars.net + vars.tax}"
    text: "Total for \${vars.customer}"
`,
});
