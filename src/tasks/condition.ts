import { z } from "zod";
import { defineTaskType } from "./define.ts";
import { keyed } from "./schema/schemas.ts";

/** `condition`: chooses between two sides of a flow. */
export const condition = defineTaskType({
  type: "condition",
  effect: "pure",
  summary: "Chooses between the tasks of `on_success` and those of `on_failure`.",
  documentation:
    "`condition` is a key of the task itself, not of `parameters`, and must evaluate to a boolean; any other result fails the task with `EXPRESSION_FAILED`. The tasks that `on_success` and `on_failure` name depend on the condition. A target of the side that is not taken is skipped with the reason `NOT_TAKEN`, unless the side taken reaches it too. Not allowed as a child of `parallel` or `map`.",
  parameters: keyed({}),
  result: keyed({ result: z.boolean().meta({ description: "Result of the condition." }) }),
  example: `id: quality_check
type: condition
condition: "\${vars.score > 0.8}"
on_success: [publish]
on_failure: [rework]
`,
});
