/** What a call to a model reserves: the most that it may cost. */
import type { Amount } from "../ports/models/budgets.ts";
import type { CallSize } from "../ports/models/estimates.ts";
import { NOTHING } from "./allot.ts";

/** What a call may cost at most; null: it has no price. */
export function reserveOf(call: Omit<CallSize, "provider" | "model">): Amount | null {
  const { inputTokens, maxOutputTokens, inputPriceMicros, outputPriceMicros } = call;
  if (inputPriceMicros === null || outputPriceMicros === null) return null;
  const costMicros = Math.ceil((inputTokens * inputPriceMicros + maxOutputTokens * outputPriceMicros) / 1_000_000);
  return { ...NOTHING, costMicros, tokens: inputTokens + maxOutputTokens };
}
