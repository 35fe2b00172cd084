/**
 * Tokens a minute of a model: each minute of the database's clock is a budget of its own, which calls share with those
 * of all instances. What does not fit is deferred to the next one.
 */
import type { Budget, BudgetKey, BudgetLimits } from "../ports/models/budgets.ts";
import type { MeteredCall } from "../ports/models/meter.ts";

const MINUTE_MS = 60_000;

/** A deferred call looks again after so long at most, milliseconds: others may use less than they have reserved. */
const MAX_DEFER_MS = 5_000;

/** The budget of the minute in which a call is asked for; null: its model has no limit. */
export function minuteOf(call: MeteredCall, now: number): (BudgetKey & BudgetLimits) | null {
  const { tenantId, provider, model, tokensPerMinute } = call;
  if (tokensPerMinute === null) return null;
  const id = `${provider}/${model} ${new Date(now).toISOString().slice(0, 16)}`;
  const limits = { maxCostMicros: null, maxTokens: tokensPerMinute, maxSteps: null, maxTimeMs: null };
  return { tenantId, scope: "minute", id, ...limits };
}

/** Says that a call may use more tokens than a minute has; null: it does not. */
export function explainTooLarge({ provider, model, tokensPerMinute, ...call }: MeteredCall): string | null {
  const tokens = call.inputTokens + call.maxOutputTokens;
  if (tokensPerMinute === null || tokens <= tokensPerMinute) return null;
  return `the call may use ${tokens} tokens, and model ${model} of provider ${provider} may use ${tokensPerMinute} a minute: shorten the prompt, lower max_tokens, or raise tokens_per_minute`;
}

/** How long a call is deferred that does not fit into its minute, milliseconds; those of a minute come apart. */
export function untilNextMinuteMs({ reserved }: Budget, now: number): number {
  const leftMs = MINUTE_MS - (now % MINUTE_MS) + Math.random() * 1_000;
  return Math.ceil(reserved.tokens > 0 ? Math.min(leftMs, MAX_DEFER_MS) : leftMs);
}
