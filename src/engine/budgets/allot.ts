/** Decides which calls and attempts fit into which budgets. Pure. */
import type { Amount, Budget, BudgetKey, BudgetLimits, OpenCall, RaisableBudget } from "../ports/models/budgets.ts";
import type { ModelUsage } from "../ports/models/meter.ts";

/** The part of a limit at which there is a warning. */
const WARN_AT = 0.8;

/** Why a call does not fit, by the budget that it does not fit into. */
export interface Shortage {
  readonly budget: Budget;
  readonly wanted: Amount;
  /** What there is too little of. */
  readonly lacks: keyof Amount;
  /** Others are under way that may cost less of that than they reserved, or the next minute has more. */
  readonly mayFitLater: boolean;
}

/** Budgets while a transaction changes them. */
export class Allotment {
  readonly #budgets = new Map<string, Budget>();
  readonly #changed = new Set<string>();

  constructor(budgets: readonly Budget[]) {
    for (const budget of budgets) this.#budgets.set(nameOf(budget), budget);
  }

  /** Those that have been changed. */
  get changed(): readonly Budget[] {
    return [...this.#changed].flatMap((name) => this.#budgets.get(name) ?? []);
  }

  get(key: BudgetKey): Budget | undefined {
    return this.#budgets.get(nameOf(key));
  }

  /** Reserves an amount in all of these budgets, or in none. Budgets that do not exist limit nothing. */
  reserve(keys: readonly BudgetKey[], wanted: Amount): Shortage | null {
    const budgets = keys.flatMap((key) => this.get(key) ?? []);
    const short = budgets.flatMap((budget) => shortagesOf(budget, wanted));
    // A budget in which nothing is under way decides: it will not fit there later.
    const worst = short.find(({ mayFitLater }) => !mayFitLater) ?? short[0];
    if (worst !== undefined) return worst;
    for (const budget of budgets) this.#set({ ...budget, reserved: add(budget.reserved, wanted) });
    return null;
  }

  /**
   * Ends a call or an attempt: what it used takes the place of what it reserved. Returns the budgets of which what is
   * settled has passed {@link WARN_AT} by that, but for those of minutes.
   */
  settle({ charged, reserved }: Pick<OpenCall, "charged" | "reserved">, used: Amount): readonly RaisableBudget[] {
    const nearlyUsedUp: RaisableBudget[] = [];
    for (const key of charged) {
      const budget = this.get(key);
      if (budget === undefined) continue;
      const after = { ...budget, reserved: subtract(budget.reserved, reserved), settled: add(budget.settled, used) };
      this.#set(after);
      if (isRaisable(after) && findNearlyUsedUp(after).length > findNearlyUsedUp(budget).length)
        nearlyUsedUp.push(after);
    }
    return nearlyUsedUp;
  }

  #set(budget: Budget): void {
    const name = nameOf(budget);
    this.#budgets.set(name, budget);
    this.#changed.add(name);
  }
}

/** Whether somebody can raise it. The tokens of a minute are what its provider gives. */
function isRaisable(budget: Budget): budget is RaisableBudget {
  return budget.scope !== "minute";
}

/** What a call used, as budgets count it. */
export function amountOf({ inputTokens, outputTokens, costMicros }: ModelUsage): Amount {
  return { ...NOTHING, tokens: inputTokens + outputTokens, costMicros: costMicros ?? 0 };
}

/** A name of a budget that no other budget has. */
export function nameOf({ tenantId, scope, id }: BudgetKey): string {
  return JSON.stringify([tenantId, scope, id]);
}

/** What there is too little of in a budget. */
function shortagesOf(budget: Budget, wanted: Amount): readonly Shortage[] {
  const after = add(add(budget.settled, budget.reserved), wanted);
  return KINDS.filter(
    (kind) => wanted[kind] > 0 && after[kind] > (limitOf(budget, kind) ?? Number.POSITIVE_INFINITY),
  ).map((lacks) => {
    const mayFitLater = budget.scope === "minute" || budget.reserved[lacks] > 0;
    return { budget, wanted, lacks, mayFitLater };
  });
}

/** The limit of a budget on one kind of amount; null: there is none. */
export function limitOf(limits: BudgetLimits, kind: keyof Amount): number | null {
  return limits[LIMITS[kind]];
}

const LIMITS = {
  costMicros: "maxCostMicros",
  tokens: "maxTokens",
  steps: "maxSteps",
  timeMs: "maxTimeMs",
} as const satisfies Record<keyof Amount, keyof BudgetLimits>;

const KINDS = Object.keys(LIMITS) as readonly (keyof Amount)[];

/** The kinds of amounts of which what is settled has reached {@link WARN_AT} of its limit. */
export function findNearlyUsedUp(budget: Budget): readonly (keyof Amount)[] {
  return KINDS.filter((kind) => {
    const limit = limitOf(budget, kind);
    return limit !== null && budget.settled[kind] >= limit * WARN_AT;
  });
}

/** No amount of anything. */
export const NOTHING: Amount = { costMicros: 0, tokens: 0, steps: 0, timeMs: 0 };

function add(a: Amount, b: Amount): Amount {
  return combine((kind) => a[kind] + b[kind]);
}

function subtract(a: Amount, b: Amount): Amount {
  return combine((kind) => Math.max(0, a[kind] - b[kind]));
}

function combine(of: (kind: keyof Amount) => number): Amount {
  return { costMicros: of("costMicros"), tokens: of("tokens"), steps: of("steps"), timeMs: of("timeMs") };
}
