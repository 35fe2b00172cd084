import { z } from "zod";
import { defineTaskType } from "./define.ts";
import { duration, instant, keyed } from "./schema/schemas.ts";

/** `wait`: a durable timer. */
export const wait = defineTaskType({
  type: "wait",
  effect: "wait",
  limits: [],
  summary: "Waits durably for a duration or until a time.",
  documentation:
    "Set `duration` or `until`. The due time is fixed and journaled when the task starts, so a restart does not prolong it. A duration of 0 and a time in the past complete immediately. The output is null.",
  parameters: keyed({
    duration: duration.optional().meta({ description: "How long: seconds or text with units." }),
    until: instant
      .optional()
      .meta({ description: "Until when: RFC 3339 with a time zone, for example 2030-01-31T08:00:00Z." }),
  }).refine((value) => (value.duration === undefined) !== (value.until === undefined), {
    error: "give either duration or until",
  }),
  result: z.null(),
  example: `id: cool_down
type: wait
parameters: {duration: 5m}
`,
});
