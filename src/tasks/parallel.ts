import { z } from "zod";
import { defineTaskType } from "./define.ts";
import { anyJson, keyed } from "./schema/schemas.ts";

/** Default of `max_concurrency`. */
export const DEFAULT_MAX_CONCURRENCY = 50;

/** Maximum of `max_concurrency`. */
const MAX_CONCURRENCY = 1_000;

/** Keys that `parallel` and `map` share. */
export const groupParameters = {
  max_concurrency: z
    .int()
    .min(1)
    .max(MAX_CONCURRENCY)
    .optional()
    .meta({ description: `How many children are open at once; ${DEFAULT_MAX_CONCURRENCY} by default.` }),
  fail_fast: z
    .boolean()
    .optional()
    .meta({ description: "Whether the first failed child cancels the others; false by default." }),
};

/** `parallel`: a fixed list of children. */
export const parallel = defineTaskType({
  type: "parallel",
  effect: "group",
  summary: "Runs a fixed list of tasks at the same time.",
  documentation:
    'Children are real tasks with the ids `id.0`, `id.1` …. They have no `id` of their own and no dependencies, and may be of any type except `condition`. They read their position as `index`. The output is `{"outputs": […]}` in the order of the list, null for a child whose failure was handled by `on_error: continue`; other tasks read it as `tasks.id.outputs[i]`. A failed child fails the task with `CHILD_FAILED`, not retried.',
  parameters: keyed({
    tasks: z.array(z.record(z.string(), z.unknown())).max(1_000).meta({ description: "The children." }),
    ...groupParameters,
  }),
  result: keyed({ outputs: z.array(anyJson).meta({ description: "Outputs of the children." }) }),
  example: `id: parallel_processing
type: parallel
parameters:
  max_concurrency: 2
  tasks:
    - type: http
      parameters: {url: "https://search.example/api?q=\${vars.query}"}
    - type: transform
      parameters: {output: "\${vars.query}"}
`,
});
