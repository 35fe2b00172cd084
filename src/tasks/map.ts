import { z } from "zod";
import { defineTaskType } from "./define.ts";
import { groupParameters } from "./parallel.ts";
import { anyJson, keyed } from "./schema/schemas.ts";

/** Maximum number of children of one `map`. */
const MAX_MAP_ITEMS = 10_000;

/** `map`: one child for each element of a list. */
export const map = defineTaskType({
  type: "map",
  effect: "group",
  summary: "Runs one task per element of a list.",
  documentation:
    'The child reads its element as `item` and its position as `index`. `items` must evaluate to an array, otherwise the task fails with `MAP_ITEMS_INVALID`; more than 10,000 elements fail it with `MAP_TOO_LARGE`. Children start in the order of the list, at most `max_concurrency` are open at once. The output is `{"outputs": […]}`; no elements complete the task immediately.',
  parameters: keyed({
    items: z
      .array(anyJson)
      .max(MAX_MAP_ITEMS)
      .meta({ description: "The list to map over; usually one `${…}` that evaluates to a list." }),
    task: z.record(z.string(), z.unknown()).meta({ description: "The child." }),
    ...groupParameters,
  }),
  result: keyed({ outputs: z.array(anyJson).meta({ description: "Outputs of the children." }) }),
  example: `id: analyse_all
type: map
parameters:
  items: "\${vars.files}"
  max_concurrency: 4
  task:
    type: http
    parameters: {method: POST, url: "https://analyse.example/files", body: {name: "\${item}", position: "\${index}"}}
    retry_policy: {max_retries: 2}
`,
});
