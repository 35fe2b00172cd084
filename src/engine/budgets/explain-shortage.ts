import { formatDollars } from "../../base/money.ts";
import { formatDuration } from "../../base/time/duration.ts";
import type { Amount, Budget } from "../ports/models/budgets.ts";
import { limitOf, type Shortage } from "./allot.ts";

/** Says why a call or an attempt does not fit, in dollars, tokens, steps, or time. */
export function explainShortage({ budget, wanted, lacks, mayFitLater }: Shortage): string {
  const limit = limitOf(budget, lacks) ?? 0;
  const left = Math.max(0, limit - budget.settled[lacks] - budget.reserved[lacks]);
  const { needs, others, show } = WORDS[lacks];
  const has = `the budget of ${describeBudget(budget)} has ${show(left)} of ${show(limit)} left`;
  const next = mayFitLater
    ? `other ${others} are under way, and it waits for them`
    : "raise the budget to let the run go on";
  return `${needs(wanted[lacks])}, and ${has}: ${next}`;
}

interface Words {
  needs(amount: number): string;
  readonly others: string;
  show(amount: number): string;
}

const WORDS: Readonly<Record<keyof Amount, Words>> = {
  costMicros: { needs: (cost) => `a call may cost ${formatDollars(cost)}`, others: "calls", show: formatDollars },
  tokens: { needs: (tokens) => `a call may use ${tokens} tokens`, others: "calls", show: String },
  steps: { needs: () => "an attempt is a step", others: "attempts", show: (steps) => `${steps}` },
  timeMs: { needs: () => "an attempt takes time", others: "attempts", show: formatDuration },
};

/** Names a budget in a sentence. */
export function describeBudget({ scope, id }: Pick<Budget, "scope" | "id">): string {
  return scope === "tenant" ? "the tenant" : `${scope} ${id}`;
}
