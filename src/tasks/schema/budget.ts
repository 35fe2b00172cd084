/** The budget of a run, as flows write it: for all of their runs, or for one child run. */
import { z } from "zod";
import { parseDurationMs } from "../../base/time/duration.ts";
import { duration, keyed } from "./schemas.ts";

/** What a run may spend. */
export const budget = keyed({
  max_cost_usd: z
    .number()
    .min(0)
    .max(1_000_000)
    .optional()
    .meta({ description: "What calls to models may cost together, dollars." }),
  max_tokens: z.int().min(0).optional().meta({ description: "Tokens of models, of input and output together." }),
  max_time: duration.optional().meta({
    description: "How long attempts may run together; waits, holds, and questions to people do not count.",
  }),
  max_steps: z.int().min(0).optional().meta({ description: "How many attempts may be made together." }),
  unpriced: z.enum(["refuse", "tokens_only"]).optional().meta({
    description:
      "What `max_cost_usd` does with models without a price: `refuse` (the default) fails their calls with PRICE_MISSING, `tokens_only` lets them spend tokens alone.",
  }),
  compensation: z.boolean().optional().meta({
    description:
      "Whether calls to models that undo tasks spend it, too; false by default, so that a run that has used it up can still be undone.",
  }),
});

/** The budget that it writes: limits in millionths of a dollar, tokens, milliseconds, and attempts. */
export function readBudget(written: z.infer<typeof budget>) {
  const { max_cost_usd, max_tokens, max_time, max_steps, unpriced, compensation } = written;
  return {
    ...(unpriced === "tokens_only" ? { unpriced } : {}),
    ...(compensation === true ? ({ compensation } as const) : {}),
    ...(max_cost_usd === undefined ? {} : { maxCostMicros: Math.floor(max_cost_usd * 1_000_000 + 1e-6) }),
    ...(max_tokens === undefined ? {} : { maxTokens: max_tokens }),
    ...(max_steps === undefined ? {} : { maxSteps: max_steps }),
    ...(max_time === undefined ? {} : { maxTimeMs: parseDurationMs(max_time) }),
  };
}
