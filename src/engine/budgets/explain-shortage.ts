import { formatDollars } from "../../base/money.ts";
import { formatDuration } from "../../base/time/duration.ts";
import type { Amount, Budget } from "../ports/models/budgets.ts";
import { findNearlyUsedUp, limitOf, type Shortage } from "./allot.ts";

/** Says why a call or an attempt does not fit, in dollars, tokens, steps, or time. */
export function explainShortage({ budget, wanted, lacks, mayFitLater }: Shortage): string {
  const limit = limitOf(budget, lacks) ?? 0;
  const left = Math.max(0, limit - budget.settled[lacks] - budget.reserved[lacks]);
  const { needs, others, show } = WORDS[lacks];
  if (budget.scope === "minute")
    return `${needs(wanted[lacks])}, and ${describeBudget(budget)} has ${show(left)} of ${show(limit)} left: it waits for the next minute`;
  const has = `the budget of ${describeBudget(budget)} has ${show(left)} of ${show(limit)} left`;
  const next = mayFitLater
    ? `other ${others} are under way, and it waits for them`
    : "raise the budget to let the run go on";
  return `${needs(wanted[lacks])}, and ${has}: ${next}`;
}

/** Says what is used up of a budget that is nearly used up. */
export function explainWarning(budget: Budget): string {
  const used = findNearlyUsedUp(budget).map((kind) => {
    const { show, unit } = WORDS[kind];
    return `${show(budget.settled[kind])} of ${show(limitOf(budget, kind) ?? 0)}${unit}`;
  });
  return `the budget of ${describeBudget(budget)} is nearly used up: ${used.join(", ")}; a run that needs more waits until it is raised`;
}

interface Words {
  needs(amount: number): string;
  readonly others: string;
  show(amount: number): string;
  readonly unit: string;
}

const WORDS: Readonly<Record<keyof Amount, Words>> = {
  costMicros: {
    needs: (cost) => `a call may cost ${formatDollars(cost)}`,
    others: "calls",
    show: formatDollars,
    unit: "",
  },
  tokens: { needs: (tokens) => `a call may use ${tokens} tokens`, others: "calls", show: String, unit: " tokens" },
  steps: { needs: () => "an attempt is a step", others: "attempts", show: String, unit: " steps" },
  timeMs: { needs: () => "an attempt takes time", others: "attempts", show: formatDuration, unit: "" },
};

/** Names a budget in a sentence. */
function describeBudget({ scope, id }: Pick<Budget, "scope" | "id">): string {
  if (scope === "minute") return `the minute of ${id.slice(0, id.lastIndexOf(" "))}`;
  return scope === "tenant" ? "the tenant" : `${scope} ${id}`;
}
