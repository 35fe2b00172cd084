import { z } from "zod";
import { defineTaskType } from "./define.ts";
import { budget } from "./schema/budget.ts";
import {
  anyJson,
  ID_PATTERN,
  ID_PROBLEM,
  keyed,
  labelMap,
  PLAIN_TEXT,
  PLAIN_TEXT_PROBLEM,
  versionText,
} from "./schema/schemas.ts";

/** What happens to an open child run when its parent ends. */
const CLOSE_POLICIES = ["cancel", "terminate", "abandon"] as const;

/** `subflow`: another flow as a child run. */
export const subflow = defineTaskType({
  type: "subflow",
  effect: "wait",
  limits: ["retry_policy", "timeout", "schedule_to_close_timeout"],
  summary: "Runs another flow as a child run and returns its output.",
  documentation:
    "The id of the child run is derived from the parent, the task, and the iteration, so that a restart never starts it twice. With a `budget`, it is SUSPENDED when it needs more than that, while this run goes on. A child run that does not complete fails the task with `CHILD_RUN_FAILED` or `CHILD_RUN_CANCELED`.",
  parameters: keyed({
    flow_id: z.string().regex(ID_PATTERN, { error: ID_PROBLEM }).max(64).meta({ description: "The flow." }),
    version: versionText.optional().meta({ description: "Its version; the last registered one by default." }),
    input: z.record(z.string(), anyJson).optional().meta({ description: "Input of the child run." }),
    close_policy: z
      .enum(CLOSE_POLICIES)
      .optional()
      .meta({ description: "What happens to the child when the parent ends; cancel by default." }),
    run_key: z
      .string()
      .min(1)
      .max(256)
      .regex(PLAIN_TEXT, { error: PLAIN_TEXT_PROBLEM })
      .optional()
      .meta({ description: "Business key; at most one open run has it at a time." }),
    budget: budget.optional().meta({
      description:
        "What the child run, with its own child runs, may spend: of each limit the lower one of this and of its flow. It spends the budgets of this run and of the runs above, too. `${…}` is evaluated when it starts.",
    }),
    labels: labelMap.optional().meta({
      description:
        "Labels of the child run, added to those of this run. Values are text; `string(…)` converts a number.",
    }),
  }),
  result: anyJson,
  example: `id: pay
type: subflow
parameters:
  flow_id: payment
  input: {invoice_id: "\${vars.invoice_id}"}
  close_policy: cancel
`,
});
