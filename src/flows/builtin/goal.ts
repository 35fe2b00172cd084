/** The flow of a goal: it waits for its result, which comes from outside. */
import type { BuiltInDocument } from "../ports/built-in.ts";
import { GOAL_FLOW } from "./ids.ts";

/** The limit that lets goals begin. The service does not declare it: goals wait until somebody does, who does them. */
export const GOAL_LIMIT = "orchestrator.dev/goals";

/** The signal that ends a goal, and the task that waits for it. */
export const GOAL_RESULT = "result";

/** The same object for the life of the process. */
export const GOAL_DOCUMENT: BuiltInDocument = {
  id: GOAL_FLOW,
  name: "Goal",
  description: "Something to be done, said in words, submitted to GoalService.",
  variables: [
    { name: "goal", type: "string", required: true },
    { name: "constraints", type: "array", required: true },
    { name: "acceptance_criteria", type: "array", required: true },
    { name: "priority", type: "string", required: true },
    { name: "max_cost_micros", type: "integer", required: true },
    { name: "max_time_seconds", type: "integer", required: true },
    { name: "max_tokens", type: "integer", required: true },
  ],
  workflow: {
    signals: {
      [GOAL_RESULT]: {
        schema: {
          type: "object",
          required: ["output"],
          properties: { output: {}, confidence: { type: "number", minimum: 0, maximum: 1 } },
          additionalProperties: false,
        },
      },
    },
    tasks: [{ id: GOAL_RESULT, type: "signal", timeout: "${vars.max_time_seconds}" }],
    output: `\${tasks.${GOAL_RESULT}.output.output}`,
  },
};
