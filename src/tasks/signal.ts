import { z } from "zod";
import { SIGNAL_NAME_PATTERN, SIGNAL_NAME_PROBLEM } from "../base/process/signal-name.ts";
import { defineTaskType } from "./define.ts";
import { anyJson, keyed } from "./schema/schemas.ts";

export const signalName = z.string().regex(SIGNAL_NAME_PATTERN, { error: SIGNAL_NAME_PROBLEM });

/** `signal`: waits for a signal from outside. */
export const signal = defineTaskType({
  type: "signal",
  effect: "wait",
  summary: "Waits for a named signal and returns its payload.",
  documentation:
    "Signals queue by name in order of arrival, even before the task starts; each is consumed once. With `timeout`, the task becomes `TIMED_OUT` with the type `SIGNAL_TIMEOUT` if none arrives in time; that is not retried.",
  parameters: keyed({
    name: signalName
      .optional()
      .meta({ description: "Name of the signal; the id of the task by default (required for children)." }),
  }),
  result: anyJson,
  example: `id: payment_received
type: signal
parameters: {name: payment}
timeout: 24h
`,
});
