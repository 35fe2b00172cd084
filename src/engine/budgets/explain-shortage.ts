import { formatDollars } from "../../base/money.ts";
import type { Budget } from "../ports/models/budgets.ts";
import type { Shortage } from "./allot.ts";

/** Says why a call does not fit, in dollars and tokens. */
export function explainShortage({ budget, wanted, mayFitLater }: Shortage): string {
  const { maxCostMicros, maxTokens, settled, reserved } = budget;
  const costLeft =
    maxCostMicros === null ? Number.POSITIVE_INFINITY : maxCostMicros - settled.costMicros - reserved.costMicros;
  const lacksCost = wanted.costMicros > costLeft;
  const needs = lacksCost ? `may cost ${formatDollars(wanted.costMicros)}` : `may use ${wanted.tokens} tokens`;
  const tokensLeft = Math.max(0, (maxTokens ?? 0) - settled.tokens - reserved.tokens);
  const left = lacksCost
    ? `${formatDollars(Math.max(0, costLeft))} of ${formatDollars(maxCostMicros ?? 0)}`
    : `${tokensLeft} of ${maxTokens ?? 0}`;
  const next = mayFitLater
    ? "other calls are under way, and it waits for them"
    : "raise the budget to let the run go on";
  return `a call ${needs}, and the budget of ${describeBudget(budget)} has ${left} left: ${next}`;
}

/** Names a budget in a sentence. */
function describeBudget({ scope, id }: Pick<Budget, "scope" | "id">): string {
  return scope === "tenant" ? "the tenant" : `${scope} ${id}`;
}
